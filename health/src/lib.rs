//! Is a server fit to serve? Probes ask, a verdict answers, and neither knows the other.
//!
//! Life of a health change: [`Checker`] sleeps until [`Schedule`] says that a probe is due (or a failed dial asks for one),
//! [`Check`] asks every port of the server, [`Health`] turns the [`Outcome`] into a [`Verdict`], and an [`Observation`]
//! goes to whoever builds the next pool snapshot.
//!
//! | file | concept | core |
//! |---|---|---|
//! | `outcome.rs` | what one probe found, in a shape that counts and in words | yes |
//! | `verdict.rs` | rise, fall, unknown, the last outcomes | yes |
//! | `step.rs` | what one probe did, for a person who asks | yes |
//! | `schedule.rs` | when the next probe is due | yes |
//! | `agent.rs` | the words of a server's agent | yes |
//! | `check.rs` | the kinds of probe; one file each below `check/` | |
//! | `driver.rs` | one task a server, a bounded number of probes in flight | |
//! | `metrics.rs` | every name, unit and label of this crate | |
//!
//! Core files take time and entropy as arguments and know no socket, clock or runtime.

mod agent;
mod check;
mod driver;
mod entropy;
pub mod metrics;
mod outcome;
mod schedule;
mod step;
mod verdict;

pub use agent::{AgentState, AgentWords};
pub use check::{Check, MAX_BODY, MAX_HEADER};
pub use driver::{
    AgentSaid, Agents, Checker, Inspected, Inspection, OBSERVATION_DEPTH, Observation, PROBES_IN_FLIGHT, ServerStatus,
};
pub use outcome::{Failure, Finding, Outcome, Rung};
pub use schedule::{FIRST_SPREAD, JITTER_PERCENT, MIN_GAP, Pace, RECHECK_GAP, Schedule};
pub use step::Step;
pub use verdict::{HISTORY, Health, Observed, Transition, Verdict};
