//! What is wrong with a configuration file: where, which field, why, and the edit that mends it.

mod code;
mod render;

use std::fmt;
use std::ops::Range;

pub use code::{Code, Rule};

/// One thing that is wrong, or doubtful, in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that was broken.
    pub code: Rule,
    /// The bytes of the source that break it.
    pub span: Range<usize>,
    /// The field as typed, for example `frontends.web.ports`; empty for the whole file.
    pub field: String,
    /// What is wrong: one sentence part, lower case, no full stop.
    pub problem: String,
    /// The edit that mends it, in the imperative.
    pub fix: String,
    /// Another place that explains this one, and what it says there.
    pub related: Option<(Range<usize>, String)>,
}

impl Diagnostic {
    /// Whether the file is refused for it.
    pub fn severity(&self) -> Severity {
        self.code.severity
    }
}

/// Whether a file is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file has no meaning as it stands.
    Error,
    /// The file is taken; an operator should look at this place.
    Warning,
}

/// Everything found in one file, in the order of the file, together with the text needed to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    file_name: String,
    source: String,
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// What was `found` in `source`. Keeps a copy of it, since it is shown long after the file was read.
    pub fn new(file_name: &str, source: &str, mut found: Vec<Diagnostic>) -> Self {
        found.sort_by_key(|diagnostic| diagnostic.span.start);
        Self { file_name: file_name.to_owned(), source: source.to_owned(), found }
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Each one, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.found.iter()
    }

    /// Every finding with its source line, a caret and the fix, ready for a terminal; `coloured`: with ANSI escapes. Empty when
    /// nothing was found.
    pub fn render(&self, coloured: bool) -> String {
        render::report(&self.file_name, &self.source, &self.found, coloured)
    }

    /// Every finding on one line of its own: `file:line:column: field: problem; fix`.
    pub fn lines(&self) -> String {
        self.found.iter().map(|diagnostic| render::line(&self.file_name, &self.source, diagnostic) + "\n").collect()
    }
}

impl fmt::Display for Diagnostics {
    /// The one-line form, for logs and answers of the admin API.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.lines().trim_end())
    }
}

impl std::error::Error for Diagnostics {}
