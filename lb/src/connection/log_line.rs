//! What is said of a connection: one line at its end, and one for each attempt that failed.

use crate::dial::Attempt;
use crate::ended_by::EndedBy;
use crate::preface::Fault;
use crate::session::Session;
use crate::sni::ClientHello;

/// The fields are the same at both levels; a level must be known where the line is written.
macro_rules! line {
    ($level:ident, $session:ident, $ended_by:ident) => {{
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
            connect_ms = reached.map(|r| r.connect_time.as_secs_f64() * 1000.0),
            duration_ms = $session.started().elapsed().as_millis() as u64,
            to_server = $session.to_server(),
            to_client = $session.to_client(),
            ended_by = $ended_by.words(),
            "connection ended"
        );
    }};
}

/// The line at the end, under the target `connection`.
///
/// `info`; `debug` for one that moved no byte and ended cleanly, which is what probes of other balancers and port scans leave.
pub(super) fn ended(session: &Session, ended_by: EndedBy) {
    let nothing_to_tell = ended_by.is_clean() && session.to_server() == 0 && session.to_client() == 0;
    if nothing_to_tell {
        line!(DEBUG, session, ended_by);
    } else {
        line!(INFO, session, ended_by);
    }
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
