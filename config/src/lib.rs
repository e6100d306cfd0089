//! What an operator may say: one TOML file, parsed into a model in which illegal states have no representation.
//!
//! [`model::Config::parse`] is the entry: text in, configuration or every error out. Nothing here opens a file, resolves a
//! name or reads the environment.
//!
//! ```text
//! toml      the file as typed: each key read into its own type        (rules of one field)
//! lower     what it means: defaults, names, addresses, ports          (rules of two fields and more)
//! profile   the defaults, each with its reason
//! effective the way back: a model as a file with nothing left out
//! ```
//!
//! [`diagnostic`], [`findings`], [`suggest`] and [`syntax`] are how any TOML file of this project says what is wrong with it; the
//! inventory of the lab brings its own rules to them.

pub mod diagnostic;
pub mod difference;
pub mod findings;
pub mod model;
pub mod suggest;
pub mod syntax;

mod effective;
mod lower;
mod profile;

pub mod span_of_time;
mod toml;
mod words;
