//! The `tcp` check.

use std::time::Duration;

use fmc_config::model::health_check::Probe;
use fmc_health::{Failure, Finding};

use super::server::{Farewell, Server, closed, full, silent};
use super::{probe, probe_within};

#[tokio::test]
async fn a_listening_port_passes_and_sees_an_orderly_close() {
    let mut server = Server::tcp(b"").await;
    let outcome = probe(Probe::Tcp, server.address).await;
    assert_eq!((outcome.finding, outcome.detail.as_str(), outcome.accepted), (Finding::Pass, "connected", true));
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn unread_greetings_do_not_turn_the_close_into_a_reset() {
    let mut server = Server::tcp(b"220 a server that speaks first\r\n").await;
    for _ in 0..50 {
        assert!(probe(Probe::Tcp, server.address).await.passed());
        assert_eq!(server.farewell().await, Farewell::Clean);
    }
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_refused() {
    let (_held, address) = closed();
    let outcome = probe(Probe::Tcp, address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Refused));
    assert_eq!((outcome.detail.as_str(), outcome.accepted), ("connection refused", false));
}

#[tokio::test]
async fn a_server_that_resets_at_once_fails_although_it_accepted() {
    let server = Server::resetting().await;
    let outcome = probe(Probe::Tcp, server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Reset));
    assert!(outcome.detail.starts_with("connection reset by the server"), "{}", outcome.detail);
}

/// What the module says it cannot see, held true: whoever makes it stricter changes the promise knowingly.
#[tokio::test]
async fn a_stopped_process_passes() {
    let (_listener, address) = silent().await;
    assert!(probe(Probe::Tcp, address).await.passed());
}

#[tokio::test]
async fn a_stopped_process_with_a_full_backlog_fails_by_the_timeout() {
    let (_listener, address, _waiting) = full().await;
    let timeout = Duration::from_millis(150);
    let outcome = probe_within(Probe::Tcp, address, timeout).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Timeout));
    assert_eq!((outcome.detail.as_str(), outcome.accepted), ("no answer within 150ms", false));
    assert!(outcome.latency >= timeout && outcome.latency < timeout * 2, "{:?}", outcome.latency);
}
