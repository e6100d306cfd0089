//! Benchmarks of the cores live in `benches/`; this library is empty on purpose.
