//! The client against a daemon that is absent, forbidden, silent, foreign, older, dying or refusing.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::door::not_connected;
use super::*;
use crate::Moment;
use crate::refusal::{Refusal, RefusalKind};

/// A daemon of one canned answer, which tells what it was asked.
struct Fake {
    _directory: tempfile::TempDir,
    socket: PathBuf,
    asked: tokio::sync::mpsc::Receiver<(String, String)>,
}

fn fake(status: u16, version: &'static str, body: String) -> Fake {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (tell, asked) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(|request: Request<Incoming>| {
                let (tell, body) = (tell.clone(), body.clone());
                async move {
                    let line = format!("{} {}", request.method(), request.uri());
                    let sent = request.into_body().collect().await.unwrap().to_bytes();
                    tell.send((line, String::from_utf8_lossy(&sent).into_owned())).await.unwrap();
                    let answer = Response::builder().status(status).header(API_VERSION_HEADER, version);
                    Ok::<_, Infallible>(answer.body(Full::new(Bytes::from(body))).unwrap())
                }
            });
            let _closed =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        }
    });
    Fake { _directory: directory, socket, asked }
}

/// A socket whose peer reads the request, writes `answer` and hangs up.
fn rude(answer: &'static [u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _request = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(answer).await.unwrap();
    });
    (directory, socket)
}

#[tokio::test]
async fn a_read_asks_its_path_and_returns_its_type() {
    let empty = r#"{"now":"2026-11-21T03:12:04.120Z","node":"loadbalancer1","matching":0,"sessions":[]}"#;
    let mut fake = fake(200, "1", empty.into());
    let query = SessionQuery { backend: "masters".parse().ok(), ..Default::default() };
    let list = Client::new(&fake.socket).sessions(&query).await.unwrap();
    assert_eq!(list.now, Moment::from_unix_ms(1_795_230_724_120));
    assert_eq!(fake.asked.recv().await.unwrap().0, "GET /v1/sessions?backend=masters");
}

#[tokio::test]
async fn a_command_is_posted_as_json() {
    let answer = r#"{"now":"2026-11-21T03:12:04.120Z","dry_run":true,"changes":[],"moves":[]}"#;
    let mut fake = fake(200, "1", answer.into());
    let request = SetState { target: "masters/master2".parse().unwrap(), dry_run: true };
    Client::new(&fake.socket).set_state(AdminState::Drain, &request).await.unwrap();
    let (line, body) = fake.asked.recv().await.unwrap();
    assert_eq!(line, "POST /v1/drain");
    assert_eq!(body, r#"{"target":"masters/master2","dry_run":true}"#);
}

#[tokio::test]
async fn a_refusal_arrives_whole() {
    let refusal =
        Refusal::new(RefusalKind::NotFound, "there is no server master9", "use one of master1, master2, master3");
    let fake = fake(404, "1", serde_json::to_string(&refusal).unwrap());
    let error = Client::new(&fake.socket).status().await.unwrap_err();
    assert_eq!(error.to_string(), "there is no server master9; use one of master1, master2, master3");
    assert!(!error.is_no());
    assert!(matches!(error, ClientError::Refused(arrived) if arrived == refusal));
}

#[tokio::test]
async fn only_a_considered_no_is_a_no() {
    let refusal = Refusal::new(RefusalKind::No, "loadbalancer2 is unfit for api", "mend it first");
    let fake = fake(409, "1", serde_json::to_string(&refusal).unwrap());
    assert!(Client::new(&fake.socket).status().await.unwrap_err().is_no());
}

#[tokio::test]
async fn an_absent_socket_asks_whether_the_service_runs() {
    let error = Client::new("/nonexistent/admin.sock").status().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "nothing answers at /nonexistent/admin.sock: is fmc-lb running? see: systemctl status fmc-lb"
    );
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_the_same_as_an_absent_one() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    drop(UnixListener::bind(&socket).unwrap());
    assert!(matches!(Client::new(&socket).status().await, Err(ClientError::NotRunning { .. })));
}

#[tokio::test]
async fn a_socket_that_appears_during_a_handover_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let (early, late) = (directory.path().join("admin.sock"), directory.path().join("new.sock"));
    let client = Client::new(&early);
    let call = tokio::spawn(async move { client.status().await });
    tokio::task::yield_now().await;
    let fake = fake(503, "1", serde_json::to_string(&Refusal::new(RefusalKind::Unavailable, "a", "b")).unwrap());
    std::fs::rename(&fake.socket, &late).unwrap();
    std::fs::rename(&late, &early).unwrap();
    assert!(matches!(call.await.unwrap(), Err(ClientError::Refused(_))));
}

#[test]
fn a_forbidden_socket_asks_for_root() {
    let denied = not_connected(Path::new("/s"), io::ErrorKind::PermissionDenied.into());
    assert_eq!(
        denied.to_string(),
        "permission denied at /s: run this as root (sudo); members of the group fmc-lb may look"
    );
}

#[tokio::test]
async fn another_version_is_told_with_both_numbers() {
    let fake = fake(200, "2", "{}".into());
    let error = Client::new(&fake.socket).status().await.unwrap_err();
    assert!(matches!(&error, ClientError::VersionSkew { ours: 1, theirs } if theirs == "2"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_not_ours_is_named_so() {
    let (_directory, socket) = rude(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let error = Client::new(&socket).status().await.unwrap_err();
    assert!(error.to_string().ends_with("is not one of fmc-lb: HTTP 200 OK without a version"), "{error}");
}

#[tokio::test]
async fn a_daemon_that_dies_in_the_answer_is_an_interruption() {
    let (_directory, socket) = rude(b"HTTP/1.1 200 OK\r\nfmc-lb-api: 1\r\nContent-Length: 99\r\n\r\n{");
    assert!(matches!(Client::new(&socket).status().await, Err(ClientError::Interrupted { .. })));
    let (_directory, socket) = rude(b"");
    assert!(matches!(Client::new(&socket).status().await, Err(ClientError::Interrupted { .. })));
}

#[tokio::test]
async fn a_silent_daemon_is_given_up_at_the_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let error = Client::new(&socket).with_deadline(Duration::from_millis(20)).status().await.unwrap_err();
    assert!(error.to_string().contains("within 20 ms"), "{error}");
}
