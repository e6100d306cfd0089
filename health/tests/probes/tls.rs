//! The `tls` check.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use fmc_config::model::health_check::{ClientCertificate, HttpsProbe, Probe, TlsProbe};
use fmc_health::{Check, Failure, Finding};

use super::authority::Authority;
use super::server::{Farewell, Server, response, silent};
use super::{TIMEOUT, health_check, probe, probe_within};

fn unverified() -> Probe {
    Probe::Tls(TlsProbe::default())
}

fn verified(ca_file: PathBuf) -> Probe {
    Probe::Tls(TlsProbe { ca_file: Some(ca_file), ..TlsProbe::default() })
}

#[tokio::test]
async fn a_server_of_the_operators_authority_passes() {
    let authority = Authority::new();
    let mut server = Server::tls(authority.server(), |_| None).await;
    let outcome = probe(verified(authority.ca_file()), server.address).await;
    assert_eq!((outcome.finding, outcome.detail.as_str()), (Finding::Pass, "TLS handshake completed"));
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn every_one_of_many_probes_ends_with_close_notify() {
    let authority = Authority::new();
    let mut server = Server::tls(authority.server(), |_| None).await;
    for probe in [unverified(), verified(authority.ca_file())] {
        let check = Check::new(&health_check(probe, TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
        for round in 0..100 {
            assert!(check.probe(server.address).await.passed(), "round {round}");
            assert_eq!(server.farewell().await, Farewell::Clean, "round {round}");
        }
    }
}

#[tokio::test]
async fn a_server_of_another_authority_fails_in_words() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::tls(theirs.server(), |_| None).await;
    let outcome = probe(verified(ours.ca_file()), server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Tls));
    assert_eq!(outcome.detail, "TLS handshake: certificate is not signed by an authority of ca_file");
    assert!(outcome.accepted);
}

#[tokio::test]
async fn an_expired_certificate_fails_where_it_is_verified_and_passes_where_none_is() {
    let authority = Authority::new();
    let server = Server::tls(authority.expired_server(), |_| None).await;
    let outcome = probe(verified(authority.ca_file()), server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Tls));
    assert_eq!(outcome.detail, "TLS handshake: certificate has expired");
    assert!(probe(unverified(), server.address).await.passed());
}

/// A resumed session would show no certificate, and hide that it expired until the server forgets the session.
#[tokio::test]
async fn a_certificate_that_expires_is_noticed_by_the_next_probe() {
    let authority = Authority::new();
    let (config, certificate) = authority.aging_server();
    let server = Server::tls(config, |_| None).await;
    let check = Check::new(&health_check(verified(authority.ca_file()), TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert!(check.probe(server.address).await.passed());
    certificate.aged.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(check.probe(server.address).await.detail, "TLS handshake: certificate has expired");
}

#[tokio::test]
async fn a_certificate_for_another_name_fails_and_names_both() {
    let authority = Authority::new();
    let server = Server::tls(authority.server_named("master1.lab"), |_| None).await;
    let outcome = probe(verified(authority.ca_file()), server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Tls));
    assert!(outcome.detail.contains("master1.lab") && outcome.detail.contains("127.0.0.1"), "{}", outcome.detail);
}

#[tokio::test]
async fn the_configured_name_is_the_one_verified() {
    let authority = Authority::new();
    let server = Server::tls(authority.server_named("master1.lab"), |_| None).await;
    let named = TlsProbe {
        server_name: Some("master1.lab".to_owned()),
        ca_file: Some(authority.ca_file()),
        ..TlsProbe::default()
    };
    assert!(probe(Probe::Tls(named), server.address).await.passed());
}

#[tokio::test]
async fn a_stopped_process_fails_by_the_timeout() {
    let (_listener, address) = silent().await;
    let outcome = probe_within(unverified(), address, Duration::from_millis(100)).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Timeout));
    assert_eq!((outcome.detail.as_str(), outcome.accepted), ("no TLS handshake within 100ms", true));
}

#[tokio::test]
async fn a_server_without_tls_is_called_that() {
    let server = Server::tcp(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let outcome = probe(unverified(), server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Tls));
    assert_eq!(outcome.detail, "TLS handshake: the server does not speak TLS");
}

#[tokio::test]
async fn a_missing_ca_file_blames_no_server_and_is_read_again() {
    let authority = Authority::new();
    let server = Server::tls(authority.server(), |_| None).await;
    let late = authority.ca_file().with_file_name("late.pem");
    let check = Check::new(&health_check(verified(late.clone()), TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let outcome = check.probe(server.address).await;
    assert_eq!(outcome.finding, Finding::Inconclusive);
    assert!(outcome.detail.contains("late.pem: No such file"), "{}", outcome.detail);
    std::fs::copy(authority.ca_file(), late).unwrap();
    assert!(check.probe(server.address).await.passed());
}

#[tokio::test]
async fn a_ca_file_without_a_certificate_is_called_that() {
    let authority = Authority::new();
    let server = Server::tls(authority.server(), |_| None).await;
    let outcome = probe(verified(authority.file("empty.pem", "nothing\n")), server.address).await;
    assert_eq!(outcome.finding, Finding::Inconclusive);
    assert!(outcome.detail.ends_with("empty.pem: holds no certificate"), "{}", outcome.detail);
}

#[tokio::test]
async fn a_server_that_asks_who_is_there_is_shown_the_certificate() {
    let authority = Authority::new();
    let mut server = Server::tls(authority.asking_server(true), |_| response(200, "")).await;
    let tls = TlsProbe { client_certificate: Some(authority.client()), ..TlsProbe::default() };
    let https = HttpsProbe { tls, path: "/".to_owned(), expect: (200, 200) };
    let check = Check::new(&health_check(Probe::Https(https), TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let outcome = check.probe(server.address).await;
    assert!(outcome.passed(), "{outcome}");
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn a_rotated_certificate_is_used_by_the_next_probe() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::tls(authority.asking_server(true), |_| response(200, "")).await;
    let files = authority.client();
    let stranger = other.client();
    let valid = [&files.cert_file, &files.key_file].map(|path| std::fs::read(path).unwrap());
    std::fs::copy(&stranger.cert_file, &files.cert_file).unwrap();
    std::fs::copy(&stranger.key_file, &files.key_file).unwrap();
    let tls = TlsProbe { client_certificate: Some(files.clone()), ..TlsProbe::default() };
    let https = HttpsProbe { tls, path: "/".to_owned(), expect: (200, 200) };
    let check = Check::new(&health_check(Probe::Https(https), TIMEOUT), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let refused = check.probe(server.address).await;
    assert_eq!(refused.finding, Finding::Fail(Failure::Tls), "{refused}");
    std::fs::write(&files.cert_file, &valid[0]).unwrap();
    std::fs::write(&files.key_file, &valid[1]).unwrap();
    let outcome = check.probe(server.address).await;
    assert!(outcome.passed(), "{outcome}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_blames_no_server() {
    let authority = Authority::new();
    let server = Server::tls(authority.server(), |_| response(200, "")).await;
    let good = authority.client();
    let noise = authority.file("noise", "no PEM at all");
    for (broken, words) in [
        (ClientCertificate { cert_file: "/nowhere/x.crt".into(), ..good.clone() }, "client_cert_file /nowhere/x.crt"),
        (ClientCertificate { key_file: noise.clone(), ..good.clone() }, "holds no private key"),
        (ClientCertificate { cert_file: noise, ..good.clone() }, "holds no certificate"),
    ] {
        let tls = TlsProbe { client_certificate: Some(broken), ..TlsProbe::default() };
        let outcome = probe(Probe::Tls(tls), server.address).await;
        assert_eq!(outcome.finding, Finding::Inconclusive, "{outcome}");
        assert!(outcome.detail.contains(words), "{outcome}");
    }
}
