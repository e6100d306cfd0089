//! The steps of a plan, in their order, until one fails.

use std::time::Duration;

use super::Shell;
use crate::plan::Plan;
use crate::plan::step::{Act, Step};

/// What a command may take; a file is fetched, a machine shuts down.
const DEADLINE: Duration = Duration::from_secs(600);
/// Of one look that is repeated.
const LOOK: Duration = Duration::from_secs(30);
/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// For how long contact is sought after a step that may have cut it: less than a rollback waits.
const CONTACT: u32 = 10;

/// Sees what happens.
pub trait Witness {
    /// A step begins: its number, of how many.
    fn begins(&mut self, number: usize, of: usize, step: &Step);
    /// It is done.
    fn done(&mut self, step: &Step);
}

/// A run that ended early.
#[derive(Debug, thiserror::Error)]
#[error("{what} on {place}: {why}; everything before it is done, and the same command goes on from here")]
pub struct Stopped {
    /// The object of the step.
    pub object: String,
    /// Where.
    pub place: String,
    /// What was being done.
    pub what: String,
    /// What is wrong.
    pub why: String,
}

/// Does all steps.
///
/// # Errors
///
/// The first step that failed; none after it was begun.
pub fn perform(shell: &mut impl Shell, plan: &Plan, witness: &mut impl Witness) -> Result<(), Stopped> {
    for (at, step) in plan.steps.iter().enumerate() {
        witness.begins(at + 1, plan.steps.len(), step);
        one(shell, step).map_err(|why| {
            let Step { object, place, what, .. } = step.clone();
            Stopped { object, place, what, why }
        })?;
        witness.done(step);
    }
    Ok(())
}

fn one(shell: &mut impl Shell, step: &Step) -> Result<(), String> {
    match &step.act {
        Act::Run { script, stdin } => shell.run(&step.place, script, stdin, DEADLINE)?.success().map(drop),
        Act::Await { script, within } => until(shell, step, script, *within),
        Act::Confirm { script } => {
            contact(shell, &step.place)?;
            shell.run(&step.place, script, &[], LOOK)?.success().map(drop)
        }
    }
}

fn until(shell: &mut impl Shell, step: &Step, script: &str, within: Duration) -> Result<(), String> {
    let looks = within.as_secs() / INTERVAL.as_secs();
    let mut last = String::new();
    for _ in 0..looks.max(1) {
        match shell.run(&step.place, script, &[], LOOK).and_then(super::Said::success) {
            Ok(_) => return Ok(()),
            Err(why) => last = why,
        }
        shell.pause(INTERVAL);
    }
    Err(format!("not in {} s: {last}", within.as_secs()))
}

fn contact(shell: &mut impl Shell, place: &str) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..CONTACT {
        match shell.contact(place) {
            Ok(()) => return Ok(()),
            Err(why) => last = why,
        }
        shell.pause(INTERVAL);
    }
    Err(format!("no contact ({last}): the former state comes back by itself"))
}
