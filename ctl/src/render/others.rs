//! What the other nodes made of a command: a line for each.

use fmc_api::{Elsewhere, Outcome};

use super::paint::Paint;

/// One line for each node; `done` says in a few words what an answer changed, or `None` when it is as here.
pub(crate) fn lines<T>(others: &[Elsewhere<T>], paint: Paint, done: impl Fn(&T) -> Option<String>) -> String {
    others.iter().map(|other| line(other, paint, &done) + "\n").collect()
}

fn line<T>(other: &Elsewhere<T>, paint: Paint, done: impl Fn(&T) -> Option<String>) -> String {
    let node = &other.node;
    match &other.outcome {
        Outcome::Done(answer) => format!("{node}: {}", done(answer).unwrap_or_else(|| "the same".to_owned())),
        Outcome::Refused(refusal) => paint.bad(&format!("{node} refuses: {refusal}")),
        Outcome::Later(why) => paint.warn(&format!("{node} will do it once it is reached: {why}")),
        Outcome::NotAsked(why) => paint.warn(&format!("{node} was not asked: {why}")),
    }
}

/// Whether every other node that was asked has done it.
pub(crate) fn all_done<T>(others: &[Elsewhere<T>]) -> bool {
    !others.iter().any(|other| matches!(other.outcome, Outcome::Refused(_) | Outcome::Later(_)))
}

/// Whether no other node refuses.
pub(crate) fn all_agree<T>(others: &[Elsewhere<T>]) -> bool {
    !others.iter().any(|other| matches!(other.outcome, Outcome::Refused(_)))
}
