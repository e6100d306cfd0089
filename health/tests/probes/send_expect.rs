//! The `send-expect` check.

use std::time::Duration;

use fmc_config::model::health_check::{Probe, SendExpectProbe};
use fmc_health::{Failure, Finding};

use super::server::{Farewell, Server};
use super::{probe, probe_within};

fn question(send: &[u8], reply: &[u8]) -> Probe {
    Probe::SendExpect(SendExpectProbe { send: send.to_vec(), reply: reply.to_vec() })
}

#[tokio::test]
async fn a_server_that_speaks_first_passes_by_what_it_says() {
    let mut server = Server::tcp(b"220 mail.lab ESMTP\r\n").await;
    let outcome = probe(question(b"", b"ESMTP"), server.address).await;
    assert_eq!((outcome.finding, outcome.detail.as_str()), (Finding::Pass, "answered \"ESMTP\""));
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn a_question_is_sent_and_its_answer_searched_over_many_reads() {
    let server = Server::echo(Duration::from_millis(2)).await;
    let outcome = probe(question(b"PING\r\n", b"NG\r\n"), server.address).await;
    assert_eq!(outcome.finding, Finding::Pass, "{outcome}");
}

#[tokio::test]
async fn silence_and_a_part_of_the_answer_fail_by_the_timeout() {
    let mut server = Server::tcp(b"22").await;
    let outcome = probe_within(question(b"", b"220"), server.address, Duration::from_millis(200)).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Timeout));
    assert_eq!(outcome.detail, "no reply that is awaited within 200ms");
    assert_eq!(server.farewell().await, Farewell::Clean);
}

#[tokio::test]
async fn a_wrong_answer_is_repeated_without_escapes() {
    let server = Server::farewell_after(b"-ERR \x1b[31mno\r\n".to_vec()).await;
    let outcome = probe(question(b"PING\r\n", b"PONG"), server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Reply));
    assert_eq!(outcome.detail, "an answer without what is awaited: \"-ERR .[31mno..\"");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = Server::farewell_after(vec![b'a'; 1024 * 1024]).await;
    let outcome = probe(question(b"", b"b"), server.address).await;
    assert_eq!(outcome.finding, Finding::Fail(Failure::Reply));
    assert!(outcome.detail.starts_with("an answer without what is awaited in its first 16 KiB: \"aaa"), "{outcome}");
}
