//! Proxies: what `defaults` and their own lines say together.

use std::collections::BTreeMap;
use std::time::Duration;

use super::section::{Section, Statement};
use super::server::{Options, Server};
use super::{apply, fate, global};
use crate::ledger::{At, Fate, Ledger, Said};

/// A whole file.
#[derive(Debug, Default)]
pub(crate) struct Haproxy {
    /// `maxconn` of `global`.
    pub(crate) max_connections: Option<Said<u32>>,
    pub(crate) proxies: Vec<Proxy>,
}

/// What a proxy has ends of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Frontend,
    Backend,
    Listen,
}

impl Kind {
    pub(crate) fn listens(self) -> bool {
        matches!(self, Self::Frontend | Self::Listen)
    }

    pub(crate) fn has_servers(self) -> bool {
        matches!(self, Self::Backend | Self::Listen)
    }
}

/// A frontend, a backend, or both in one.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) settings: Settings,
    /// Its own lines.
    pub(crate) lines: Vec<At>,
}

/// The timeouts of configuration.txt 4 that mean something in `mode tcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timeout {
    Client,
    Server,
    Tunnel,
    Connect,
    Check,
    Queue,
    ClientFin,
    ServerFin,
}

/// What was said, the last word of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) http: Option<At>,
    pub(crate) disabled: Option<At>,
    pub(crate) binds: Vec<Statement>,
    pub(crate) servers: Vec<Server>,
    pub(crate) server_defaults: Options,
    pub(crate) server_default_lines: Vec<At>,
    pub(crate) timeouts: BTreeMap<Timeout, Said<Duration>>,
    pub(crate) balance: Option<Statement>,
    pub(crate) retries: Option<Said<u8>>,
    pub(crate) redispatch: Option<Said<bool>>,
    pub(crate) max_connections: Option<Said<u32>>,
    pub(crate) rate_limit: Option<Said<u32>>,
    pub(crate) check: Option<Statement>,
    pub(crate) check_steps: Vec<Statement>,
    pub(crate) default_backend: Option<Said<String>>,
    pub(crate) acls: Vec<Statement>,
    pub(crate) use_backends: Vec<Statement>,
    pub(crate) rules: Vec<Statement>,
    pub(crate) stick: Vec<Statement>,
    pub(crate) stats: Vec<At>,
    /// What is about HTTP.
    pub(crate) of_http: Vec<Statement>,
}

/// The proxies of the sections, in the file's order.
pub(super) fn read(sections: Vec<Section>, ledger: &mut Ledger) -> Haproxy {
    let mut reader = Reader::default();
    sections.into_iter().for_each(|section| reader.section(&section, ledger));
    reader.haproxy
}

#[derive(Default)]
struct Reader {
    haproxy: Haproxy,
    /// The newest `defaults`, which every proxy without `from` has.
    current: Settings,
    named: BTreeMap<String, Settings>,
}

impl Reader {
    fn section(&mut self, section: &Section, ledger: &mut Ledger) {
        match section.head.word(0) {
            "global" => self.global(section, ledger),
            "defaults" => self.defaults(section, ledger),
            "frontend" => self.proxy(Kind::Frontend, section, ledger),
            "backend" => self.proxy(Kind::Backend, section, ledger),
            "listen" => self.proxy(Kind::Listen, section, ledger),
            other => skip(other, section, ledger),
        }
    }

    fn global(&mut self, section: &Section, ledger: &mut Ledger) {
        ledger.kept(section.head.at, "[limits]");
        for statement in &section.statements {
            if statement.word(0) == "maxconn" {
                self.haproxy.max_connections = apply::number(statement, 1, ledger);
                continue;
            }
            match global::fate(&statement.words) {
                Some((fate, words)) => ledger.note(statement.at, fate, words),
                None => ledger
                    .refuse(statement.at, format!("{} is no word of `global` that HAProxy has", statement.word(0))),
            }
        }
    }

    fn defaults(&mut self, section: &Section, ledger: &mut Ledger) {
        let head = &section.head;
        let name = (head.word(1) != "from").then(|| head.word(1)).filter(|name| !name.is_empty());
        let mut settings = self.inherited(head, ledger, Settings::default);
        ledger.kept(head.at, "holds for the proxies below");
        for statement in &section.statements {
            apply::apply(&mut settings, statement, ledger);
        }
        if let Some(name) = name {
            self.named.insert(name.to_owned(), settings.clone());
        }
        self.current = settings;
    }

    /// What `from NAME` names, or else `otherwise`.
    fn inherited(&self, head: &Statement, ledger: &mut Ledger, otherwise: impl Fn() -> Settings) -> Settings {
        let Some(at) = head.words.iter().position(|word| word == "from") else { return otherwise() };
        let name = head.word(at + 1);
        self.named.get(name).cloned().unwrap_or_else(|| {
            ledger.refuse(head.at, format!("no defaults section before this one is named {name:?}"));
            otherwise()
        })
    }

    fn proxy(&mut self, kind: Kind, section: &Section, ledger: &mut Ledger) {
        let head = &section.head;
        let mut settings = self.inherited(head, ledger, || self.current.clone());
        // `listen NAME ADDRESS:PORT` is the oldest form of a bind.
        if kind.listens() && head.word(2) != "from" && !head.word(2).is_empty() {
            let words = vec!["bind".to_owned(), head.word(2).to_owned()];
            settings.binds.push(Statement { at: head.at, words });
        }
        for statement in &section.statements {
            apply::apply(&mut settings, statement, ledger);
        }
        let name = head.word(1).to_owned();
        if name.is_empty() {
            ledger.refuse(head.at, "it has no name");
        }
        let lines = section.statements.iter().map(|statement| statement.at).collect();
        self.haproxy.proxies.push(Proxy { kind, name, at: head.at, settings, lines });
    }
}

fn skip(kind: &str, section: &Section, ledger: &mut Ledger) {
    let (fate, words) = fate::of_section(kind).unwrap_or((Fate::Refused, "is no section that this import knows"));
    ledger.note(section.head.at, fate, format!("{kind}: {words}"));
    for statement in &section.statements {
        ledger.note(statement.at, fate, format!("part of {kind}"));
    }
}
