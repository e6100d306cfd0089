//! The line that a connection leaves. A test binary of its own, because the subscriber is the whole process's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Debug;
use std::io::Write;
use std::sync::Mutex;

use fmc_lb::EndedBy;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[path = "loopback/harness.rs"]
#[allow(dead_code, reason = "the other test binary uses more of it")]
mod harness;
use harness::{Setup, end_of, eventually, greeter, refusing, server};

#[test]
fn every_connection_leaves_one_line_that_says_who_ended_it_and_why() {
    tracing::subscriber::set_global_default(Lines).unwrap();

    let running = Setup::with(&[refusing(), greeter(2)]).start();
    let (_, mut client) = running.greeted().unwrap();
    client.write_all(b"hello").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    end_of(&mut client).unwrap();
    let (level, line) = line_with("ended_by=client-closed");
    assert_eq!(level, Level::INFO);
    let vip = format!("vip={} ", running.vip);
    for field in
        ["frontend=k8s-api ", &vip, "backend=masters ", "server=s2 ", "attempts=2 ", "to_server=5 ", "to_client=6 "]
    {
        assert!(line.contains(field), "{field} in {line}");
    }
    assert!(line_with("failure=refused").1.contains("server=s1 "));
    assert_eq!(LINES.lock().unwrap().iter().filter(|(_, line)| line.contains("ended_by=")).count(), 1);

    let nobody = Setup::with(&[refusing()]).start();
    nobody.greeted().unwrap_err();
    assert_eq!(line_with("ended_by=no-server-accepts").0, Level::INFO);

    let silent_probe = Setup::with(&[server(harness::echo)]).start();
    end_of(&mut {
        let probe = silent_probe.connect();
        probe.shutdown(std::net::Shutdown::Write).unwrap();
        probe
    })
    .unwrap();
    silent_probe.await_end(EndedBy::ClientClosed);
    let (level, _) = line_with("to_server=0 to_client=0 ended_by=client-closed");
    assert_eq!(level, Level::DEBUG, "a connection that said nothing is not worth a line a day");
}

static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

fn line_with(part: &str) -> (Level, String) {
    let find = || LINES.lock().unwrap().iter().find(|(_, line)| line.contains(part)).cloned();
    eventually(part, || find().is_some());
    find().unwrap()
}

/// Keeps every event of the target `connection` as `field=value` pairs.
struct Lines;

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "connection"
    }

    fn event(&self, event: &Event<'_>) {
        let mut pairs = Pairs(String::new());
        event.record(&mut pairs);
        LINES.lock().unwrap().push((*event.metadata().level(), pairs.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Pairs(String);

impl Visit for Pairs {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 += &format!("{}={value} ", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}
