//! The sections of a file, each with its statements.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::words::{self, Environment};
use crate::ledger::{At, Ledger};
use crate::{Source, Surroundings};

/// One line in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) at: At,
    pub(crate) words: Vec<String>,
}

impl Statement {
    /// The word number `index`, or nothing.
    pub(crate) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// The words from number `index` on.
    pub(crate) fn from(&self, index: usize) -> &[String] {
        self.words.get(index..).unwrap_or_default()
    }
}

/// What begins with one of [`NAMES`].
#[derive(Debug)]
pub(super) struct Section {
    pub(super) head: Statement,
    pub(super) statements: Vec<Statement>,
}

const NAMES: [&str; 20] = [
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "mailers",
    "userlist",
    "program",
    "cache",
    "ring",
    "http-errors",
    "log-forward",
    "fcgi-app",
    "crt-store",
    "log-profile",
    "traces",
    "acme",
    "namespace_list",
];

/// Every section. A line that has no words of HAProxy's is refused where it stands.
pub(super) fn read(source: &Source, surroundings: &dyn Surroundings, ledger: &mut Ledger) -> Vec<Section> {
    let own: RefCell<BTreeMap<String, Option<String>>> = RefCell::default();
    let environment = |name: &str| match own.borrow().get(name) {
        Some(value) => value.clone(),
        None => surroundings.variable(name),
    };
    let file = ledger.open(&source.name);
    let (mut sections, mut conditions) = (Vec::new(), 0_usize);
    for (index, line) in source.text.lines().enumerate() {
        let words = words::split(line, &environment);
        if words.as_ref().is_ok_and(Vec::is_empty) {
            continue;
        }
        let at = ledger.line(file, index + 1, line);
        let words = match words.and_then(|words| with_addresses(words, &environment)) {
            Ok(words) => words,
            Err(error) => {
                ledger.refuse(at, error.to_string());
                continue;
            }
        };
        let statement = Statement { at, words };
        if conditional(&statement, &mut conditions, ledger) {
            continue;
        }
        set(&statement, &own, &environment);
        place(statement, &mut sections, ledger);
    }
    sections
}

fn with_addresses(mut words: Vec<String>, environment: Environment<'_>) -> Result<Vec<String>, words::WordError> {
    let address = match words.first().map(String::as_str) {
        Some("bind") => words.get_mut(1),
        Some("server") => words.get_mut(2),
        _ => None,
    };
    if let Some(address) = address {
        *address = words::expand(address, environment)?;
    }
    Ok(words)
}

/// `.if` and its kin ask a running HAProxy: its version, its features, its process.
fn conditional(statement: &Statement, depth: &mut usize, ledger: &mut Ledger) -> bool {
    match statement.word(0) {
        ".if" => *depth += 1,
        ".endif" => *depth = depth.saturating_sub(1),
        ".else" | ".elif" => {}
        ".notice" | ".diag" | ".warning" | ".alert" => {
            ledger.dropped(statement.at, "words for the person who starts HAProxy");
            return true;
        }
        _ if *depth == 0 => return false,
        _ => {}
    }
    let reason = "what stands between .if and .endif depends on a running HAProxy: leave in the file what is in force, without the condition";
    ledger.refuse(statement.at, reason);
    true
}

/// `setenv` and its kin, which hold for the lines below.
fn set(statement: &Statement, own: &RefCell<BTreeMap<String, Option<String>>>, environment: Environment<'_>) {
    let (name, value) = (statement.word(1).to_owned(), statement.word(2).to_owned());
    let value = match statement.word(0) {
        "setenv" => Some(value),
        "presetenv" => Some(environment(&name).unwrap_or(value)),
        "unsetenv" => None,
        _ => return,
    };
    own.borrow_mut().insert(name, value);
}

fn place(statement: Statement, sections: &mut Vec<Section>, ledger: &mut Ledger) {
    if NAMES.contains(&statement.word(0)) {
        sections.push(Section { head: statement, statements: Vec::new() });
    } else if let Some(section) = sections.last_mut() {
        section.statements.push(statement);
    } else {
        ledger.refuse(statement.at, format!("{} stands before any section: is this a haproxy.cfg?", statement.word(0)));
    }
}
