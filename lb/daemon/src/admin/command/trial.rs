//! `confirm` and `rollback`: the end of a trial.

use fmc_api::configure::{Confirm, ConfirmAnswer, Rollback};
use fmc_api::pair::TrialId;
use fmc_api::{Refusal, RefusalKind};

use crate::admin::read;
use crate::admin::response::Answer;
use crate::administrative::Order;
use crate::proxy::appliance::{Appliance, Shared};
use crate::wiring::trial::{self, Trial};

/// What is on trial here stays.
pub(super) fn confirm(wanted: &Confirm, shared: &Shared) -> Result<Answer, Refusal> {
    let mut appliance = shared.borrow_mut();
    if let Some(hash) = &wanted.hash {
        let in_force = format!("{:016x}", appliance.config_hash);
        if *hash != in_force {
            return Err(Refusal::new(RefusalKind::No, format!("{in_force} is in force, not {hash}"), "apply it again"));
        }
        if appliance.trial.is_none() {
            return Ok(answer(&appliance, None));
        }
    }
    let ended = appliance.trial.as_ref().map(Trial::id);
    match trial::confirm(&mut appliance) {
        None => Err(no_trial()),
        Some(None) => Ok(answer(&appliance, ended)),
        Some(Some(unsaved)) => {
            Err(Refusal::new(RefusalKind::Internal, format!("it stays, but: {unsaved}"), "see journalctl -u fmc-lb"))
        }
    }
}

/// What was in force before the trial comes back here.
pub(super) async fn roll_back(wanted: Rollback, order: &Order, shared: &Shared) -> Result<Answer, Refusal> {
    let running = shared.borrow().trial.as_ref().map(Trial::id).ok_or_else(no_trial)?;
    if wanted.trial.is_some_and(|wanted| wanted != running) {
        let error = format!("another trial runs, which was asked on {}", running.by);
        return Err(Refusal::new(RefusalKind::No, error, "fmc-lbctl confirm or fmc-lbctl rollback ends it"));
    }
    match trial::roll_back(&format!("{order} took it back"), shared).await {
        Ok(()) => Ok(answer(&shared.borrow(), Some(running))),
        Err(error) => Err(Refusal::new(RefusalKind::No, error, "it is tried again by itself when the trial ends")),
    }
}

fn no_trial() -> Refusal {
    Refusal::new(RefusalKind::No, "no configuration is on trial", "see fmc-lbctl status for what is in force")
}

fn answer(appliance: &Appliance, trial: Option<TrialId>) -> Answer {
    let hash = format!("{:016x}", appliance.config_hash);
    Answer::json(&ConfirmAnswer { now: read::now(), hash, trial, others: Vec::new() })
}
