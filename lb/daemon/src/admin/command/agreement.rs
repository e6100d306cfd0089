//! A configuration for all nodes: in force on every one of them, or on none.
//!
//! ```text
//! 1 each node prepares it and says what it would change      one that cannot, or is not reached: nothing has changed anywhere
//! 2 each node puts it in force on trial, this one last       one that fails: those before it go back
//! 3 this node confirms, then the others                      one that does not hear it learns it from any that did
//! ```
//!
//! Whatever dies in between, every node that cannot hear of a confirmation goes back by itself when its trial ends.

use std::time::{Duration, Instant};

use fmc_api::configure::{Configure, ConfigureAnswer, Confirm, ConfirmAnswer, ElectionChange, Rollback};
use fmc_api::{Elsewhere, Outcome, Refusal, RefusalKind, path};
use hyper::body::Bytes;

use super::configure::configure;
use super::everywhere::{ask, ask_others, json, typed};
use crate::admin::response::Answer;
use crate::administrative::Order;
use crate::pair::call::Line;
use crate::proxy::appliance::Shared;
use crate::proxy::view::live_peers;
use crate::wiring::trial;

/// How long the nodes wait for each other when nobody has asked for a trial: for each node its answer, and its election.
const AGREE_WITHIN: Duration = Duration::from_secs(15);

/// A node whose election has begun anew is heard again within this.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// Puts a configuration in force on all nodes or on none, or says what that would do.
pub(super) async fn agree(wanted: Configure, order: &Order, shared: &Shared) -> Answer {
    let has_channel = shared.borrow().channel.lines().next().is_some();
    let outcome = match has_channel {
        true => on_all(wanted, order, shared).await,
        // Nodes that cannot speak to each other cannot agree; each has its own, as with any other tool.
        false => alone(wanted, order, shared).await,
    };
    outcome.map_or_else(Answer::from, |answer| Answer::json(&answer))
}

async fn alone(wanted: Configure, order: &Order, shared: &Shared) -> Result<ConfigureAnswer, Refusal> {
    let is_dry = wanted.dry_run;
    let mut answer = configure(wanted, order, shared).await?;
    answer.others = typed(ask_others(path::CONFIGURE, Bytes::new(), order, is_dry, shared).await);
    Ok(answer)
}

async fn on_all(wanted: Configure, order: &Order, shared: &Shared) -> Result<ConfigureAnswer, Refusal> {
    let mut plan = configure(Configure { dry_run: true, ..wanted.clone() }, order, shared).await?;
    let dry = json(&Configure { dry_run: true, confirm_within_ms: None, ..wanted.clone() });
    plan.others = typed(ask_others(path::CONFIGURE, dry, order, true, shared).await);
    if wanted.dry_run {
        return Ok(plan);
    }
    all_can(&plan.others)?;
    let agree_within = AGREE_WITHIN * (1 + plan.others.len() as u32);
    let trial_ms = wanted.confirm_within_ms.unwrap_or(agree_within.as_millis() as u64);
    let on_trial = Configure { confirm_within_ms: Some(trial_ms), ..wanted.clone() };
    put_on_trial(&on_trial, &plan.others, order, shared).await?;
    let mut answer = match configure(on_trial, order, shared).await {
        Ok(answer) => answer,
        Err(refusal) => {
            take_back(order, shared).await;
            return Err(refusal);
        }
    };
    answer.others = plan.others;
    if wanted.confirm_within_ms.is_none() {
        answer.unsaved = trial::confirm(&mut shared.borrow_mut()).flatten();
        let confirm = json(&Confirm { hash: Some(answer.hash.clone()) });
        let confirmed = typed::<ConfirmAnswer>(ask_others(path::CONFIRM, confirm, order, false, shared).await);
        confirmed.into_iter().for_each(|there| note_unconfirmed(there, &mut answer.others));
    }
    Ok(answer)
}

/// The trial that this order began, and no other's, ends on the others.
async fn take_back(order: &Order, shared: &Shared) {
    let rollback = json(&Rollback { trial: Some(order.stamp.clone().into()) });
    ask_others(path::ROLLBACK, rollback, order, false, shared).await;
}

/// It is in force there on trial; a node that has not heard that it stays learns it from any that has.
fn note_unconfirmed(there: Elsewhere<ConfirmAnswer>, others: &mut [Elsewhere<ConfigureAnswer>]) {
    let outcome = match there.outcome {
        Outcome::Done(_) => return,
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
        Outcome::Later(why) | Outcome::NotAsked(why) => Outcome::Later(why),
    };
    if let Some(other) = others.iter_mut().find(|other| other.node == there.node) {
        other.outcome = outcome;
    }
}

/// One that is not reached or refuses keeps it from all.
fn all_can(others: &[Elsewhere<ConfigureAnswer>]) -> Result<(), Refusal> {
    for Elsewhere { node, outcome } in others {
        let why = match outcome {
            Outcome::Done(_) => continue,
            Outcome::Refused(Refusal { error, .. }) => error,
            Outcome::Later(why) | Outcome::NotAsked(why) => why,
        };
        return Err(none_changed(format!("{node}: {why}")));
    }
    Ok(())
}

fn none_changed(error: String) -> Refusal {
    let fix = "mend it, or put it in force on each node that lives with --this-node; nothing has changed on any node";
    Refusal::new(RefusalKind::No, error, fix)
}

/// Puts it on trial on the other nodes, one after the other; when one fails, those before it go back.
async fn put_on_trial(
    wanted: &Configure,
    plans: &[Elsewhere<ConfigureAnswer>],
    order: &Order,
    shared: &Shared,
) -> Result<(), Refusal> {
    let lines: Vec<Line> = shared.borrow().channel.lines().cloned().collect();
    for line in &lines {
        let failed = match ask(line, path::CONFIGURE, json(wanted), order, false).await {
            Outcome::Done(_) => None,
            Outcome::Refused(Refusal { error, .. }) => Some(error),
            Outcome::Later(why) | Outcome::NotAsked(why) => Some(why),
        };
        if let Some(why) = failed {
            // One that did it and could not say so goes back when its trial ends, if this word does not reach it.
            take_back(order, shared).await;
            return Err(none_changed(format!("{}: {why}", line.node)));
        }
        if begins_anew(plans, line) {
            wait_until_heard(line, shared).await;
        }
    }
    Ok(())
}

fn begins_anew(plans: &[Elsewhere<ConfigureAnswer>], line: &Line) -> bool {
    let plan = plans.iter().find(|other| other.node == line.node).and_then(Elsewhere::done);
    plan.is_some_and(|plan| plan.election == ElectionChange::Anew)
}

/// Where an election begins anew, the next node gives its addresses away only once this one can take them.
async fn wait_until_heard(line: &Line, shared: &Shared) {
    let by = Instant::now() + HEARD_WITHIN;
    tokio::time::sleep(Duration::from_millis(500)).await;
    while Instant::now() < by && !live_peers(&shared.borrow()).any(|peer| peer.name == line.node) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use fmc_api::Moment;

    use super::*;

    fn plan() -> ConfigureAnswer {
        ConfigureAnswer {
            now: Moment::from_unix_ms(0),
            dry_run: true,
            changes: Vec::new(),
            election: ElectionChange::Nothing,
            consequences: Vec::new(),
            connections_cut: 0,
            hash_before: "1".to_owned(),
            hash: "2".to_owned(),
            unsaved: None,
            others: Vec::new(),
        }
    }

    fn other<T>(node: &str, outcome: Outcome<T>) -> Elsewhere<T> {
        Elsewhere { node: node.parse().unwrap(), outcome }
    }

    #[test]
    fn a_node_that_did_not_confirm_is_not_told_of_as_one_that_did() {
        let mut others = ["loadbalancer2", "loadbalancer3"].map(|node| other(node, Outcome::Done(plan())));
        let confirmed =
            ConfirmAnswer { now: Moment::from_unix_ms(0), hash: "2".to_owned(), trial: None, others: Vec::new() };
        note_unconfirmed(other("loadbalancer2", Outcome::Done(confirmed)), &mut others);
        note_unconfirmed(other("loadbalancer3", Outcome::NotAsked("it answers 500".to_owned())), &mut others);
        assert!(others[0].done().is_some());
        assert_eq!(others[1].outcome, Outcome::Later("it answers 500".to_owned()));
        let refusal = Refusal::new(RefusalKind::No, "1 is in force, not 2", "apply it again");
        note_unconfirmed(other("loadbalancer2", Outcome::Refused(refusal.clone())), &mut others);
        assert_eq!(others[0].outcome, Outcome::Refused(refusal));
    }
}
