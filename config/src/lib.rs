//! What an operator may say: one TOML file, parsed into a model in which illegal states have no representation.

pub mod model;
