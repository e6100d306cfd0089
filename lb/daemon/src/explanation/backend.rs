//! Why a backend's clients go where they go.

use fmc_api::backends::ServerStatus;
use fmc_api::word::{AdminState, Health, Prospect};
use fmc_config::model::backend::Balance;
use fmc_config::model::name::BackendName;

use super::{joined, listed};

/// Everything that the sentence behind one server depends on.
pub(crate) struct Facts<'a> {
    pub(crate) server: &'a ServerStatus,
    pub(crate) prospect: Prospect,
    /// It has as many connections as it may.
    pub(crate) full: bool,
    /// A client could not connect to it lately.
    pub(crate) suspected: bool,
    /// It came back lately and takes less than its share.
    pub(crate) warming_up: bool,
    /// Its agent lets nothing new come.
    pub(crate) agent_refuses: bool,
}

/// Why it gets new connections, or none.
pub(crate) fn why(facts: &Facts<'_>) -> String {
    let Facts { server, prospect, full, suspected, warming_up, agent_refuses } = facts;
    let by = server.admin_asked.map(|asked| format!(", asked by uid {}", asked.uid)).unwrap_or_default();
    let gets_none = *prospect == Prospect::Never;
    match server.admin {
        AdminState::Ready => {}
        AdminState::Drain => return format!("drained{by}"),
        AdminState::Maint => return format!("in maintenance{by}"),
    }
    let agent = server.agent.as_ref().map_or("its agent wants none", |agent| agent.words.as_str());
    match server.health {
        _ if server.weight == 0 => "its weight is 0".to_owned(),
        _ if *agent_refuses => format!("its agent says {agent}"),
        _ if *full => format!("it has its {} connections", server.connections),
        Health::Unhealthy if gets_none => format!("it fails its check: {}", last(server)),
        Health::Unhealthy if *prospect == Prospect::LastResort => {
            format!("it fails its check ({}), and is for when nobody else can be connected to", last(server))
        }
        Health::Unhealthy => format!("it fails its check ({}), as every server does that may be used", last(server)),
        _ if server.backup && gets_none => "a backup, and regular servers serve".to_owned(),
        _ if *suspected => "a client could not connect to it a moment ago, so others are tried first".to_owned(),
        Health::Unknown => "not checked yet, and taken for well until it is".to_owned(),
        Health::Healthy if *warming_up => {
            format!("it passes its check ({}), and takes its share step by step (slow_start)", last(server))
        }
        Health::Healthy => format!("it passes its check: {}", last(server)),
    }
}

fn last(server: &ServerStatus) -> String {
    let Some(check) = &server.last_check else { return "none has ended yet".to_owned() };
    let rung = check.rung.as_ref().map(|rung| format!("{rung}: ")).unwrap_or_default();
    format!("{rung}{}", check.words)
}

/// Where the next client goes, and of every server that it cannot go to why.
pub(crate) fn sentence(
    backend: &BackendName,
    balance: Balance,
    waiting: u32,
    servers: &[(Facts<'_>, String)],
) -> String {
    let of = |prospect| {
        let them = servers.iter().filter(move |(facts, _)| facts.prospect == prospect);
        them.map(|(facts, _)| facts.server.name.as_str()).collect::<Vec<_>>()
    };
    let (next, candidates) = (of(Prospect::Next), of(Prospect::Candidate));
    let goes = match (next.as_slice(), candidates.as_slice()) {
        ([], []) if waiting > 0 => {
            format!("a new client of {backend} waits for a server with room, behind {waiting} others")
        }
        ([], []) => format!("a new client of {backend} finds no server that it could go to"),
        ([], some) => format!("the next client of {backend} goes to {}: {}", listed(some, "or"), words(balance).1),
        (some, _) => format!("the next client of {backend} goes to {}: {}", listed(some, "or"), words(balance).1),
    };
    let not = |prospect: Prospect| !matches!(prospect, Prospect::Next | Prospect::Candidate);
    let others = servers.iter().filter(|(facts, _)| not(facts.prospect)).map(|(facts, why)| {
        let name = &facts.server.name;
        match facts.prospect {
            Prospect::LastResort => format!("{name} only if that fails: {why}"),
            Prospect::Next | Prospect::Candidate | Prospect::Never => format!("{name} gets none: {why}"),
        }
    });
    joined([goes].into_iter().chain(others))
}

/// The word of the configuration, and what it means.
pub(crate) fn words(balance: Balance) -> (&'static str, &'static str) {
    match balance {
        Balance::LeastConnections => ("least-connections", "the fewest connections for its weight"),
        Balance::RoundRobin => ("round-robin", "in turn, by weight"),
        Balance::PowerOfTwo => ("power-of-two", "two are drawn by weight, and the less loaded one is taken"),
        Balance::SourceHash => ("source-hash", "each client address has its server, on every node the same"),
        Balance::First => ("first", "the first one with room"),
    }
}
