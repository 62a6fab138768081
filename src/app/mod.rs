//! Floor 4: programs: wire rooms, arguments, exit codes.
