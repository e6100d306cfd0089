//! Answers as text. The only place that prints: every function below turns an answer into a string, and [`Output`] writes it.

pub(crate) mod backends;
pub(crate) mod change;
pub(crate) mod configure;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod lab_plan;
pub(crate) mod moves;
pub(crate) mod observed;
pub(crate) mod others;
pub(crate) mod probe;
pub(crate) mod rebalance;
pub(crate) mod report;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod verify;
pub(crate) mod vips;

pub(crate) mod fact;
mod output;
mod paint;
mod table;

pub(crate) use output::Output;
pub(crate) use paint::{Paint, Tone};
