//! A configuration on trial: in force, and gone again by itself unless somebody confirms it in time.
//!
//! Whoever is locked out by it need do nothing. A proxy that dies meanwhile comes back with the one before, which the supervisor still
//! has. When it was put on trial on all nodes, it stays on all or on none: as soon as another node is heard to have confirmed this very trial, it
//! is confirmed here too, even if the word itself was lost.

use std::rc::Rc;
use std::time::{Duration, Instant};

use fmc_api::events::EventKind;
use fmc_api::pair::TrialId;
use fmc_api::word::Severity;
use fmc_config::model::Config;
use tokio::time::sleep;

use super::reload::{self, Doors, Next};
use crate::administrative::Stamp;
use crate::proxy::appliance::{Appliance, Shared};
use crate::{node, proxy};

/// Between two looks at a trial.
const LOOK: Duration = Duration::from_millis(100);

/// One way back that fails is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// What is on trial, beside what the appliance has in force.
#[derive(Debug)]
pub(crate) struct Trial {
    /// What comes back.
    before: Rc<str>,
    ends_at: Instant,
    /// The order that began it.
    began_by: Stamp,
    /// It was asked there and not here, so the file of the service here does not say it.
    from_elsewhere: bool,
}

impl Trial {
    /// Its name, the same on every node.
    pub(crate) fn id(&self) -> TrialId {
        self.began_by.clone().into()
    }

    /// Until it ends.
    pub(crate) fn left(&self) -> Duration {
        self.ends_at.saturating_duration_since(Instant::now())
    }
}

/// Puts what is in force on trial: `before` comes back after `within`.
pub(crate) fn begin(before: Rc<str>, within: Duration, began_by: Stamp, shared: &Shared) {
    let mut appliance = shared.borrow_mut();
    let from_elsewhere = began_by.by != appliance.node.name;
    appliance.trial = Some(Trial { before, ends_at: Instant::now() + within, began_by, from_elsewhere });
    drop(appliance);
    tokio::task::spawn_local(watch(shared.clone()));
}

/// What is on trial stays. `None`: nothing is; `Some(Some(why))`: a restarted proxy would come back with the one before.
pub(crate) fn confirm(appliance: &mut Appliance) -> Option<Option<String>> {
    let trial = appliance.trial.take()?;
    let unsaved = reload::remember(trial.from_elsewhere, appliance);
    appliance.confirmed = Some(trial.began_by);
    let text = format!("the configuration {:016x} is confirmed", appliance.config_hash);
    appliance.note(Severity::Info, EventKind::Configuration, None, text);
    Some(unsaved)
}

/// What was in force before the trial comes back. Errors: why it cannot, or not yet; the trial goes on.
pub(crate) async fn roll_back(why: &str, shared: &Shared) -> Result<(), String> {
    {
        let mut appliance = shared.borrow_mut();
        let before = appliance.trial.as_ref().ok_or("no configuration is on trial")?.before.clone();
        let next = prepare(before, &appliance).map_err(|error| format!("{error:#}"))?;
        appliance.trial = None;
        reload::commit(next, &mut appliance);
        let text = format!("the configuration {:016x} is in force again: {why}", appliance.config_hash);
        appliance.note(Severity::Warning, EventKind::Configuration, None, text);
    }
    Doors::default().open(shared);
    Ok(())
}

fn prepare(text: Rc<str>, appliance: &Appliance) -> anyhow::Result<Next> {
    let config = Config::parse(&text, "the configuration before the trial")
        .map_err(|errors| anyhow::anyhow!("it is not valid any more:\n{}", errors.lines()))?;
    let node = node::identify(&config, Some(appliance.node.name.as_str()))?.clone();
    let settings = proxy::keeper_settings(&config, &node, appliance.observing.is_some())?;
    let data_plane = appliance.data_plane.prepare(&config).map_err(|errors| {
        let sentences: Vec<_> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!(sentences.join("\n"))
    })?;
    Ok(Next { config, text, node, settings, data_plane })
}

/// Looks after one trial to its end; there is one at a time.
async fn watch(shared: Shared) {
    let mut said = String::new();
    loop {
        sleep(LOOK).await;
        match verdict(&shared.borrow()) {
            Verdict::Over => return,
            Verdict::Wait => continue,
            Verdict::ConfirmedElsewhere => {
                confirm(&mut shared.borrow_mut());
                return;
            }
            Verdict::Ended => {}
        }
        match roll_back("it was not confirmed in time", &shared).await {
            Ok(()) => return,
            Err(error) if error != said => {
                let text = format!("the configuration before the trial cannot come back yet: {error}");
                shared.borrow_mut().note(Severity::Error, EventKind::Configuration, None, text);
                said = error;
            }
            Err(_) => {}
        }
        sleep(AGAIN).await;
    }
}

enum Verdict {
    /// Somebody has ended it.
    Over,
    Wait,
    ConfirmedElsewhere,
    Ended,
}

fn verdict(appliance: &Appliance) -> Verdict {
    let Some(trial) = &appliance.trial else { return Verdict::Over };
    let confirmed = Some(trial.id());
    if appliance.channel.reports().any(|report| report.confirmed == confirmed) {
        return Verdict::ConfirmedElsewhere;
    }
    if trial.left().is_zero() { Verdict::Ended } else { Verdict::Wait }
}
