//! Floor 2: text to `Plan`. Pure: it is given texts, not files.
