//! `fmc-lbctl lab ddns` against a server that speaks Cloudflare's API.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

const TOKEN: &str = "a-token-that-may-edit-dns";

/// One zone, and what goes wrong.
#[derive(Default)]
struct State {
    records: Vec<Value>,
    asked: Vec<String>,
    /// Status lines that are answered instead, the first one first.
    troubles: Vec<&'static str>,
}

struct Cloudflare {
    at: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Cloudflare {
    fn with(records: &[(&str, &str, &str, bool)], troubles: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let record = |(at, (kind, name, content, proxied)): (usize, &(&str, &str, &str, bool))| json!({ "id": format!("r{at}"), "type": kind, "name": name, "content": content, "proxied": proxied });
        let records = records.iter().enumerate().map(record).collect();
        let state = State { records, troubles: troubles.to_vec(), asked: Vec::new() };
        let this = Self { at: listener.local_addr().unwrap(), state: Arc::new(Mutex::new(state)) };
        let state = Arc::clone(&this.state);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream, &state)));
        this
    }

    fn run(&self, words: &[&str]) -> Output {
        let directory = tempfile::tempdir().unwrap();
        let token = directory.path().join("token");
        std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
        self.run_with(&token, words)
    }

    fn run_with(&self, token: &std::path::Path, words: &[&str]) -> Output {
        let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../provision/examples/flatcar-micro-cloud.toml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_fmc-lbctl"));
        command.args(["lab", "ddns"]).arg(example).arg("--token-file").arg(token);
        command.args(["--api", &format!("http://{}/client/v4", self.at), "--patience", "2s"]).args(words);
        if !words.contains(&"--ask") {
            command.args(["--ask", &format!("http://{}/trace", self.at)]);
        }
        command.output().unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Everything that changed something.
    fn writes(&self) -> usize {
        self.asked().iter().filter(|line| !line.starts_with("GET ")).count()
    }

    fn content(&self, name: &str) -> Vec<String> {
        let records = &self.state.lock().unwrap().records;
        let of_name = records.iter().filter(|record| record["name"] == name);
        of_name.map(|record| format!("{} {} {}", record["type"], record["content"], record["proxied"])).collect()
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or_default() == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        lines
            .iter()
            .find_map(|line| line.to_ascii_lowercase().starts_with(name).then(|| line[name.len()..].trim().to_owned()))
    };
    let mut body = vec![0; header("content-length:").map_or(0, |text| text.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let Some(first) = lines.first() else { return };
    let (method, target) = (first.split(' ').next().unwrap(), first.split(' ').nth(1).unwrap());
    let mut state = state.lock().unwrap();
    state.asked.push(format!("{method} {target}"));
    let (status, text) = if target == "/trace" {
        ("200 OK", "fl=1\nip=203.0.113.7\nts=1\n".to_owned())
    } else if !state.troubles.is_empty() {
        (
            state.troubles.remove(0),
            json!({ "success": false, "errors": [{ "code": 9, "message": "trouble" }] }).to_string(),
        )
    } else if header("authorization:").as_deref() != Some(&format!("Bearer {TOKEN}")) {
        (
            "403 Forbidden",
            json!({ "success": false, "errors": [{ "code": 9109, "message": "Invalid token" }] }).to_string(),
        )
    } else {
        let result = answer(method, target, serde_json::from_slice(&body).unwrap_or_default(), &mut state);
        ("200 OK", json!({ "success": true, "errors": [], "result": result }).to_string())
    };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nRetry-After: 0\r\nConnection: close\r\n\r\n", text.len());
    stream.write_all((head + &text).as_bytes()).unwrap();
}

fn answer(method: &str, target: &str, body: Value, state: &mut State) -> Value {
    match (method, target.strip_prefix("/client/v4").unwrap()) {
        ("GET", "/zones?name=cefaslocalserver.com") => json!([{ "id": "z1" }]),
        ("GET", path) => {
            let name = path.strip_prefix("/zones/z1/dns_records?name=").unwrap().split('&').next().unwrap();
            state.records.iter().filter(|record| record["name"] == name).cloned().collect()
        }
        ("POST", "/zones/z1/dns_records") => {
            let mut record = body;
            record["id"] = json!(format!("r{}", state.records.len()));
            state.records.push(record.clone());
            record
        }
        ("PATCH", path) => {
            let id = path.strip_prefix("/zones/z1/dns_records/").unwrap();
            let record = state.records.iter_mut().find(|record| record["id"] == id).unwrap();
            record.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            record.clone()
        }
        other => panic!("{other:?} is not of this API"),
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const NAMES: [(&str, &str, &str, bool); 3] = [
    ("A", "cefaslocalserver.com", "203.0.113.7", true),
    ("A", "www.cefaslocalserver.com", "198.51.100.1", true),
    ("MX", "cefaslocalserver.com", "mail.example.com", false),
];

#[test]
fn names_follow_the_address_and_what_is_right_or_somebody_elses_is_left() {
    let cloudflare = Cloudflare::with(&NAMES, &[]);
    let output = cloudflare.run(&[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(cloudflare.content("www.cefaslocalserver.com"), ["\"A\" \"203.0.113.7\" true"]);
    assert_eq!(cloudflare.content("vpn.cefaslocalserver.com"), ["\"A\" \"203.0.113.7\" false"], "made");
    assert_eq!(cloudflare.content("cefaslocalserver.com").len(), 2, "the mail's record stays");
    assert_eq!(cloudflare.writes(), 2, "{:?}", cloudflare.asked());
    let text = said(&output);
    assert!(
        text.contains("updated      A    www.cefaslocalserver.com 203.0.113.7, proxied (was 198.51.100.1, proxied)"),
        "{text}"
    );

    let again = cloudflare.run(&["--json"]);
    assert!(said(&again).contains("\"state\":\"unchanged\""), "{}", said(&again));
    assert_eq!(cloudflare.writes(), 2, "a second run changes nothing");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let cloudflare = Cloudflare::with(&NAMES, &[]);
    let text = said(&cloudflare.run(&["--dry-run"]));
    assert!(text.contains("would update A    www") && text.contains("would create A    vpn"), "{text}");
    assert_eq!(cloudflare.writes(), 0, "{:?}", cloudflare.asked());
}

#[test]
fn what_may_pass_is_tried_again_and_what_does_not_is_told() {
    let patient = Cloudflare::with(&NAMES, &["503 Service Unavailable", "429 Too Many Requests", "500 Oops"]);
    assert!(patient.run(&[]).status.success());
    let broken = Cloudflare::with(&NAMES, &["400 Bad Request"]);
    let output = broken.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("answers 400 Bad Request: trouble (9)"), "{}", said(&output));
    assert_eq!(broken.asked().iter().filter(|line| line.contains("/zones")).count(), 1, "no second try");
}

#[test]
fn a_token_that_is_refused_names_its_file_and_is_not_shown() {
    let cloudflare = Cloudflare::with(&NAMES, &[]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "another-token").unwrap();
    let text = said(&cloudflare.run_with(&file, &[]));
    assert!(text.contains("refuses the token of") && text.contains(file.to_str().unwrap()), "{text}");
    assert!(!text.contains("another-token"), "{text}");
    std::fs::write(&file, "two words").unwrap();
    assert!(said(&cloudflare.run_with(&file, &[])).contains("holds no token"));
}

#[test]
fn behind_a_gateway_names_lead_to_its_address_and_nobody_is_asked() {
    let cloudflare = Cloudflare::with(&[], &[]);
    let output = cloudflare.run(&["--way", "vps"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(cloudflare.content("www.cefaslocalserver.com"), ["\"A\" \"203.0.113.10\" true"]);
    assert!(!cloudflare.asked().contains(&"GET /trace".to_owned()), "{:?}", cloudflare.asked());
}

#[test]
fn an_answer_that_is_no_address_changes_nothing() {
    let cloudflare = Cloudflare::with(&NAMES, &[]);
    let text = said(
        &cloudflare.run(&["--ask", &format!("http://{}/client/v4/zones?name=cefaslocalserver.com", cloudflare.at)]),
    );
    assert!(text.contains("which is no address"), "{text}");
    assert_eq!(cloudflare.writes(), 0);
}
