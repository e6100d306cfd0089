//! The election's and the daemon's own metrics: names, units and labels, described once.

use fmc_config::model::name::VipName;
use fmc_vrrp::driver::{LatenessSummary, Snapshot};
use fmc_vrrp::packet::Discarded;
use fmc_vrrp::router::role::Role;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::appliance::Appliance;

/// Describes what [`export`] writes.
pub(crate) fn describe() {
    fmc_health::metrics::describe();
    fmc_lb::metrics::describe();
    describe_gauge!("fmc_vrrp_active", "1 while this node owns the VIP");
    describe_gauge!("fmc_vrrp_priority", "what this node advertises for the VIP");
    describe_gauge!(
        "fmc_vrrp_peer_heartbeat_age_seconds",
        Unit::Seconds,
        "since the last accepted heartbeat of the peer"
    );
    describe_counter!("fmc_vrrp_wakes_total", "times that the election woke for a deadline");
    describe_gauge!(
        "fmc_vrrp_wake_late_seconds",
        Unit::Seconds,
        "how late the election woke, since the keeper started; quantile 1 is the worst"
    );
    describe_counter!("fmc_vrrp_discarded_total", "adverts that were discarded, by reason");
    describe_counter!(
        "fmc_vrrp_heartbeats_refused_total",
        "heartbeats that were malformed, unsigned, replayed or from elsewhere"
    );
    describe_counter!(
        "fmc_vrrp_sends_failed_total",
        "adverts, heartbeats and announcements that the kernel did not take"
    );
    describe_counter!(
        "fmc_daemon_news_dropped_total",
        "reports of other processes that the control thread was too late for"
    );
    describe_counter!("fmc_agent_failures_total", "agents of servers that have not answered");
    describe_gauge!("fmc_memory_used_bytes", Unit::Bytes, "memory of the proxy and of TCP sockets, by whose it is");
    describe_gauge!("fmc_memory_budget_bytes", Unit::Bytes, "what both may take together");
    describe_counter!(
        "fmc_pair_connections_refused_total",
        "connections to the pair's channel that were not of another node, or without the key, or too many"
    );
    describe_counter!("fmc_daemon_log_lines_dropped_total", "log lines that found their queue full");
    describe_counter!("fmc_daemon_role_starts_total", "starts of keeper and proxy after the first");
}

/// Without a keeper nothing is owned here and nobody is heard.
pub(crate) fn export_absence(appliance: &Appliance) {
    for state in &appliance.vips {
        gauge!("fmc_vrrp_active", "vip" => state.vip.name.to_string()).set(0.0);
        gauge!("fmc_vrrp_priority", "vip" => state.vip.name.to_string()).set(0.0);
    }
}

/// A VIP that is configured no more leaves every sum and alert: its gauges become NaN.
pub(crate) fn forget(vip: &VipName) {
    gauge!("fmc_vrrp_active", "vip" => vip.to_string()).set(f64::NAN);
    gauge!("fmc_vrrp_priority", "vip" => vip.to_string()).set(f64::NAN);
}

/// Writes how far the memory is used up.
fn export_memory(appliance: &Appliance) {
    let memory = &appliance.memory;
    gauge!("fmc_memory_used_bytes", "of" => "proxy").set(memory.used.user as f64);
    gauge!("fmc_memory_used_bytes", "of" => "sockets").set(memory.used.sockets as f64);
    gauge!("fmc_memory_budget_bytes").set(memory.limit(appliance.config.limits.max_memory_mib) as f64);
}

/// A node whose election wakes late by a good part of its interval has stalls, or does not get real time.
fn export_lateness(lateness: &LatenessSummary) {
    let LatenessSummary { wakes, max, p99, p999 } = *lateness;
    counter!("fmc_vrrp_wakes_total").absolute(wakes);
    for (quantile, late) in [("0.99", p99), ("0.999", p999), ("1", max)] {
        gauge!("fmc_vrrp_wake_late_seconds", "quantile" => quantile).set(late.as_secs_f64());
    }
}

/// Writes a snapshot of the election.
pub(crate) fn export(snapshot: &Snapshot, appliance: &Appliance) {
    export_memory(appliance);
    let is_ours = |name: &VipName| appliance.vips.iter().any(|state| state.vip.name == *name);
    for vip in snapshot.vips.iter().filter(|vip| is_ours(&vip.name)) {
        let name = vip.name.to_string();
        gauge!("fmc_vrrp_active", "vip" => name.clone()).set(if vip.role == Role::Active { 1.0 } else { 0.0 });
        gauge!("fmc_vrrp_priority", "vip" => name).set(f64::from(vip.priority));
    }
    for peer in &snapshot.peers {
        let Some(age) = peer.heartbeat_age else { continue };
        gauge!("fmc_vrrp_peer_heartbeat_age_seconds", "node" => peer.name.to_string()).set(age.as_secs_f64());
    }
    for interface in &snapshot.interfaces {
        for (reason, count) in Discarded::COUNTERS.iter().zip(interface.discarded) {
            let labels = [("interface", interface.name.clone()), ("reason", (*reason).to_owned())];
            counter!("fmc_vrrp_discarded_total", &labels).absolute(count);
        }
    }
    export_lateness(&snapshot.lateness);
    counter!("fmc_vrrp_heartbeats_refused_total").absolute(snapshot.heartbeats_refused);
    counter!("fmc_vrrp_sends_failed_total").absolute(snapshot.sends_failed);
    counter!("fmc_daemon_log_lines_dropped_total").absolute(appliance.log_lines.dropped_lines() as u64);
    if let Some(processes) = &appliance.processes {
        counter!("fmc_daemon_role_starts_total", "role" => "keeper").absolute(processes.keeper.restarts.into());
        counter!("fmc_daemon_role_starts_total", "role" => "proxy").absolute(processes.proxy.restarts.into());
    }
}
