//! Floor 2: a pretended plant, made from the same plan. Pure, and never names `safety`: a plant that knew the rules would agree with their bugs.
