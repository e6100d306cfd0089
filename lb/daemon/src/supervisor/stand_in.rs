//! Answers `status` and `failover` on the admin socket while the proxy cannot; root only, one short exchange at a time.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant, SystemTime};

use fmc_api::command::{Failover, FailoverAnswer, Move, MoveOutcome, VipChoice};
use fmc_api::status::{Alarm, Status};
use fmc_api::{API_VERSION, API_VERSION_HEADER, Moment, Refusal, RefusalKind, path};
use serde::Serialize;

/// A client whose whole request has not come within this is let go: the supervisor has other things to watch.
const CLIENT_TIMEOUT: Duration = Duration::from_millis(50);

/// The longest request.
const MAX_REQUEST: usize = 4096;

/// Clients answered in one turn; the others wait in the listen queue.
const CLIENTS_A_TURN: usize = 4;

/// Answers whoever is waiting, from `status`.
pub(crate) fn answer(listener: &UnixListener, status: impl Fn() -> Status) {
    for _ in 0..CLIENTS_A_TURN {
        let Ok((client, _)) = listener.accept() else { return };
        serve(client, &status);
    }
}

fn serve(mut client: UnixStream, status: &impl Fn() -> Status) {
    let answer = if may_ask(&client) { read_request(&mut client) } else { Err(root_only()) };
    let (body, code) = answer.map_or_else(|refusal| refused(&refusal), |request| respond(&request, status()));
    let head = format!(
        "HTTP/1.1 {code} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{API_VERSION_HEADER}: {API_VERSION}\r\n\r\n",
        body.len()
    );
    let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body));
}

fn root_only() -> Refusal {
    Refusal::new(RefusalKind::NotPermitted, "the proxy is dead and the supervisor answers root only", "use sudo")
}

fn may_ask(client: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(client).is_ok_and(|credentials| credentials.uid.is_root())
}

struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

fn read_request(client: &mut UnixStream) -> Result<Request, Refusal> {
    let broken = |what: &str| Refusal::new(RefusalKind::BadRequest, what, "use fmc-lbctl");
    let io = |_| broken("no request came");
    let deadline = Instant::now() + CLIENT_TIMEOUT;
    client.set_nonblocking(false).and_then(|()| client.set_write_timeout(Some(CLIENT_TIMEOUT))).map_err(io)?;
    let mut bytes = Vec::with_capacity(MAX_REQUEST);
    let mut chunk = [0; MAX_REQUEST];
    while bytes.len() < MAX_REQUEST {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_micros(1));
        client.set_read_timeout(Some(left)).map_err(io)?;
        let length = client.read(&mut chunk).map_err(io)?;
        bytes.extend_from_slice(&chunk[..length]);
        if let Some(request) = parse(&bytes).map_err(broken)? {
            return Ok(request);
        }
        if length == 0 || Instant::now() >= deadline {
            break;
        }
    }
    Err(broken("the request is too long or incomplete"))
}

/// `None`: more bytes are needed.
fn parse(bytes: &[u8]) -> Result<Option<Request>, &'static str> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(start)) = head.parse(bytes) else {
        return if bytes.contains(&0) { Err("not HTTP") } else { Ok(None) };
    };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok()).unwrap_or(0);
    let Some(body) = bytes.get(start..start.saturating_add(length)) else { return Ok(None) };
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    Ok(Some(Request { method: text(head.method), path: text(head.path), body: body.to_vec() }))
}

type Response = (Vec<u8>, u16);

fn respond(request: &Request, mut status: Status) -> Response {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", path::STATUS) => {
            let alarm = proxy_is_dead(status.roles.proxy.since);
            status.alarms.insert(0, alarm);
            ok(&status)
        }
        ("POST", path::FAILOVER) => match serde_json::from_slice::<Failover>(&request.body) {
            Ok(failover) => give_away(&failover, &status),
            Err(error) => refused(&Refusal::new(RefusalKind::BadRequest, error.to_string(), "use fmc-lbctl failover")),
        },
        _ => {
            let error = "the proxy is dead; the supervisor answers status and failover only";
            refused(&Refusal::new(RefusalKind::Unavailable, error, "see journalctl -u fmc-lb; it is being restarted"))
        }
    }
}

fn give_away(failover: &Failover, status: &Status) -> Response {
    let wanted = |vip: &&fmc_api::status::VipStatus| match &failover.vips {
        VipChoice::All => true,
        VipChoice::Named(name) => *name == vip.name,
    };
    let moves = status.vips.iter().filter(wanted).map(|vip| Move {
        vip: vip.name.clone(),
        address: vip.address,
        from: vip.owner.clone(),
        to: None,
        connections_cut: 0,
        outcome: MoveOutcome::Refused {
            why: "the proxy is dead: the keeper gives every VIP away by itself; look at status on the other node"
                .to_owned(),
        },
    });
    let moves = moves.collect();
    let answer =
        FailoverAnswer { now: Moment::from(SystemTime::now()), dry_run: failover.dry_run, moves, others: Vec::new() };
    ok(&answer)
}

fn proxy_is_dead(since: Moment) -> Alarm {
    Alarm {
        severity: fmc_api::word::Severity::Error,
        since,
        text: "the proxy is dead; this node forwards nothing and owns no VIP".to_owned(),
        fix: Some("the supervisor restarts it; the reason is in journalctl -u fmc-lb".to_owned()),
    }
}

fn ok<T: Serialize>(value: &T) -> Response {
    (serde_json::to_vec(value).unwrap_or_default(), 200)
}

fn refused(refusal: &Refusal) -> Response {
    (serde_json::to_vec(refusal).unwrap_or_default(), refusal.http_status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_when_its_body_is_whole() {
        let bytes = b"POST /v1/failover HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\n{\"vips\":\"*\"}";
        assert!(parse(&bytes[..bytes.len() - 1]).is_ok_and(|request| request.is_none()));
        let request = parse(bytes).ok().flatten().expect("whole");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/failover"));
        assert_eq!(request.body, b"{\"vips\":\"*\"}");
    }
}
