//! What is wrong now, and since when. A condition counts once it has lasted two looks, so that a move in progress is no alarm.

use std::time::{Duration, Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::status::{Alarm, Owner};
use fmc_api::word::Severity;
use fmc_vrrp::router::role::Role;

use super::mismatch::{self, Sentence};
use crate::proxy::appliance::Appliance;
use crate::proxy::view::{live_peers, owner, says_only_active};

/// A condition that lasts this long is an alarm.
const PATIENCE: Duration = Duration::from_millis(400);

/// Every condition that holds, the visible ones among them.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Vec<Raised>);

#[derive(Debug)]
struct Raised {
    alarm: Alarm,
    seen_at: Instant,
    visible: bool,
}

impl Alarms {
    /// Those that have lasted, the most severe first.
    pub(crate) fn visible(&self) -> impl Iterator<Item = Alarm> {
        let of = |severity| self.0.iter().filter(move |raised| raised.visible && raised.alarm.severity == severity);
        of(Severity::Error).chain(of(Severity::Warning)).map(|raised| raised.alarm.clone())
    }

    /// Takes in what holds now; returns what became visible and what is over.
    fn look(&mut self, conditions: Vec<Condition>, now: Instant) -> (Vec<Alarm>, Vec<Alarm>) {
        let mut over = Vec::new();
        self.0.retain(|raised| {
            let holds = conditions.iter().any(|condition| condition.text == raised.alarm.text);
            if !holds && raised.visible {
                over.push(raised.alarm.clone());
            }
            holds
        });
        for condition in conditions {
            if !self.0.iter().any(|raised| raised.alarm.text == condition.text) {
                self.0.push(Raised { alarm: condition.into_alarm(), seen_at: now, visible: false });
            }
        }
        let ripe = self.0.iter_mut().filter(|raised| !raised.visible && now.duration_since(raised.seen_at) >= PATIENCE);
        let begun = ripe.map(|raised| {
            raised.visible = true;
            raised.alarm.clone()
        });
        (begun.collect(), over)
    }
}

/// Looks at everything, notes what begins and what ends.
pub(crate) fn look(appliance: &mut Appliance) {
    let conditions = conditions(appliance);
    let (begun, over) = appliance.alarms.look(conditions, Instant::now());
    for alarm in begun {
        let fix = alarm.fix.map_or_else(String::new, |fix| format!("; {fix}"));
        appliance.note(alarm.severity, EventKind::Peer, None, format!("alarm: {}{fix}", alarm.text));
    }
    for alarm in over {
        appliance.note(Severity::Info, EventKind::Peer, None, format!("over: {}", alarm.text));
    }
}

struct Condition {
    severity: Severity,
    text: String,
    fix: String,
}

impl Condition {
    fn into_alarm(self) -> Alarm {
        let Self { severity, text, fix } = self;
        Alarm { severity, since: Moment::from(SystemTime::now()), text, fix: Some(fix) }
    }
}

fn conditions(appliance: &Appliance) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut add = |severity, text: String, fix: &str| found.push(Condition { severity, text, fix: fix.to_owned() });
    if appliance.snapshot.is_none() {
        add(Severity::Error, "the keeper is not running".to_owned(), "see journalctl -u fmc-lb");
    }
    if appliance.by_last_good {
        let file = appliance.file.display();
        let text = format!("{file} is wrong: this node works by the last configuration that was in force");
        add(Severity::Error, text, "mend it, see fmc-lb check, then fmc-lbctl reload");
    }
    if let Some(why) = appliance.saver.trouble() {
        let fix = format!("make {} writable; it is tried again and again", appliance.state_dir.path().display());
        add(Severity::Warning, format!("what operators asked is not saved, a restart would forget it: {why}"), &fix);
    }
    for state in &appliance.vips {
        let name = &state.vip.name;
        if owner(appliance, state) == Owner::Nobody {
            add(Severity::Error, format!("nobody serves {name}"), "see fmc-lbctl vips on every node");
        }
        if state.role == Role::Active && live_peers(appliance).any(|peer| says_only_active(peer, name)) {
            let fix = "let IP protocol 112 through between the nodes";
            add(Severity::Error, format!("CONFLICT: {name} is served by two nodes"), fix);
        }
    }
    for Sentence { severity, text, fix } in mismatch::standing(appliance) {
        add(severity, text, &fix);
    }
    for node in appliance.others() {
        match live_peers(appliance).find(|peer| peer.name == node.name) {
            None => {
                let fix = "look at that node, and let UDP from it through";
                add(Severity::Warning, format!("no heartbeat from {}", node.name), fix);
            }
            Some(peer) if peer.config_hash.is_some_and(|hash| hash != appliance.config_hash) => {
                let fix = "give both the same file and fmc-lbctl reload the one that is behind";
                add(Severity::Warning, format!("{} runs another configuration", node.name), fix);
            }
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphan() -> Vec<Condition> {
        vec![Condition { severity: Severity::Error, text: "nobody serves api".to_owned(), fix: "look".to_owned() }]
    }

    #[test]
    fn a_condition_is_an_alarm_once_it_has_lasted() {
        let (mut alarms, start) = (Alarms::default(), Instant::now());
        assert_eq!(alarms.look(orphan(), start).0, []);
        assert_eq!(alarms.visible().count(), 0);
        let (begun, _) = alarms.look(orphan(), start + PATIENCE);
        assert_eq!(begun.len(), 1);
        assert_eq!(alarms.look(orphan(), start + PATIENCE * 2).0, [], "it begins once");
        assert_eq!(alarms.visible().count(), 1);
    }

    #[test]
    fn a_move_in_progress_leaves_no_trace() {
        let (mut alarms, start) = (Alarms::default(), Instant::now());
        alarms.look(orphan(), start);
        let (begun, over) = alarms.look(Vec::new(), start + PATIENCE);
        assert_eq!((begun, over), (Vec::new(), Vec::new()));
    }

    #[test]
    fn the_end_of_an_alarm_is_told() {
        let (mut alarms, start) = (Alarms::default(), Instant::now());
        alarms.look(orphan(), start);
        alarms.look(orphan(), start + PATIENCE);
        let (_, over) = alarms.look(Vec::new(), start + PATIENCE * 2);
        assert_eq!(over.len(), 1);
        assert_eq!(alarms.visible().count(), 0);
    }
}
