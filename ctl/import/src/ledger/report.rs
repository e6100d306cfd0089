//! The account in words, and in JSON.

use std::fmt;

use serde::Serialize;

use super::{Fate, Ledger, Lint, fate};

const FATES: [Fate; 4] = [Fate::Kept, Fate::Changed, Fate::Dropped, Fate::Refused];

/// The account as data: the same that [`Ledger`] prints.
#[derive(Debug, Serialize)]
pub struct Report<'ledger> {
    lines: Vec<ReportLine<'ledger>>,
    lints: &'ledger [Lint],
}

#[derive(Debug, Serialize)]
struct ReportLine<'ledger> {
    file: &'ledger str,
    line: usize,
    text: &'ledger str,
    fate: Fate,
    notes: Vec<&'ledger str>,
}

impl Ledger {
    /// As data.
    pub fn report(&self) -> Report<'_> {
        let lines = self.files.iter().flat_map(|file| {
            file.lines.iter().map(|line| ReportLine {
                file: &file.name,
                line: line.number,
                text: &line.text,
                fate: fate(line),
                notes: line.notes.iter().map(|note| note.words.as_str()).collect(),
            })
        });
        Report { lines: lines.collect(), lints: &self.lints }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "{}", file.name)?;
            for line in &file.lines {
                writeln!(f, "{:>5}  {:<7}  {}", line.number, fate(line).word(), line.text)?;
                line.notes.iter().try_for_each(|note| writeln!(f, "                {}", note.words))?;
            }
            writeln!(f)?;
        }
        if !self.lints.is_empty() {
            writeln!(f, "To look at")?;
        }
        for Lint { code, place, problem, advice } in &self.lints {
            writeln!(f, "  {place}: {code}: {problem}\n      {advice}")?;
        }
        if !self.lints.is_empty() {
            writeln!(f)?;
        }
        let counts = FATES.map(|fate| format!("{} {}", self.count(fate), fate.word()));
        writeln!(f, "{} lines: {}", self.lines().count(), counts.join(", "))
    }
}
