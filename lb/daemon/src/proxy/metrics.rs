//! The election's and the daemon's own metrics: names, units and labels, described once.
//!
//! What the keeper counts is added up whenever it speaks ([`export`]), because another keeper begins at zero; how things stand is
//! looked up when somebody asks ([`publish`]).

use crate::admin::remote::REFUSED;
use fmc_api::word::Severity;
use fmc_config::model::name::VipName;
use fmc_lb::metrics::Ledger;
use fmc_vrrp::driver::{InterfaceSnapshot, PeerSnapshot, Snapshot, VipSnapshot};
use fmc_vrrp::packet::Discarded;
use fmc_vrrp::router::role::Role;
use fmc_vrrp::tier::Tier;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::appliance::Appliance;
use super::view::live_peers;
use crate::wiring::alarms;
use crate::wiring::names::QUERIES;

/// How late the election thread woke; a histogram, see `admin/exposition.rs`.
pub(crate) const WAKE_LATENESS: &str = "fmc_vrrp_wake_lateness_seconds";

/// Describes what [`export`] and [`publish`] write, and begins the counters of rare things at zero: what first appears with 1 has
/// never risen for `increase()`.
pub(crate) fn describe() {
    fmc_health::metrics::describe();
    fmc_lb::metrics::describe();
    describe_election();
    describe_gauge!("fmc_build_info", "1, with the version of this process");
    describe_gauge!("fmc_daemon_start_time_seconds", Unit::Seconds, "When the service was started, in Unix time");
    describe_gauge!("fmc_alarms", Unit::Count, "Alarms that stand in the status, by severity");
    describe_gauge!("fmc_memory_used_bytes", Unit::Bytes, "Memory of the proxy and of TCP sockets, by whose it is");
    describe_gauge!("fmc_memory_budget_bytes", Unit::Bytes, "What both may take together");
    describe_counter!("fmc_agent_failures_total", "Agents of servers that have not answered");
    describe_counter!(REFUSED, "Who was not let in, or not obeyed, by remote administration, by the reason");
    describe_counter!(QUERIES, "Questions after the names of servers, by what became of them");
    describe_gauge!("fmc_dns_addresses", "Addresses that the name of a server has, by the last good answer");
    for (name, help) in RARE {
        describe_counter!(name, help);
        counter!(name).increment(0);
    }
    describe_counter!("fmc_daemon_role_starts_total", "Starts of keeper and proxy after the first");
}

const RARE: [(&str, &str); 4] = [
    ("fmc_daemon_news_dropped_total", "Reports of other processes that the control thread was too late for"),
    (
        "fmc_pair_connections_refused_total",
        "Connections to the pair's channel that were not of another node, or without the key, or too many",
    ),
    ("fmc_daemon_log_lines_dropped_total", "Log lines that found their queue full"),
    ("fmc_daemon_log_lines_left_out_total", "Log lines that were too many of their kind in a second"),
];

fn describe_election() {
    describe_gauge!("fmc_vrrp_active", "1 while this node owns the VIP");
    describe_gauge!("fmc_vrrp_priority", "What this node advertises for the VIP");
    describe_gauge!("fmc_vip_fitness", "How fit this node is to serve the VIP: 2 fit, 1 degraded, 0 unfit");
    describe_counter!("fmc_vrrp_became_active_total", "Times that this node took the VIP");
    describe_counter!("fmc_vrrp_adverts_sent_total", "Adverts sent for the VIP");
    describe_counter!("fmc_vrrp_adverts_received_total", "Adverts of other routers accepted for the VIP");
    describe_counter!("fmc_vrrp_resignations_sent_total", "Adverts of priority 0 sent for the VIP");
    describe_counter!("fmc_vrrp_resignations_received_total", "Adverts of priority 0 accepted for the VIP");
    describe_counter!(
        "fmc_vrrp_claims_held_back_total",
        "Claims that waited because a heartbeat said that the owner lives"
    );
    describe_gauge!(
        "fmc_vrrp_peer_heartbeat_age_seconds",
        Unit::Seconds,
        "Since the last accepted heartbeat of the peer"
    );
    describe_gauge!("fmc_pair_config_differs", "1 while the other node runs another configuration of the same release");
    describe_counter!("fmc_vrrp_discarded_total", "Adverts that were discarded, by reason");
    describe_counter!("fmc_vrrp_heartbeats_refused_total", "Heartbeats that were refused, by reason");
    describe_counter!(
        "fmc_vrrp_sends_failed_total",
        "Adverts, heartbeats and announcements that the kernel did not take"
    );
}

/// Without a keeper nothing is owned here and nobody is heard.
pub(crate) fn export_absence(appliance: &Appliance) {
    if appliance.observing.is_some() {
        return;
    }
    for state in &appliance.vips {
        gauge!("fmc_vrrp_active", "vip" => state.vip.name.to_string()).set(0.0);
        gauge!("fmc_vrrp_priority", "vip" => state.vip.name.to_string()).set(0.0);
    }
}

/// A VIP that is configured no more leaves every sum and alert: its gauges become NaN.
pub(crate) fn forget(vip: &VipName) {
    for name in ["fmc_vrrp_active", "fmc_vrrp_priority", "fmc_vip_fitness"] {
        gauge!(name, "vip" => vip.to_string()).set(f64::NAN);
    }
}

/// Writes how things stand that no snapshot of the keeper tells; before each rendering.
pub(crate) fn publish(appliance: &Appliance) {
    gauge!("fmc_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    if let Some(processes) = &appliance.processes {
        gauge!("fmc_daemon_start_time_seconds").set(processes.since as f64 / 1000.0);
    }
    for severity in [Severity::Warning, Severity::Error] {
        gauge!("fmc_alarms", "severity" => severity.to_string()).set(appliance.alarms.count(severity) as f64);
    }
    for state in &appliance.vips {
        let tier = state.judgement.as_ref().map_or(Tier::Unfit, |judgement| judgement.tier);
        gauge!("fmc_vip_fitness", "vip" => state.vip.name.to_string()).set(fitness(tier));
    }
    for node in appliance.others() {
        let peer = live_peers(appliance).find(|peer| peer.name == node.name);
        let differs = peer.is_some_and(|peer| alarms::differs(peer, appliance));
        gauge!("fmc_pair_config_differs", "node" => node.name.to_string()).set(f64::from(u8::from(differs)));
    }
    for (host, known) in appliance.resolution.iter() {
        gauge!("fmc_dns_addresses", "name" => host.to_string()).set(known.addresses.len() as f64);
    }
    publish_memory(appliance);
}

fn fitness(tier: Tier) -> f64 {
    match tier {
        Tier::Unfit => 0.0,
        Tier::Degraded => 1.0,
        Tier::Fit => 2.0,
    }
}

/// Writes how far the memory is used up.
fn publish_memory(appliance: &Appliance) {
    let memory = &appliance.memory;
    gauge!("fmc_memory_used_bytes", "of" => "proxy").set(memory.used.user as f64);
    gauge!("fmc_memory_used_bytes", "of" => "sockets").set(memory.used.sockets as f64);
    gauge!("fmc_memory_budget_bytes").set(memory.limit(appliance.config.limits.max_memory_mib) as f64);
}

/// Takes in a snapshot of the election.
pub(crate) fn export(snapshot: &Snapshot, appliance: &Appliance) {
    let ledger = &mut *appliance.ledger.borrow_mut();
    let is_ours = |name: &VipName| appliance.vips.iter().any(|state| state.vip.name == *name);
    // Who only observes has nothing that an alert of owners or of silence should add up.
    if appliance.observing.is_none() {
        snapshot.vips.iter().filter(|vip| is_ours(&vip.name)).for_each(|vip| export_vip(vip, ledger));
        snapshot.peers.iter().for_each(export_peer);
    }
    snapshot.interfaces.iter().for_each(|interface| export_interface(interface, ledger));
    for (reason, count) in snapshot.heartbeats_refused.by_reason() {
        ledger.count("fmc_vrrp_heartbeats_refused_total", &[("reason", reason)], count);
    }
    ledger.count("fmc_vrrp_sends_failed_total", &[], snapshot.sends_failed);
    ledger.count("fmc_daemon_log_lines_dropped_total", &[], appliance.log_lines.dropped());
    ledger.count("fmc_daemon_log_lines_left_out_total", &[], appliance.log_lines.left_out());
    if let Some(processes) = &appliance.processes {
        ledger.count("fmc_daemon_role_starts_total", &[("role", "keeper")], processes.keeper.restarts.into());
        ledger.count("fmc_daemon_role_starts_total", &[("role", "proxy")], processes.proxy.restarts.into());
    }
}

/// One that was never heard is infinitely old: its silence is an alert as any other.
fn export_peer(peer: &PeerSnapshot) {
    let age = peer.heartbeat_age.map_or(f64::INFINITY, |age| age.as_secs_f64());
    gauge!("fmc_vrrp_peer_heartbeat_age_seconds", "node" => peer.name.to_string()).set(age);
}

fn export_vip(vip: &VipSnapshot, ledger: &mut Ledger) {
    let name = vip.name.to_string();
    gauge!("fmc_vrrp_active", "vip" => name.clone()).set(if vip.role == Role::Active { 1.0 } else { 0.0 });
    gauge!("fmc_vrrp_priority", "vip" => name).set(f64::from(vip.priority));
    // What one election counted is not counted again for those that go with it.
    if vip.follows.is_some() {
        return;
    }
    let counted = &vip.statistics;
    for (counter, value) in [
        ("fmc_vrrp_became_active_total", counted.became_active),
        ("fmc_vrrp_adverts_sent_total", counted.advertisements_sent),
        ("fmc_vrrp_adverts_received_total", counted.advertisements_received),
        ("fmc_vrrp_resignations_sent_total", counted.priority_zero_sent),
        ("fmc_vrrp_resignations_received_total", counted.priority_zero_received),
        ("fmc_vrrp_claims_held_back_total", counted.claims_held_back),
    ] {
        ledger.count(counter, &[("vip", vip.name.as_str())], value);
    }
}

fn export_interface(interface: &InterfaceSnapshot, ledger: &mut Ledger) {
    // An interface stands here once for each family that is elected on it.
    let family = if interface.primary.is_ipv4() { "ipv4" } else { "ipv6" };
    for (reason, count) in Discarded::COUNTERS.iter().zip(interface.discarded) {
        let labels = [("interface", interface.name.as_str()), ("family", family), ("reason", *reason)];
        ledger.count("fmc_vrrp_discarded_total", &labels, count);
    }
}
