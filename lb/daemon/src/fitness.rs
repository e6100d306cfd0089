//! How fit this node is to own a VIP: facts in, a tier and the sentence behind it out. [core]

use std::fmt;

use fmc_vrrp::tier::{Cause, Tier};

/// Everything that the fitness of one VIP depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// An operator took this node out.
    pub(crate) maintenance: bool,
    /// `ip:port` of the first listener of this VIP that is dead.
    pub(crate) dead_listener: Option<String>,
    /// The relay loop turns.
    pub(crate) loop_alive: bool,
    /// What is nearly used up, if anything.
    pub(crate) scarce: Option<Scarce>,
    /// The backends behind this VIP.
    pub(crate) backends: Vec<BackendCount>,
}

/// A resource with little left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scarce {
    Descriptors,
    Memory,
}

/// Servers of one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackendCount {
    pub(crate) name: String,
    /// Only routes lead there: without it the service is there for most.
    pub(crate) is_side: bool,
    /// No backup, in service, and healthy or not yet known.
    pub(crate) healthy: usize,
    /// In service, backups too, and taking connections, whatever the rest of their check says: fail-open serves by them.
    pub(crate) accepting: usize,
    /// No backup, and in service: what an operator took out is not missed, and a stand-in is not counted on.
    pub(crate) all: usize,
}

/// The tier, whose doing it is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) tier: Tier,
    pub(crate) cause: Cause,
    pub(crate) reason: Reason,
}

/// The sentence behind a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    Maintenance,
    DeadListener(String),
    DeadLoop,
    NoServer(String),
    Scarce(Scarce),
    FewServers(BackendCount),
    AllWell,
}

/// The worst fact decides; of equally bad ones, the local.
pub(crate) fn judge(facts: &Facts) -> Judgement {
    let judgement = |tier, cause, reason| Judgement { tier, cause, reason };
    if facts.maintenance {
        return judgement(Tier::Unfit, Cause::Local, Reason::Maintenance);
    }
    if let Some(listener) = &facts.dead_listener {
        return judgement(Tier::Unfit, Cause::Local, Reason::DeadListener(listener.clone()));
    }
    if !facts.loop_alive {
        return judgement(Tier::Unfit, Cause::Local, Reason::DeadLoop);
    }
    if let Some(empty) = facts.backends.iter().find(|backend| backend.accepting == 0 && !backend.is_side) {
        return judgement(Tier::Unfit, Cause::Backend, Reason::NoServer(empty.name.clone()));
    }
    if let Some(scarce) = facts.scarce {
        return judgement(Tier::Degraded, Cause::Local, Reason::Scarce(scarce));
    }
    if let Some(empty) = facts.backends.iter().find(|backend| backend.accepting == 0) {
        return judgement(Tier::Degraded, Cause::Backend, Reason::NoServer(empty.name.clone()));
    }
    match facts.backends.iter().find(|backend| backend.healthy * 2 < backend.all) {
        Some(few) => judgement(Tier::Degraded, Cause::Backend, Reason::FewServers(few.clone())),
        None => judgement(Tier::Fit, Cause::Backend, Reason::AllWell),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maintenance => f.write_str("this node is in maintenance"),
            Self::DeadListener(listener) => write!(f, "the listener on {listener} is dead"),
            Self::DeadLoop => f.write_str("the relay loop does not turn"),
            Self::NoServer(backend) => write!(f, "no server of {backend} accepts"),
            Self::Scarce(Scarce::Descriptors) => f.write_str("under 10 % of the file descriptors are left"),
            Self::Scarce(Scarce::Memory) => f.write_str("under 10 % of the memory is left"),
            Self::FewServers(few) => write!(f, "{} of {} servers of {} are healthy", few.healthy, few.all, few.name),
            Self::AllWell => f.write_str("enough servers are healthy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Facts {
        let masters = BackendCount { name: "masters".to_owned(), is_side: false, healthy: 3, accepting: 3, all: 3 };
        Facts { maintenance: false, dead_listener: None, loop_alive: true, scarce: None, backends: vec![masters] }
    }

    fn with_healthy(healthy: usize) -> Facts {
        let mut facts = well();
        facts.backends[0].healthy = healthy;
        facts.backends[0].accepting = healthy;
        facts
    }

    #[test]
    fn a_backend_that_only_routes_lead_to_degrades_and_gives_nothing_away() {
        let mut facts = well();
        facts.backends.push(BackendCount {
            name: "grafana".to_owned(),
            is_side: true,
            healthy: 0,
            accepting: 0,
            all: 1,
        });
        let judged = judge(&facts);
        assert_eq!((judged.tier, judged.cause), (Tier::Degraded, Cause::Backend));
        assert_eq!(judged.reason.to_string(), "no server of grafana accepts");
    }

    #[test]
    fn one_dead_worker_of_three_is_fit() {
        assert_eq!(judge(&with_healthy(2)).tier, Tier::Fit);
    }

    #[test]
    fn under_half_of_the_servers_is_degraded_by_the_backend() {
        let judgement = judge(&with_healthy(1));
        assert_eq!((judgement.tier, judgement.cause), (Tier::Degraded, Cause::Backend));
        assert_eq!(judgement.reason.to_string(), "1 of 3 servers of masters are healthy");
    }

    #[test]
    fn no_server_is_unfit_by_the_backend() {
        let judgement = judge(&with_healthy(0));
        assert_eq!((judgement.tier, judgement.cause), (Tier::Unfit, Cause::Backend));
    }

    #[test]
    fn servers_that_fail_their_check_but_accept_are_served_by_and_only_degrade() {
        let mut facts = with_healthy(0);
        facts.backends[0].accepting = 3;
        assert_eq!(judge(&facts).tier, Tier::Degraded);
    }

    #[test]
    fn a_node_whose_backups_serve_alone_is_degraded_and_keeps_the_vip_unless_a_peer_is_better() {
        let mut facts = with_healthy(0);
        facts.backends[0].accepting = 1;
        let judgement = judge(&facts);
        assert_eq!((judgement.tier, judgement.cause), (Tier::Degraded, Cause::Backend));
    }

    #[test]
    fn every_local_cause_outweighs_the_backends() {
        let local: [fn(&mut Facts); 3] = [
            |facts| facts.maintenance = true,
            |facts| facts.dead_listener = Some("192.168.0.33:80".to_owned()),
            |facts| facts.loop_alive = false,
        ];
        for break_it in local {
            let mut facts = with_healthy(0);
            break_it(&mut facts);
            let judgement = judge(&facts);
            assert_eq!((judgement.tier, judgement.cause), (Tier::Unfit, Cause::Local), "{facts:?}");
        }
    }

    #[test]
    fn scarce_descriptors_degrade_and_say_so() {
        let judgement = judge(&Facts { scarce: Some(Scarce::Descriptors), ..well() });
        assert_eq!((judgement.tier, judgement.cause), (Tier::Degraded, Cause::Local));
        assert_eq!(judgement.reason, Reason::Scarce(Scarce::Descriptors));
    }
}
