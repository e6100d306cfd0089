//! A daemon of canned answers behind a unix socket, and the tool run against it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

/// Answers each path with its bodies in turn, the last one for ever.
pub(crate) struct FakeDaemon {
    _directory: tempfile::TempDir,
    pub(crate) socket: PathBuf,
    asked: mpsc::Receiver<String>,
}

impl FakeDaemon {
    /// `answers`: path without query, HTTP status, bodies in turn.
    pub(crate) fn new(answers: &[(&str, u16, &[&str])]) -> Self {
        let mut bodies: HashMap<String, (u16, Vec<String>)> = answers
            .iter()
            .map(|(path, status, bodies)| {
                ((*path).to_owned(), (*status, bodies.iter().rev().map(|b| (*b).to_owned()).collect()))
            })
            .collect();
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("admin.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (tell, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok((line, stream)) = read(stream.unwrap()) else { continue };
                let path = line.split([' ', '?']).nth(1).unwrap_or_default();
                let (status, queue) = bodies.get_mut(path).unwrap_or_else(|| panic!("nobody expects {line}"));
                let body = if queue.len() > 1 { queue.pop().unwrap() } else { queue[0].clone() };
                if tell.send(line).is_err() {
                    return;
                }
                answer(stream, *status, &body);
            }
        });
        Self { _directory: directory, socket, asked }
    }

    /// Runs the tool against it, without a terminal.
    pub(crate) fn run(&self, line: &str) -> Ran {
        let child = command(line, &self.socket).spawn().unwrap();
        Ran::from(child.wait_with_output().unwrap())
    }

    /// What it was asked, in order: `METHOD target body`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

/// The tool with its arguments; standard streams are pipes.
pub(crate) fn command(line: &str, socket: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fmc-lbctl"));
    command.arg("--socket").arg(socket).args(line.split(' ').filter(|word| !word.is_empty()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

fn read(stream: UnixStream) -> std::io::Result<(String, UnixStream)> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let target = request.trim_end().trim_end_matches(" HTTP/1.1");
    Ok((format!("{target} {}", String::from_utf8_lossy(&body)).trim_end().to_owned(), reader.into_inner()))
}

fn answer(mut stream: UnixStream, status: u16, body: &str) {
    let head = format!("HTTP/1.1 {status} X\r\nfmc-lb-api: 1\r\nContent-Length: {}\r\n\r\n", body.len());
    // A tool that has gone away is its own test's business.
    let _sent = stream.write_all((head + body).as_bytes());
}
