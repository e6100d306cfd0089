//! Every metric of the data plane: names, units, labels.
//!
//! Connections count in plain atomics of their frontend and server; [`publish`] copies them into the recorder when a scrape
//! asks. So a connection costs no look-up of a handle, and status and metrics never disagree.

mod ledger;
pub use ledger::Ledger;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fmc_config::model::frontend::Protocol;
use fmc_config::model::route::Route;
use metrics::{Unit, describe_counter, describe_gauge, gauge};

use crate::data_plane::Handle;
use crate::dial::Failure;
use crate::durations::Counted;
use crate::ended_by::EndedBy;
use crate::flow::Lost;
use crate::frontend::Frontend;
use crate::layout::Layout;
use crate::listen::{AcceptError, ListenerState, ListenerStatus};
use crate::pool::{Administrative, Health, Member, Pool};
use crate::preface::Hello;

/// Connections accepted. Labels: frontend.
pub const CONNECTIONS: &str = "fmc_connections_total";
/// Connections open now. Labels: frontend.
pub const CONNECTIONS_OPEN: &str = "fmc_connections_open";
/// Connections a frontend takes at once. Labels: frontend.
pub const FRONTEND_MAX_CONNECTIONS: &str = "fmc_frontend_max_connections";
/// Connections that ended. Labels: frontend, ended_by (the words of [`EndedBy`]).
pub const CONNECTIONS_ENDED: &str = "fmc_connections_ended_total";
/// Times that clients had to wait because a limit was reached. Labels: frontend.
pub const WAITS_AT_LIMIT: &str = "fmc_waits_at_connection_limit_total";
/// Connections whose first message was looked at for a route. Labels: frontend, hello (named, nameless, not-tls, late).
pub const HELLOS: &str = "fmc_client_hellos_total";
/// Bytes relayed. Labels: frontend, direction (to_server, to_client).
pub const BYTES: &str = "fmc_relayed_bytes_total";
/// Bytes that a bandwidth limit kept waiting before they were relayed. Labels: frontend, direction (to_server, to_client).
pub const THROTTLED_BYTES: &str = "fmc_throttled_bytes_total";
/// Datagrams that went nowhere, of frontends of UDP. Labels: frontend, reason (the words of [`Lost`]).
pub const LOST_DATAGRAMS: &str = "fmc_lost_datagrams_total";
/// Bytes relayed that were spliced: bulk, which the kernel moves without a copy.
pub const SPLICED_BYTES: &str = "fmc_spliced_bytes_total";
/// Pipes that exist for it; each slow receiver of bulk holds one.
pub const PIPES: &str = "fmc_splice_pipes";
/// Times that bulk was copied because there was no pipe for it.
pub const PIPE_SHORTAGES: &str = "fmc_splice_pipe_shortages_total";
/// Accepts that failed. Labels: frontend, address, error (peer, descriptors, memory, fatal).
pub const ACCEPT_ERRORS: &str = "fmc_accept_errors_total";
/// 1 while the listener accepts or will. Labels: frontend, address.
pub const LISTENER_ALIVE: &str = "fmc_listener_alive";
/// 1 while descriptors or memory keep the listener from accepting. Labels: frontend, address.
pub const LISTENER_PAUSED: &str = "fmc_listener_paused";
/// Connections a server accepted. Labels: backend, server.
pub const SERVER_CONNECTIONS: &str = "fmc_server_connections_total";
/// Connections open to a server or being opened. Labels: backend, server.
pub const SERVER_IN_FLIGHT: &str = "fmc_server_in_flight";
/// Time that accepted connections took to open, a histogram with the bounds [`crate::CONNECT_BOUNDS`]. Labels: backend, server.
pub const SERVER_CONNECT_DURATION: &str = "fmc_server_connect_duration_seconds";
/// Dials that failed. Labels: backend, server, failure (the words of [`Failure`]).
pub const SERVER_FAILED_DIALS: &str = "fmc_server_failed_dials_total";
/// 1 healthy, 0 unhealthy, -1 unknown. Labels: backend, server.
pub const SERVER_HEALTH: &str = "fmc_server_health";
/// 1 while the operator lets it take new connections. Labels: backend, server.
pub const SERVER_READY: &str = "fmc_server_ready";
/// Clients that wait for a server with room. Labels: backend.
pub const QUEUE_WAITING: &str = "fmc_queue_waiting";
/// Clients that have waited for a server with room. Labels: backend.
pub const QUEUE_WAITED: &str = "fmc_queue_waited_total";
/// Clients that waited in vain or found the queue full. Labels: backend.
pub const QUEUE_TURNED_AWAY: &str = "fmc_queue_turned_away_total";
/// Seconds since the relay loop last stamped.
pub const LOOP_AGE: &str = "fmc_relay_loop_age_seconds";
/// Connections the process takes at once.
pub const MAX_CONNECTIONS: &str = "fmc_max_connections";

/// Gives the recorder the unit and the meaning of each metric; once, after the recorder is installed.
pub fn describe() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.swap(true, Ordering::Relaxed) {
        return;
    }
    describe_counter!(CONNECTIONS, Unit::Count, "Connections accepted");
    describe_gauge!(CONNECTIONS_OPEN, Unit::Count, "Connections open now");
    describe_gauge!(FRONTEND_MAX_CONNECTIONS, Unit::Count, "Connections the frontend takes at once");
    describe_counter!(CONNECTIONS_ENDED, Unit::Count, "Connections that ended, by who ended them and why");
    describe_counter!(
        WAITS_AT_LIMIT,
        Unit::Count,
        "Times that clients waited because a limit on connections was reached"
    );
    describe_counter!(HELLOS, Unit::Count, "Connections whose first message was looked at for a route");
    describe_counter!(BYTES, Unit::Bytes, "Bytes relayed");
    describe_counter!(THROTTLED_BYTES, Unit::Bytes, "Bytes that a bandwidth limit kept waiting");
    describe_counter!(LOST_DATAGRAMS, Unit::Count, "Datagrams that went nowhere, by why");
    describe_counter!(SPLICED_BYTES, Unit::Bytes, "Bytes relayed by splice");
    describe_gauge!(PIPES, Unit::Count, "Pipes that exist for splice");
    describe_counter!(PIPE_SHORTAGES, Unit::Count, "Times that bulk was copied because there was no pipe for it");
    describe_counter!(ACCEPT_ERRORS, Unit::Count, "Accepts that failed");
    describe_gauge!(LISTENER_ALIVE, "1 while the listener accepts or will");
    describe_gauge!(LISTENER_PAUSED, "1 while descriptors or memory keep the listener from accepting");
    describe_counter!(SERVER_CONNECTIONS, Unit::Count, "Connections the server accepted");
    describe_gauge!(SERVER_IN_FLIGHT, Unit::Count, "Connections open to the server or being opened");
    describe_counter!(SERVER_FAILED_DIALS, Unit::Count, "Dials that failed");
    describe_gauge!(SERVER_HEALTH, "1 healthy, 0 unhealthy, -1 unknown");
    describe_gauge!(SERVER_READY, "1 while the operator lets the server take new connections");
    describe_gauge!(QUEUE_WAITING, Unit::Count, "Clients that wait for a server with room");
    describe_counter!(QUEUE_WAITED, Unit::Count, "Clients that have waited for a server with room");
    describe_counter!(QUEUE_TURNED_AWAY, Unit::Count, "Clients that waited in vain or found the queue full");
    describe_gauge!(LOOP_AGE, Unit::Seconds, "Time since the relay loop last stamped");
    describe_gauge!(MAX_CONNECTIONS, Unit::Count, "Connections the process takes at once");
}

/// Copies every counter of the data plane into the recorder; from any thread, before each rendering.
pub fn publish(data_plane: &Handle, ledger: &mut Ledger) {
    data_plane.frontends().iter().for_each(|frontend| publish_frontend(frontend, ledger));
    data_plane.listeners().iter().for_each(|listener| publish_listener(listener, ledger));
    for pool in data_plane.pools() {
        pool.snapshot().members.iter().for_each(|member| publish_server(&pool, member, ledger));
        publish_queue(&pool, ledger);
    }
    let pipes = data_plane.pipes();
    ledger.count(SPLICED_BYTES, &[], pipes.spliced());
    gauge!(PIPES).set(pipes.existing() as f64);
    ledger.count(PIPE_SHORTAGES, &[], pipes.shortages());
    gauge!(LOOP_AGE).set(data_plane.pulse().age().as_secs_f64());
    gauge!(MAX_CONNECTIONS).set(data_plane.max_connections() as f64);
}

/// How long connections took to open, for each backend and server.
pub fn connect_durations(data_plane: &Handle) -> Vec<([(&'static str, String); 2], Counted)> {
    let servers = |pool: Arc<Pool>| {
        let snapshot = pool.snapshot();
        let of = |member: &Member| {
            let labels = [("backend", pool.name().to_string()), ("server", member.server.name().to_string())];
            (labels, member.server.connect_times())
        };
        snapshot.members.iter().map(of).collect::<Vec<_>>()
    };
    data_plane.pools().into_iter().flat_map(servers).collect()
}

/// What has gauges of its own.
pub(crate) struct Series {
    /// Frontend and address.
    listeners: BTreeSet<(String, String)>,
    /// Backend and server.
    servers: BTreeSet<(String, String)>,
    backends: BTreeSet<String>,
    frontends: BTreeSet<String>,
}

impl Series {
    pub(crate) fn of(layout: &Layout) -> Self {
        let listener = |status: ListenerStatus| (status.frontend.to_string(), status.address.to_string());
        let servers = |pool: &Arc<Pool>| -> Vec<_> {
            let name = |member: &Member| (pool.name().to_string(), member.server.name().to_string());
            pool.snapshot().members.iter().map(name).collect()
        };
        Self {
            listeners: layout.listeners.iter().map(|record| listener(record.status())).collect(),
            servers: layout.pools.values().flat_map(servers).collect(),
            backends: layout.pools.keys().map(ToString::to_string).collect(),
            frontends: layout.frontends.iter().map(|frontend| frontend.settings().name.to_string()).collect(),
        }
    }

    /// Takes the gauges of what is not in `kept` out of every sum and alert: they become NaN, for a recorder forgets no series.
    pub(crate) fn forget_all_but(&self, kept: &Self) {
        for (frontend, address) in self.listeners.difference(&kept.listeners) {
            let labels = [("frontend", frontend.clone()), ("address", address.clone())];
            [LISTENER_ALIVE, LISTENER_PAUSED].into_iter().for_each(|name| gauge!(name, &labels).set(f64::NAN));
        }
        for (backend, server) in self.servers.difference(&kept.servers) {
            let labels = [("backend", backend.clone()), ("server", server.clone())];
            let gauges = [SERVER_IN_FLIGHT, SERVER_READY, SERVER_HEALTH];
            gauges.into_iter().for_each(|name| gauge!(name, &labels).set(f64::NAN));
        }
        for backend in self.backends.difference(&kept.backends) {
            gauge!(QUEUE_WAITING, "backend" => backend.clone()).set(f64::NAN);
        }
        for frontend in self.frontends.difference(&kept.frontends) {
            let gauges = [CONNECTIONS_OPEN, FRONTEND_MAX_CONNECTIONS];
            gauges.into_iter().for_each(|name| gauge!(name, "frontend" => frontend.clone()).set(f64::NAN));
        }
    }
}

fn publish_frontend(frontend: &Frontend, ledger: &mut Ledger) {
    let (traffic, settings) = (frontend.traffic(), frontend.settings());
    let name = ("frontend", settings.name.as_str());
    ledger.count(CONNECTIONS, &[name], traffic.accepted());
    gauge!(CONNECTIONS_OPEN, "frontend" => settings.name.to_string()).set(traffic.open());
    gauge!(FRONTEND_MAX_CONNECTIONS, "frontend" => settings.name.to_string()).set(settings.max_connections);
    ledger.count(WAITS_AT_LIMIT, &[name], traffic.waits_at_limit());
    ledger.count(BYTES, &[name, ("direction", "to_server")], traffic.to_server());
    ledger.count(BYTES, &[name, ("direction", "to_client")], traffic.to_client());
    ledger.count(THROTTLED_BYTES, &[name, ("direction", "to_server")], traffic.throttled_to_server());
    ledger.count(THROTTLED_BYTES, &[name, ("direction", "to_client")], traffic.throttled_to_client());
    if settings.protocol == Protocol::Udp {
        for lost in Lost::ALL {
            ledger.count(LOST_DATAGRAMS, &[name, ("reason", lost.words())], traffic.lost(lost));
        }
    }
    if settings.routes.iter().any(Route::is_of_tls) {
        for hello in Hello::ALL {
            ledger.count(HELLOS, &[name, ("hello", hello.words())], traffic.hellos(hello));
        }
    }
    for ended_by in EndedBy::ALL {
        ledger.count(CONNECTIONS_ENDED, &[name, ("ended_by", ended_by.words())], traffic.ended(ended_by));
    }
}

fn publish_listener(listener: &ListenerStatus, ledger: &mut Ledger) {
    let labels = [("frontend", listener.frontend.to_string()), ("address", listener.address.to_string())];
    gauge!(LISTENER_ALIVE, &labels).set(f64::from(u8::from(listener.state.is_alive())));
    gauge!(LISTENER_PAUSED, &labels).set(f64::from(u8::from(listener.state == ListenerState::Paused)));
    let [(_, frontend), (_, address)] = &labels;
    for (error, count) in AcceptError::ALL.into_iter().zip(listener.errors) {
        let labels = [("frontend", frontend.as_str()), ("address", address.as_str()), ("error", error.words())];
        ledger.count(ACCEPT_ERRORS, &labels, count);
    }
}

fn publish_queue(pool: &Pool, ledger: &mut Ledger) {
    let (queue, backend) = (pool.queue(), [("backend", pool.name().as_str())]);
    gauge!(QUEUE_WAITING, "backend" => pool.name().to_string()).set(queue.waiting());
    ledger.count(QUEUE_WAITED, &backend, queue.waited());
    ledger.count(QUEUE_TURNED_AWAY, &backend, queue.turned_away());
}

fn publish_server(pool: &Pool, member: &Member, ledger: &mut Ledger) {
    let Member { server, health, administrative, .. } = member;
    let (backend, name) = (("backend", pool.name().as_str()), ("server", server.name().as_str()));
    ledger.count(SERVER_CONNECTIONS, &[backend, name], server.connections());
    let labels = [("backend", pool.name().to_string()), ("server", server.name().to_string())];
    gauge!(SERVER_IN_FLIGHT, &labels).set(server.in_flight());
    gauge!(SERVER_READY, &labels).set(f64::from(u8::from(*administrative == Administrative::Ready)));
    gauge!(SERVER_HEALTH, &labels).set(match health {
        Health::Healthy => 1.0,
        Health::Unhealthy => 0.0,
        Health::Unknown => -1.0,
    });
    for failure in Failure::ALL {
        ledger.count(SERVER_FAILED_DIALS, &[backend, name, ("failure", failure.words())], server.failures(failure));
    }
}
