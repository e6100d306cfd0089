//! The `http` check.

use std::time::Duration;

use fmc_config::model::health_check::{HttpProbe, Probe};
use fmc_health::{Failure, Finding};

use super::server::{Farewell, Server, response};
use super::{probe, probe_within};

fn ask_for(path: &str, host: Option<&str>) -> Probe {
    Probe::Http(HttpProbe { host: host.map(str::to_owned), path: path.to_owned(), expect: (200, 299) })
}

#[tokio::test]
async fn the_expected_statuses_pass_and_others_fail_with_their_number() {
    for (status, finding) in [(200, Finding::Pass), (299, Finding::Pass), (301, HTTP), (503, HTTP)] {
        let mut server = Server::http(move |_| response(status, "words")).await;
        let outcome = probe(ask_for("/ping", None), server.address).await;
        assert_eq!((outcome.finding, outcome.detail), (finding, format!("HTTP {status} from /ping")));
        assert_eq!(server.farewell().await, Farewell::Clean);
    }
}

#[tokio::test]
async fn the_host_is_the_name_that_was_configured_or_the_address() {
    let server = Server::http(|_| response(200, "")).await;
    assert!(probe(ask_for("/ping", Some("traefik.lab")), server.address).await.passed());
    assert!(probe(ask_for("/ping", None), server.address).await.passed());
    let requests = server.requests();
    assert!(requests[0].contains("host: traefik.lab\r\n"), "{requests:?}");
    assert!(requests[1].contains("host: 127.0.0.1\r\n"), "{requests:?}");
    let server = Server::http_6(|_| response(200, "")).await;
    assert!(probe(ask_for("/ping", None), server.address).await.passed());
    assert!(server.requests()[0].contains("host: [::1]\r\n"), "{:?}", server.requests());
}

#[tokio::test]
async fn a_server_that_takes_the_request_and_stays_silent_fails_by_the_timeout() {
    let mut server = Server::http(|_| None).await;
    let outcome = probe_within(ask_for("/ping", None), server.address, Duration::from_millis(200)).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Timeout));
    assert_eq!(outcome.detail, "no HTTP answer from /ping within 200ms");
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn a_reset_instead_of_an_answer_is_a_reset() {
    let server = Server::resetting().await;
    let outcome = probe(ask_for("/ping", None), server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Reset), "{outcome}");
}

const HTTP: Finding = Finding::Fail(Failure::Http);
