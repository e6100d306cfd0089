//! The names of servers: who is asked, and what follows from an answer. It is the reload of a backend: connections to an address that a name no
//! longer has go on to their end.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use metrics::counter;

use super::reload;
use crate::proxy::appliance::Appliance;
use crate::resolution::Change;
use crate::resolver::Answered;

/// Questions that were answered or not, by the outcome.
pub(crate) const QUERIES: &str = "fmc_dns_queries_total";

/// Asks what is due, and gives up what was held for too long.
pub(crate) fn look(appliance: &mut Appliance) {
    let now = Instant::now();
    let given_up = appliance.resolution.expire(now);
    if !given_up.is_empty() {
        given_up.iter().for_each(|change| note(change, appliance));
        put_in_force(appliance);
    }
    for host in appliance.resolution.due(now) {
        appliance.resolver.ask(host, appliance.resolution.rules());
    }
}

/// An answer, or none.
pub(crate) fn hear(answered: Answered, appliance: &mut Appliance) {
    let Answered { host, outcome } = answered;
    let word = if outcome.is_ok() { "answered" } else { "failed" };
    counter!(QUERIES, "outcome" => word).increment(1);
    let was_awaited = appliance.resolution.is_awaited(&host);
    if let Some(change) = appliance.resolution.hear(&host, outcome, Instant::now()) {
        note(&change, appliance);
        put_in_force(appliance);
    } else if was_awaited {
        // Whoever waited for it does not any more.
        super::tell_fitness(appliance);
    }
}

fn put_in_force(appliance: &mut Appliance) {
    let config = appliance.config.with_addresses(|named| appliance.resolution.addresses(named));
    reload::take_servers(config, appliance);
}

fn note(change: &Change, appliance: &mut Appliance) {
    let Change { host, before, after } = change;
    let text = match (before.is_empty(), after.is_empty()) {
        (true, _) => format!("the name is {}", listed(after)),
        (false, true) => format!("the name is nobody any more, nobody has confirmed {} for too long", listed(before)),
        (false, false) => format!("the name is {} now, and was {}", listed(after), listed(before)),
    };
    let severity = if after.is_empty() { Severity::Warning } else { Severity::Info };
    appliance.note(severity, EventKind::Health, Some(host.to_string()), text);
}

/// `10.17.4.24 and 10.17.4.25`.
pub(crate) fn listed(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
