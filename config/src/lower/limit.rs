//! Servers with a limit of their own, and servers that stand in for others.

use std::num::NonZeroU32;

use crate::diagnostic::Code;
use crate::findings::Findings;
use crate::model::backend::{Balance, Server};
use crate::model::frontend::Frontend;
use crate::toml::backends::{RawBackend, RawServer, RawServers};

/// Reports a backend whose servers all wait for others to die.
pub(super) fn report_backups_only(raw: &RawServers, findings: &mut Findings) {
    if let Some(last) = raw.list.last()
        && raw.list.iter().all(is_backup)
    {
        let place = last.backup.as_ref().map_or(&last.address.place, |backup| &backup.place);
        let problem = "every server of this backend is a backup, so there is none to stand in for";
        findings.add(
            Code::BackupsOnly,
            place,
            problem,
            "remove `backup = true` from those that serve in the first place",
        );
    }
}

/// Reports each server that would never be full, so that those after it would never get a connection.
pub(super) fn report_never_full(raw: &RawServers, balance: Balance, findings: &mut Findings) {
    if balance != Balance::First {
        return;
    }
    for kind in [false, true] {
        let group: Vec<_> = raw.list.iter().filter(|server| is_backup(server) == kind).collect();
        for pair in group.windows(2).filter(|pair| pair[0].max_connections.is_none()) {
            let (server, next) = (&pair[0].name.value, &pair[1]);
            let problem = format!("`balance = \"first\"` fills {server} first, and without a limit it is never full");
            let fix = format!("give it a `max_connections`, or {} and those after it get nothing", next.name.value);
            findings.add(Code::FirstWithoutLimit, &pair[0].address.place, problem, fix);
            findings.because(&next.address.place, "never reached");
        }
    }
}

/// Reports frontends that together let in more than the servers take: the rest would be refused instead of waiting its turn.
pub(super) fn report_under_frontends(
    raw: &RawBackend,
    servers: &[Server],
    users: &[&Frontend],
    findings: &mut Findings,
) {
    let regular = || servers.iter().filter(|server| !server.backup && server.weight.get() > 0);
    let limits: Option<Vec<_>> = regular().map(|server| server.max_connections).collect();
    let Some(limits) = limits.filter(|limits| !limits.is_empty()) else { return };
    let together: u64 = limits.into_iter().map(|limit| u64::from(NonZeroU32::get(limit))).sum();
    let asked: u64 = users.iter().map(|user| u64::from(user.max_connections)).sum();
    if asked <= together {
        return;
    }
    let names: Vec<_> = users.iter().map(|user| format!("frontends.{}", user.name)).collect();
    let (names, lets) = (names.join(" and "), if users.len() == 1 { "lets" } else { "together let" });
    let problem = format!(
        "the servers together take {together} connections, {names} {lets} in {asked}: the rest waits in `queue`, and is refused when that is full"
    );
    let fix = match users.len() as u64 {
        1 => format!("set `max_connections = {together}` in {names}: then the rest waits in the listen queue"),
        _ => {
            format!("lower `max_connections` of {names} to {together} in all: then the rest waits in the listen queue")
        }
    };
    findings.add(Code::ServersUnderFrontend, &raw.place, problem, fix);
}

fn is_backup(server: &RawServer) -> bool {
    server.backup.as_ref().is_some_and(|backup| backup.value)
}
