//! What is said of a connection: one line at its end, one now and then while it lasts, and one for each attempt that failed.

use std::time::Duration;

use crate::dial::Attempt;
use crate::ended_by::EndedBy;
use crate::preface::Fault;
use crate::relay::{Relay, Side};
use crate::session::Session;
use crate::sni::ClientHello;
use crate::tcp_info::TcpInfo;

/// The fields are the same in each; a level must be known where the line is written.
macro_rules! line {
    ($level:ident, $session:ident, $sides:ident, $ended_by:expr, $message:literal) => {{
        let reached = $session.reached();
        tracing::event!(
            target: "connection",
            tracing::Level::$level,
            id = $session.id(),
            frontend = %$session.frontend().settings().name,
            client = %$session.client(),
            via = $session.via().map(tracing::field::display),
            vip = %$session.vip(),
            backend = %$session.pool().name(),
            server = reached.map(|r| r.server.name().as_str()),
            attempts = reached.map(|r| r.attempts),
            connect_ms = reached.map(|r| milliseconds(r.connect_time)),
            first_byte_ms = $session.first_byte().map(milliseconds),
            duration_ms = $session.started().elapsed().as_millis() as u64,
            to_server = $session.to_server(),
            to_client = $session.to_client(),
            client_rtt_ms = $sides.client.map(|info| milliseconds(info.round_trip)),
            client_retransmits = $sides.client.map(|info| info.retransmits),
            server_rtt_ms = $sides.server.map(|info| milliseconds(info.round_trip)),
            server_retransmits = $sides.server.map(|info| info.retransmits),
            throttled_ms = $sides.throttled.map(milliseconds),
            ended_by = $ended_by,
            $message
        );
    }};
}

fn milliseconds(span: Duration) -> f64 {
    // No more digits than the kernel's clock gives them.
    span.as_micros() as f64 / 1000.0
}

/// An open relay, and how long bandwidth limits have kept its bytes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) relay: &'a Relay,
    pub(super) throttled: Duration,
}

/// What TCP knew of both sides, and what was held back between them.
#[derive(Debug, Clone, Copy, Default)]
struct Sides {
    client: Option<TcpInfo>,
    server: Option<TcpInfo>,
    throttled: Option<Duration>,
}

impl Sides {
    fn of(Held { relay, throttled }: Held<'_>) -> Self {
        let of = |side| TcpInfo::of(relay.socket(side));
        let throttled = (!throttled.is_zero()).then_some(throttled);
        Self { client: of(Side::Client), server: of(Side::Server), throttled }
    }
}

/// The line at the end, under the target `connection`.
///
/// `info`; `debug` for one that moved no byte and ended cleanly, which is what probes of other balancers and port scans leave.
pub(super) fn ended(session: &Session, relay: Option<Held<'_>>, ended_by: EndedBy) {
    let nothing_to_tell = ended_by.is_clean() && session.to_server() == 0 && session.to_client() == 0;
    if nothing_to_tell {
        let sides = Sides::default();
        line!(DEBUG, session, sides, ended_by.words(), "connection ended");
    } else if tracing::enabled!(target: "connection", tracing::Level::INFO) {
        let sides = relay.map_or_else(Sides::default, Sides::of);
        line!(INFO, session, sides, ended_by.words(), "connection ended");
    }
}

/// A line about one that goes on.
pub(super) fn lasts(session: &Session, relay: Held<'_>) {
    let (sides, not_ended) = (Sides::of(relay), None::<&str>);
    line!(INFO, session, sides, not_ended, "connection lasts");
}

/// A line for each attempt that failed before another server accepted, or before none did.
pub(super) fn failed_attempts(session: &Session, failed: &[Attempt]) {
    for Attempt { server, failure } in failed {
        let (backend, client) = (session.pool().name(), session.client());
        tracing::debug!(target: "connection", id = session.id(), %client, %backend, %server, %failure, "dial failed");
    }
}

/// Whom a client asked for, and where that led it.
pub(super) fn routed(session: &Session, hello: &ClientHello) {
    let (id, backend, server_name) = (session.id(), session.pool().name(), hello.server_name.as_deref());
    let alpn: Vec<_> = hello.alpn.iter().map(|protocol| String::from_utf8_lossy(protocol)).collect();
    tracing::debug!(target: "connection", id, server_name, ?alpn, %backend, "routed");
}

/// What was wrong with what it began with.
pub(super) fn bad_preface(session: &Session, fault: Fault) {
    let (frontend, peer) = (&session.frontend().settings().name, session.peer());
    tracing::debug!(target: "connection", id = session.id(), %frontend, %peer, %fault, "bad preface");
}
