//! The account: every statement of every file and what became of it, and what an operator should look at.

mod lint;
mod report;

pub use lint::{Code, Lint};
pub use report::Report;

use serde::Serialize;

/// A line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    file: usize,
    line: usize,
}

/// A value and the line it was said on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said<T> {
    pub(crate) at: At,
    pub(crate) value: T,
}

/// What became of a line. The worst that happened to it anywhere counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It means the same here.
    Kept,
    /// It is there in another form; the words say which.
    Changed,
    /// It is not there, and what clients get is the same or better without it.
    Dropped,
    /// Its meaning cannot be had here: what it is part of was left out.
    Refused,
}

impl Fate {
    /// As the report calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Changed => "changed",
            Self::Dropped => "dropped",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Note {
    fate: Fate,
    words: String,
}

#[derive(Debug)]
struct Line {
    number: usize,
    text: String,
    notes: Vec<Note>,
}

#[derive(Debug)]
struct File {
    name: String,
    lines: Vec<Line>,
}

/// Every file that was read.
#[derive(Debug, Default)]
pub struct Ledger {
    files: Vec<File>,
    lints: Vec<Lint>,
}

/// Words after which a secret stands. Reports are sent to others.
const SECRET_AFTER: [&str; 5] = ["auth_pass", "stats auth", "password", "insecure-password", "auth_hmac_key"];

impl Ledger {
    pub(crate) fn open(&mut self, name: &str) -> usize {
        self.files.push(File { name: name.to_owned(), lines: Vec::new() });
        self.files.len() - 1
    }

    /// Takes a line in; lines come in their order.
    pub(crate) fn line(&mut self, file: usize, number: usize, text: &str) -> At {
        let line = Line { number, text: without_secret(text), notes: Vec::new() };
        self.files[file].lines.push(line);
        At { file, line: self.files[file].lines.len() - 1 }
    }

    pub(crate) fn note(&mut self, at: At, fate: Fate, words: impl Into<String>) {
        let note = Note { fate, words: words.into() };
        let notes = &mut self.files[at.file].lines[at.line].notes;
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    pub(crate) fn kept(&mut self, at: At, words: impl Into<String>) {
        self.note(at, Fate::Kept, words);
    }

    pub(crate) fn changed(&mut self, at: At, words: impl Into<String>) {
        self.note(at, Fate::Changed, words);
    }

    pub(crate) fn dropped(&mut self, at: At, words: impl Into<String>) {
        self.note(at, Fate::Dropped, words);
    }

    pub(crate) fn refused(&self) -> usize {
        self.lines().filter(|line| fate(line) == Fate::Refused).count()
    }

    pub(crate) fn refuse(&mut self, at: At, words: impl Into<String>) {
        self.note(at, Fate::Refused, words);
    }

    pub(crate) fn lint(&mut self, code: Code, at: At, problem: impl Into<String>, advice: impl Into<String>) {
        let place = self.place(at);
        let lint = Lint { code, place, problem: problem.into(), advice: advice.into() };
        if !self.lints.contains(&lint) {
            self.lints.push(lint);
        }
    }

    /// `file:line`.
    pub(crate) fn place(&self, at: At) -> String {
        let file = &self.files[at.file];
        format!("{}:{}", file.name, file.lines[at.line].number)
    }

    pub(crate) fn is_refused(&self, at: At) -> bool {
        self.files[at.file].lines[at.line].notes.iter().any(|note| note.fate == Fate::Refused)
    }

    pub(crate) fn is_noted(&self, at: At) -> bool {
        !self.files[at.file].lines[at.line].notes.is_empty()
    }

    /// A line that nothing asked for was said again later, or is for nobody.
    pub(crate) fn account_for_the_rest(&mut self) {
        for line in self.files.iter_mut().flat_map(|file| &mut file.lines).filter(|line| line.notes.is_empty()) {
            let words = "nothing that was imported uses it: said otherwise further down, or for nobody".to_owned();
            line.notes.push(Note { fate: Fate::Dropped, words });
        }
    }

    /// What should be looked at.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }

    /// How many lines there are, and how many had `fate`.
    pub fn count(&self, of: Fate) -> usize {
        self.lines().filter(|line| fate(line) == of).count()
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.files.iter().flat_map(|file| &file.lines)
    }
}

fn fate(line: &Line) -> Fate {
    line.notes.iter().map(|note| note.fate).max().unwrap_or(Fate::Dropped)
}

fn without_secret(text: &str) -> String {
    let text = text.trim();
    let normal = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in SECRET_AFTER {
        if let Some(at) = normal.find(&format!("{word} ")) {
            return format!("{} ...", &normal[..at + word.len()]);
        }
    }
    text.to_owned()
}
