//! `sessions`: a line for each connection.

use std::time::Duration;

use fmc_api::Moment;
use fmc_api::sessions::{Session, SessionList};

use super::fact::{bytes, connections, span};
use super::paint::Paint;
use super::table::{Cell, table};
use crate::span::Span;

const HEADER: [&str; 9] = ["SESSION", "FOR", "IDLE", "CLIENT", "SERVICE", "SERVER", "STATE", "TO SERVER", "TO CLIENT"];

pub(crate) fn write(list: &SessionList, paint: Paint) -> String {
    if list.matching == 0 {
        return "no connections\n".to_owned();
    }
    let rows = list.sessions.iter().map(|session| row(session, list.now)).collect();
    let shown = list.sessions.len() as u64;
    let left_off = match list.matching.saturating_sub(shown) {
        0 => String::new(),
        more => format!("and {} more; narrow it, or raise --limit\n", connections(more)),
    };
    table(HEADER, rows, paint) + &left_off
}

fn row(session: &Session, now: Moment) -> [Cell; 9] {
    [
        Cell::right(session.id),
        Cell::right(span(session.since, now)),
        Cell::right(Span(Duration::from_millis(session.idle_ms))),
        Cell::left(session.client),
        Cell::left(format!("{}:{}", session.frontend, session.port)),
        Cell::left(server(session)),
        Cell::left(session.state),
        Cell::right(bytes(session.bytes_to_server)),
        Cell::right(bytes(session.bytes_to_client)),
    ]
}

/// Where it went: `masters/master2`, or the backend alone while none has accepted.
pub(super) fn server(session: &Session) -> String {
    match &session.server {
        Some(server) => format!("{}/{server}", session.backend),
        None => format!("{}/-", session.backend),
    }
}
