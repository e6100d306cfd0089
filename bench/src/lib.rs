//! Benchmarks of the cores live in `benches/`, load for comparisons in `src/bin/fmc-load.rs`; this library is empty on purpose.
