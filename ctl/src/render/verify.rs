//! What `lab verify` found.

use fmc_provision::verify::{Judgement, Verdict, What};
use serde::Serialize;

use super::table::{Cell, table};
use super::{Paint, Tone};

/// Everything that was looked at, and from where.
#[derive(Serialize)]
pub(crate) struct Report {
    from: String,
    so: usize,
    not_so: usize,
    not_judged: usize,
    rows: Vec<Row>,
}

/// One thing that must be so.
#[derive(Serialize)]
pub(crate) struct Row {
    kind: &'static str,
    of: String,
    verdict: &'static str,
    expected: String,
    found: String,
    purpose: String,
    look: String,
    #[serde(skip)]
    is: Verdict,
}

impl Report {
    pub(crate) fn new(from: String, rows: Vec<Row>) -> Self {
        let count = |verdict| rows.iter().filter(|row| row.is == verdict).count();
        let (so, not_so, not_judged) = (count(Verdict::True), count(Verdict::False), count(Verdict::Unjudged));
        Self { from, so, not_so, not_judged, rows }
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.is == verdict).count()
    }

    /// The same with the rows that are not so alone.
    pub(crate) fn failures(mut self) -> Self {
        self.rows.retain(|row| row.is == Verdict::False);
        self
    }
}

impl Row {
    pub(crate) fn new(what: &What, judgement: Judgement, purpose: &str, look: &str) -> Self {
        let (kind, of) = subject(what);
        let Judgement { verdict: is, expected, found } = judgement;
        let verdict = match is {
            Verdict::True => "so",
            Verdict::False => "not so",
            Verdict::Unjudged => "not judged",
        };
        Self { kind, of, verdict, expected, found, purpose: purpose.to_owned(), look: look.to_owned(), is }
    }
}

fn subject(what: &What) -> (&'static str, String) {
    match what {
        What::Port { from, to, .. } => ("port", format!("{from} -> {to}")),
        What::Owner { vip, address, .. } => ("owner", format!("{vip} {address}")),
        What::Name { name, .. } => ("name", name.clone()),
        What::Reverse { address, .. } => ("address", address.to_string()),
        What::Clock { server } => ("clock", server.to_string()),
        What::Route { to, .. } => ("route", to.to_string()),
        What::Api { at } => ("api", format!("https://{at}")),
        What::Certificate { at, name: None } => ("certificate", at.to_string()),
        What::Certificate { at, name: Some(name) } => ("certificate", format!("{name} at {at}")),
        What::Export { server, path, .. } => ("export", format!("{server}:{path}")),
        What::Database { server, database, .. } => ("database", format!("{database} at {server}")),
    }
}

/// A table, then what is wrong with where to look, then the sum.
pub(crate) fn report(report: &Report, paint: Paint) -> String {
    let rows = report.rows.iter().map(|row| {
        let tone = match row.is {
            Verdict::True => Tone::Good,
            Verdict::False => Tone::Bad,
            Verdict::Unjudged => Tone::Warn,
        };
        [
            Cell::toned(row.verdict, tone),
            Cell::left(row.kind),
            Cell::left(&row.of),
            Cell::left(&row.expected),
            Cell::left(&row.found),
            Cell::left(&row.purpose),
        ]
    });
    let mut text = format!("seen from {}\n\n", report.from);
    text += &table(["", "WHAT", "OF", "EXPECTED", "FOUND", "WHY"], rows.collect(), paint);
    for row in report.rows.iter().filter(|row| row.is == Verdict::False) {
        let Row { kind, of, expected, found, look, .. } = row;
        text +=
            &format!("\n{} {kind} {of}: expected {expected}, found {found}\n  look at {look}\n", paint.bad("not so:"));
    }
    let Report { so, not_so, not_judged, .. } = report;
    text + &format!("\n{so} so, {not_so} not so, {not_judged} not judged from here\n")
}
