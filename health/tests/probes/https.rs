//! The `https` check.

use std::time::Duration;

use fmc_config::model::health_check::{HttpsProbe, Probe, TlsProbe};
use fmc_health::{Failure, Finding, MAX_BODY, MAX_HEADER, Outcome};

use super::authority::Authority;
use super::server::{Farewell, Server, response};
use super::{probe, probe_within};

fn ask_for(path: &str) -> Probe {
    let tls = TlsProbe::default();
    Probe::Https(HttpsProbe { tls, path: path.to_owned(), expect: (200, 399) })
}

/// One probe of a server that answers every request with `bytes`, and how the client left it.
async fn against(bytes: Vec<u8>) -> (Outcome, Farewell) {
    let mut server = Server::tls(Authority::new().server(), move |_| Some(bytes.clone())).await;
    let outcome = probe(ask_for("/healthz"), server.address).await;
    (outcome, server.farewell().await)
}

#[tokio::test]
async fn the_expected_statuses_pass_and_others_fail_with_their_number() {
    for (status, finding) in [(200, Finding::Pass), (399, Finding::Pass), (404, HTTP), (503, HTTP)] {
        let (outcome, farewell) = against(response(status, "words").unwrap()).await;
        assert_eq!(outcome.finding, finding, "{status}");
        assert_eq!((outcome.detail, farewell), (format!("HTTP {status} from /healthz"), Farewell::Clean));
    }
}

#[tokio::test]
async fn the_request_says_who_asks_and_that_it_will_not_stay() {
    let server = Server::tls(Authority::new().server(), |_| response(200, "")).await;
    assert!(probe(ask_for("/ready?deep=1"), server.address).await.passed());
    let request = server.requests().concat().to_lowercase();
    assert!(request.starts_with("get /ready?deep=1 http/1.1\r\n"), "{request}");
    for header in ["host: 127.0.0.1\r\n", "connection: close\r\n", "user-agent: fmc-lb-health/"] {
        assert!(request.contains(header), "{request}");
    }
}

#[tokio::test]
async fn a_header_without_end_is_cut_off() {
    let flood = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &vec![b'a'; 50 * MAX_HEADER]].concat();
    let (outcome, _) = against(flood).await;
    assert_eq!((outcome.finding, outcome.detail.as_str()), (HTTP, "HTTP answer with a header over 16 KiB"));
}

#[tokio::test]
async fn header_fields_without_end_are_cut_off() {
    let fields = "X: y\r\n".repeat(1000);
    let (outcome, _) = against(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").into_bytes()).await;
    assert_eq!(outcome.finding, HTTP);
}

#[tokio::test]
async fn a_body_without_end_neither_fills_memory_nor_changes_the_verdict() {
    let flood = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b'a'; 50 * MAX_BODY]].concat();
    let (outcome, _) = against(flood).await;
    assert_eq!((outcome.finding, outcome.detail.as_str()), (Finding::Pass, "HTTP 200 from /healthz"));
}

#[tokio::test]
async fn what_is_not_http_is_called_that() {
    for noise in [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n".as_slice(),
        b"\0\0\0\0\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/3.0 200 OK\r\n\r\n",
    ] {
        let (outcome, farewell) = against(noise.to_vec()).await;
        assert_eq!(outcome.finding, HTTP, "{noise:?}");
        assert!(outcome.detail.starts_with("the answer is not HTTP/1.1"), "{}", outcome.detail);
        assert_eq!(farewell, Farewell::Clean, "{noise:?}");
    }
}

#[tokio::test]
async fn a_server_that_leaves_without_an_answer_fails_in_words() {
    for start in ["", "HTTP/1.1 200 OK\r\nX-Half"] {
        let (outcome, farewell) = against(start.into()).await;
        assert_eq!(outcome.finding, HTTP, "{start:?}");
        assert_eq!(outcome.detail, "connection closed by the server before it answered /healthz");
        assert_eq!(farewell, Farewell::Clean);
    }
}

#[tokio::test]
async fn a_server_that_takes_the_request_and_stays_silent_fails_and_still_gets_close_notify() {
    let mut server = Server::tls(Authority::new().server(), |_| None).await;
    let outcome = probe_within(ask_for("/healthz"), server.address, Duration::from_millis(500)).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Timeout));
    assert_eq!(outcome.detail, "no HTTP answer from /healthz within 500ms");
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn a_path_that_cannot_be_asked_for_blames_no_server() {
    let server = Server::tls(Authority::new().server(), |_| response(200, "")).await;
    let outcome = probe(ask_for("/a b"), server.address).await;
    assert_eq!(outcome.finding, Finding::Inconclusive);
    assert!(outcome.detail.starts_with("\"/a b\" cannot be asked for"), "{}", outcome.detail);
}

const HTTP: Finding = Finding::Fail(Failure::Http);
