//! The ladder, against servers that answer as K3s does.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use fmc_config::model::health_check::{ClientCertificate, K3sApiProbe, Probe, TlsProbe};
use fmc_health::{Check, Failure, Finding, Outcome, Rung};

use super::authority::Authority;
use super::server::{CERTIFICATE_SHOWN, Farewell, Server, response, silent};
use super::{TIMEOUT, health_check, probe};

const TOKEN: &str = "K10abc::server:secret";

/// `/ping` is open, `/readyz` wants the token and then has the status `ready`.
fn k3s(head: &str, ready: u16) -> Option<Vec<u8>> {
    let authorized = head.contains(&format!("authorization: Bearer {TOKEN}\r\n"));
    match (head.split(' ').nth(1), authorized) {
        (Some("/ping"), _) => response(200, "pong"),
        (Some("/readyz"), true) => {
            response(ready, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
        }
        _ => response(401, "Unauthorized"),
    }
}

fn without_token() -> Probe {
    Probe::K3sApi(K3sApiProbe { tls: TlsProbe::default(), token_file: None })
}

fn with_token(authority: &Authority, token_file: PathBuf) -> Probe {
    let tls = TlsProbe { ca_file: Some(authority.ca_file()), ..TlsProbe::default() };
    Probe::K3sApi(K3sApiProbe { tls, token_file: Some(token_file) })
}

/// One probe with `token` of a K3s whose `/readyz` has the status `ready`, and the paths it was asked for.
async fn climb(token: &str, ready: u16) -> (Outcome, Vec<String>) {
    let authority = Authority::new();
    let mut server = Server::tls(authority.server(), move |head| k3s(head, ready)).await;
    let outcome = probe(with_token(&authority, authority.file("token", token)), server.address).await;
    let paths = paths(&server);
    for _ in &paths {
        assert_eq!(server.farewell().await, Farewell::Clean);
    }
    (outcome, paths)
}

fn paths(server: &Server) -> Vec<String> {
    server.requests().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn with_the_right_token_readyz_decides() {
    let (outcome, paths) = climb(&format!("{TOKEN}\n"), 200).await;
    assert_eq!((outcome.finding, outcome.rung), (Finding::Pass, Some(Rung::Readyz)));
    assert_eq!((outcome.detail.as_str(), paths), ("HTTP 200 from /readyz", vec!["/readyz".to_owned()]));
}

#[tokio::test]
async fn an_unready_server_fails_with_its_reason_and_ping_may_not_overrule_it() {
    let (outcome, paths) = climb(TOKEN, 500).await;
    assert_eq!((outcome.finding, outcome.rung), (Finding::Fail(Failure::Http), Some(Rung::Readyz)));
    assert_eq!(outcome.detail, "HTTP 500 from /readyz: etcd failed: reason withheld");
    assert_eq!(paths, ["/readyz"]);
}

#[tokio::test]
async fn a_refused_token_is_said_and_ping_decides() {
    let (outcome, paths) = climb("wrong", 200).await;
    assert_eq!((outcome.finding, outcome.rung), (Finding::Pass, Some(Rung::Ping)));
    assert_eq!(outcome.detail, "HTTP 200 from /ping (token refused: HTTP 401 from /readyz)");
    assert_eq!(paths, ["/readyz", "/ping"]);
}

#[tokio::test]
async fn without_a_token_ping_decides() {
    let authority = Authority::new();
    let server = Server::tls(authority.server(), |head| k3s(head, 200)).await;
    let outcome = probe(without_token(), server.address).await;
    assert_eq!((outcome.finding, outcome.rung), (Finding::Pass, Some(Rung::Ping)));
    assert_eq!((outcome.detail.as_str(), paths(&server)), ("HTTP 200 from /ping", vec!["/ping".to_owned()]));
}

#[tokio::test]
async fn any_status_is_alive() {
    for status in [204, 301, 401, 403, 404, 503] {
        let server = Server::tls(Authority::new().server(), move |_| response(status, "")).await;
        let outcome = probe(without_token(), server.address).await;
        assert_eq!((outcome.finding, outcome.rung), (Finding::Pass, Some(Rung::AnyStatus)), "{status}");
        assert_eq!(outcome.detail, format!("alive: HTTP {status} from /ping"));
    }
}

#[tokio::test]
async fn no_http_behind_the_handshake_is_not_alive() {
    let server = Server::tls(Authority::new().server(), |_| Some(b"\x15\x03\x01 what?\r\n\r\n".to_vec())).await;
    let outcome = probe(without_token(), server.address).await;
    assert_eq!((outcome.finding, outcome.rung), (Finding::Fail(Failure::Http), None));
}

#[tokio::test]
async fn a_stopped_server_fails_on_the_first_rung_by_the_one_timeout() {
    let authority = Authority::new();
    let (_listener, address) = silent().await;
    let timeout = std::time::Duration::from_millis(100);
    let ladder = with_token(&authority, authority.file("token", TOKEN));
    let outcome = super::probe_within(ladder, address, timeout).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Timeout));
    assert!(outcome.latency >= timeout && outcome.latency < timeout * 2, "{:?}", outcome.latency);
}

#[tokio::test]
async fn no_token_travels_to_a_server_that_nobody_verified() {
    let authority = Authority::new();
    let server = Server::tls(authority.server(), |head| k3s(head, 200)).await;
    let tls = TlsProbe::default();
    let ladder = K3sApiProbe { tls, token_file: Some(authority.file("token", TOKEN)) };
    let outcome = probe(Probe::K3sApi(ladder), server.address).await;
    assert_eq!(outcome.rung, Some(Rung::Ping));
    assert!(outcome.detail.contains("token not sent: without ca_file"), "{}", outcome.detail);
    assert!(!server.requests().concat().contains("secret"));
}

#[tokio::test]
async fn a_token_is_read_at_each_probe() {
    let authority = Authority::new();
    let server = Server::tls(authority.server(), |head| k3s(head, 200)).await;
    let token = authority.ca_file().with_file_name("token");
    let check =
        Check::new(&health_check(with_token(&authority, token.clone()), TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let absent = check.probe(server.address).await;
    assert_eq!(absent.rung, Some(Rung::Ping));
    assert!(absent.detail.contains("token: No such file"), "{}", absent.detail);
    std::fs::write(token, TOKEN).unwrap();
    assert_eq!(check.probe(server.address).await.rung, Some(Rung::Readyz));
}

#[tokio::test]
async fn every_connection_of_many_ladders_ends_with_close_notify() {
    let authority = Authority::new();
    let mut server = Server::tls(authority.server(), |head| k3s(head, 200)).await;
    let ladder = with_token(&authority, authority.file("token", "wrong"));
    let check = Check::new(&health_check(ladder, TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
    for round in 0..100 {
        assert!(check.probe(server.address).await.passed(), "round {round}");
        assert_eq!(server.farewell().await, Farewell::Clean, "round {round}, /readyz");
        assert_eq!(server.farewell().await, Farewell::Clean, "round {round}, /ping");
    }
}

/// K3s with the authenticator that Kubernetes has for certificates: it asks for one, and goes on without.
async fn asking_k3s(authority: &Authority) -> Server {
    Server::tls(authority.asking_server(false), |head| match head.split(' ').nth(1) {
        Some("/ping") => response(200, "pong"),
        Some("/readyz") if head.ends_with(CERTIFICATE_SHOWN) => response(200, "ok"),
        _ => response(401, "Unauthorized"),
    })
    .await
}

fn with_certificate(client_certificate: ClientCertificate) -> Probe {
    let tls = TlsProbe { client_certificate: Some(client_certificate), ..TlsProbe::default() };
    Probe::K3sApi(K3sApiProbe { tls, token_file: None })
}

#[tokio::test]
async fn a_client_certificate_opens_readyz_as_a_token_does() {
    let authority = Authority::new();
    let mut server = asking_k3s(&authority).await;
    let outcome = probe(with_certificate(authority.client()), server.address).await;
    assert_eq!((outcome.finding, outcome.rung), (Finding::Pass, Some(Rung::Readyz)), "{outcome}");
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn a_certificate_that_is_refused_or_unreadable_takes_no_server_down() {
    let authority = Authority::new();
    let server = asking_k3s(&authority).await;
    let absent = ClientCertificate { cert_file: "/nowhere/x.crt".into(), key_file: "/nowhere/x.key".into() };
    for certificate in [Authority::new().client(), absent] {
        let outcome = probe(with_certificate(certificate), server.address).await;
        assert_eq!((outcome.finding, outcome.rung), (Finding::Pass, Some(Rung::Ping)), "{outcome}");
        assert!(outcome.detail.starts_with("HTTP 200 from /ping ("), "{outcome}");
    }
}

#[tokio::test]
async fn an_inspection_tells_every_rung_and_how_the_connections_were_left() {
    let authority = Authority::new();
    let mut server = Server::tls(authority.server(), |head| k3s(head, 200)).await;
    let ladder = with_token(&authority, authority.file("token", "wrong"));
    let check = Check::new(&health_check(ladder, TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (outcome, steps) = check.inspect(server.address).await;
    assert!(outcome.passed(), "{outcome}");
    let starts = [
        "connected to",
        "TLS 1.3 handshake completed: certificate verified by",
        "GET /readyz answered: HTTP 401",
        "token refused: HTTP 401 from /readyz: one rung down",
        "connected to",
        "TLS 1.3 handshake completed",
        "GET /ping answered: HTTP 200, 4 bytes of body",
        "HTTP 200 from /ping (token refused",
        "said goodbye",
        "said goodbye",
    ];
    assert_eq!(steps.len(), starts.len(), "{steps:#?}");
    for (step, start) in steps.iter().zip(starts) {
        assert!(step.words.starts_with(start), "{step:?}");
    }
    assert!(steps.is_sorted_by_key(|step| step.at));
    assert_eq!([server.farewell().await, server.farewell().await], [Farewell::Clean, Farewell::Clean]);
}
