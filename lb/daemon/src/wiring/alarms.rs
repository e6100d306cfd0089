//! What is wrong now, and since when. A condition counts once it has lasted for a while, so that a move in progress, or an upgrade of
//! one node after the other, is no alarm.

use std::time::{Duration, Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::pair::Opinion;
use fmc_api::status::{Alarm, Owner};
use fmc_api::word::{Health, Severity};
use fmc_config::model::name::NodeName;
use fmc_vrrp::driver::PeerSnapshot;
use fmc_vrrp::router::role::Role;

use super::mismatch::{self, Sentence};
use crate::admin::health_of;
use crate::memory_budget::Pressure;
use crate::proxy::appliance::Appliance;
use crate::proxy::view::{live_peers, owner, says_only_active};

/// Most conditions that last this long are an alarm.
const PATIENCE: Duration = Duration::from_millis(400);

/// Nodes that agree on another configuration put it in force one after the other.
const DRIFT_PATIENCE: Duration = Duration::from_secs(5);

/// A question that is lost is asked again after a second.
const DNS_PATIENCE: Duration = Duration::from_secs(3);

/// Two looks of one node at another, and what a proxy takes to be replaced.
const CHANNEL_PATIENCE: Duration = Duration::from_secs(5);

/// Nodes probe at different moments: what they think of a server may differ for some probes.
const OPINION_PATIENCE: Duration = Duration::from_secs(15);

/// Whoever upgrades one node after the other is done by then.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Every condition that holds, the visible ones among them.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Vec<Raised>);

#[derive(Debug)]
struct Raised {
    alarm: Alarm,
    seen_at: Instant,
    patience: Duration,
    visible: bool,
}

impl Alarms {
    /// Those that have lasted, the most severe first.
    pub(crate) fn visible(&self) -> impl Iterator<Item = Alarm> {
        let of = |severity| self.0.iter().filter(move |raised| raised.visible && raised.alarm.severity == severity);
        of(Severity::Error).chain(of(Severity::Warning)).map(|raised| raised.alarm.clone())
    }

    /// How many of one severity have lasted.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|raised| raised.visible && raised.alarm.severity == severity).count()
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
                let patience = condition.patience;
                self.0.push(Raised { alarm: condition.into_alarm(), seen_at: now, patience, visible: false });
            }
        }
        let is_ripe = |raised: &&mut Raised| !raised.visible && now.duration_since(raised.seen_at) >= raised.patience;
        let ripe = self.0.iter_mut().filter(is_ripe);
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
    patience: Duration,
}

impl Condition {
    fn into_alarm(self) -> Alarm {
        let Self { severity, text, fix, patience: _ } = self;
        Alarm { severity, since: Moment::from(SystemTime::now()), text, fix: Some(fix) }
    }
}

/// Those that begin together are told in this order.
fn conditions(appliance: &Appliance) -> Vec<Condition> {
    let mut found: Vec<Condition> = no_keeper(appliance).into_iter().collect();
    found.extend(of_configuration(appliance));
    found.extend(memory(appliance));
    found.extend(unsaved(appliance));
    found.extend(unbound(appliance));
    found.extend(unresolved(appliance));
    found.extend(of_vips(appliance));
    // Nodes that only observe send no heartbeats: their silence says nothing.
    if appliance.observing.is_none() {
        found.extend(silent(appliance));
    }
    found.extend(drifted(appliance));
    found.extend(appliance.others().flat_map(|node| of_channel(&node.name, appliance)));
    found
}

fn condition(severity: Severity, text: impl Into<String>, fix: impl Into<String>) -> Condition {
    Condition { severity, text: text.into(), fix: fix.into(), patience: PATIENCE }
}

/// What is in force is not what the next start, or an operator, would take it for.
fn of_configuration(appliance: &Appliance) -> Vec<Condition> {
    let (file, mut found) = (appliance.file.display(), Vec::new());
    if appliance.by_last_good {
        let text = format!("{file} is wrong: this node works by the last configuration that was in force");
        found.push(condition(Severity::Error, text, "mend it, see fmc-lb check, then fmc-lbctl reload"));
    }
    if appliance.ahead_of_file {
        let text = format!("{file} is not what is in force, which was applied on another node");
        let fix = "fmc-lbctl save writes it there, or fmc-lbctl reload goes back to the file";
        found.push(condition(Severity::Warning, text, fix));
    }
    if appliance.trial.as_ref().is_some_and(|trial| !trial.left().is_zero()) {
        let fix = "fmc-lbctl confirm keeps it, fmc-lbctl rollback goes back now; otherwise that happens by itself";
        found.push(condition(Severity::Warning, "the configuration in force is on trial", fix));
    }
    found
}

fn no_keeper(appliance: &Appliance) -> Option<Condition> {
    let fix = "see journalctl -u fmc-lb";
    appliance.snapshot.is_none().then(|| condition(Severity::Error, "the keeper is not running", fix))
}

fn memory(appliance: &Appliance) -> Option<Condition> {
    if appliance.memory.pressure == Pressure::None {
        return None;
    }
    let limit = appliance.memory.limit(appliance.config.limits.max_memory_mib) >> 20;
    let text = format!("memory is nearly used up, of {limit} MiB for connections: nobody new is let in");
    let fix =
        "see fmc-lbctl sessions for who takes nothing; raise max_memory_mib in [limits], or give the machine more";
    Some(condition(Severity::Error, text, fix))
}

/// What a restart would forget.
fn unsaved(appliance: &Appliance) -> Vec<Condition> {
    let asked = "what operators asked is not saved, a restart would forget it";
    let configured = "the configuration in force is not saved, a restart may come back with another";
    let configuration = appliance.last_good_saver.trouble().or_else(|| appliance.applied_saver.trouble());
    let troubles = [(asked, appliance.saver.trouble()), (configured, configuration)];
    let fix = format!("make {} writable; it is tried again and again", appliance.state_dir.path().display());
    let of =
        |(what, why): (&str, Option<String>)| Some(condition(Severity::Warning, format!("{what}: {}", why?), &fix));
    troubles.into_iter().filter_map(of).collect()
}

/// What should be served and is not.
fn unbound(appliance: &Appliance) -> Vec<Condition> {
    let fix = "mend that, or change [admin]; it is tried again and again";
    let refused = appliance.status.refused().iter().map(|why| condition(Severity::Error, why, fix));
    let failed = appliance.channel.failed().map(|why| {
        let fix = "it is tried again and again; until then each node is commanded by itself";
        condition(Severity::Error, format!("there is no channel to the other nodes: {why}"), fix)
    });
    refused.chain(failed).collect()
}

/// Names that nobody knows, or knows no longer.
fn unresolved(appliance: &Appliance) -> impl Iterator<Item = Condition> {
    appliance.resolution.iter().filter_map(|(host, known)| {
        let why = &known.failing.as_ref()?.why;
        let fix = "ask for it yourself from this node (getent ahosts), and mend the zone or [dns] resolvers".to_owned();
        let (severity, text) = match known.addresses.is_empty() {
            true => (Severity::Error, format!("{host} has no address ({why}): its servers are down")),
            false => (Severity::Warning, format!("{host} is not answered ({why}): its last address stays in force")),
        };
        Some(Condition { severity, text, fix, patience: DNS_PATIENCE })
    })
}

fn of_vips(appliance: &Appliance) -> Vec<Condition> {
    let mut found = Vec::new();
    for state in &appliance.vips {
        let name = &state.vip.name;
        if owner(appliance, state) == Owner::Nobody {
            let fix = "see fmc-lbctl vips on every node";
            found.push(condition(Severity::Error, format!("nobody serves {name}"), fix));
        }
        if let Owner::Foreign(source) = owner(appliance, state) {
            let fix = "beside a router that is being replaced this is as it should be; else find that host, and let no other in by [election.auth_hmac]";
            found.push(condition(
                Severity::Warning,
                format!("{name} is held by {source}, which is none of [nodes]"),
                fix,
            ));
        }
        if state.role == Role::Active && live_peers(appliance).any(|peer| says_only_active(peer, name)) {
            let fix = "let IP protocol 112 through between the nodes";
            found.push(condition(Severity::Error, format!("CONFLICT: {name} is served by two nodes"), fix));
        }
    }
    let sentences = mismatch::standing(appliance).into_iter();
    found.extend(sentences.map(|Sentence { severity, text, fix }| condition(severity, text, fix)));
    found
}

fn silent(appliance: &Appliance) -> impl Iterator<Item = Condition> {
    let is_silent = |name: &NodeName| !live_peers(appliance).any(|peer| peer.name == *name);
    appliance.others().filter(move |node| is_silent(&node.name)).map(|node| {
        let fix = "look at that node, and let UDP from it through";
        condition(Severity::Warning, format!("no heartbeat from {}", node.name), fix)
    })
}

fn drifted(appliance: &Appliance) -> impl Iterator<Item = Condition> {
    let has_drifted =
        |name: &NodeName| live_peers(appliance).any(|peer| peer.name == *name && differs(peer, appliance));
    appliance.others().filter(move |node| has_drifted(&node.name)).map(|node| drift(&node.name))
}

fn drift(node: &NodeName) -> Condition {
    Condition {
        severity: Severity::Warning,
        text: format!("{node} runs another configuration"),
        fix: "fmc-lbctl apply the right file on one of them, or give both the same file and reload the one that is behind"
            .to_owned(),
        patience: DRIFT_PATIENCE,
    }
}

/// Another release may mean something else by the same file: while releases differ, hashes say nothing.
pub(crate) fn differs(peer: &PeerSnapshot, appliance: &Appliance) -> bool {
    let same_release = appliance.channel.heard(&peer.name).is_none_or(|said| said.report.version == RELEASE);
    same_release && peer.config_hash.is_some_and(|hash| hash != appliance.config_hash)
}

const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What is wrong with a node that is heard by its heartbeat, as far as the channel tells.
fn of_channel(node: &NodeName, appliance: &Appliance) -> Vec<Condition> {
    if !live_peers(appliance).any(|peer| peer.name == *node) {
        return Vec::new();
    }
    let Some(said) = appliance.channel.heard(node) else {
        return appliance.channel.trouble(node).map(|trouble| no_channel(node, trouble)).into_iter().collect();
    };
    let theirs = &said.report.version;
    let other_release = (theirs != RELEASE).then(|| Condition {
        severity: Severity::Warning,
        text: format!("{node} runs fmc-lb {theirs} and this node {RELEASE}"),
        fix: "upgrade the one that is behind".to_owned(),
        patience: UPGRADE_PATIENCE,
    });
    let opinions = said.report.servers.iter().filter_map(|opinion| one_sided(node, opinion, appliance));
    other_release.into_iter().chain(opinions).collect()
}

fn no_channel(node: &NodeName, trouble: &str) -> Condition {
    Condition {
        severity: Severity::Warning,
        text: format!("{node} lives, but commands do not reach it: {trouble}"),
        fix: "let TCP to the pair's port through, and give both nodes the same key file".to_owned(),
        patience: CHANNEL_PATIENCE,
    }
}

/// A server that works for one node and not for the other is well: a path is not.
fn one_sided(node: &NodeName, theirs: &Opinion, appliance: &Appliance) -> Option<Condition> {
    let Opinion { backend, server, health, .. } = theirs;
    let (works, fails) = match (health_of(appliance, backend, server), health) {
        (Health::Healthy, Health::Unhealthy) => (&appliance.node.name, node),
        (Health::Unhealthy, Health::Healthy) => (node, &appliance.node.name),
        _ => return None,
    };
    Some(Condition {
        severity: Severity::Warning,
        text: format!("{backend}/{server} works for {works} and fails for {fails}"),
        fix: format!("look at the path from {fails}: fmc-lbctl --node {fails} probe {backend}/{server}"),
        patience: OPINION_PATIENCE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphan() -> Vec<Condition> {
        let (text, fix) = ("nobody serves api".to_owned(), "look".to_owned());
        vec![Condition { severity: Severity::Error, text, fix, patience: PATIENCE }]
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
