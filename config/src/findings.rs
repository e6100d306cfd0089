//! What a reader of a TOML file finds wrong, gathered so that one run shows it all.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Rule, Severity};

/// A place in the file: its bytes, and the field as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the source.
    pub span: Range<usize>,
    /// For example `frontends.web.ports`; empty for the whole file.
    pub field: String,
}

/// A value and where it was typed.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// What was typed.
    pub value: T,
    /// Where.
    pub place: Place,
}

impl<T> Located<T> {
    /// Another value at the same place.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: convert(self.value), place: self.place }
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Diagnostic>,
}

impl Findings {
    /// Breaks `rule` at `place`: what is wrong, and the edit that mends it.
    pub fn add(&mut self, rule: impl Into<Rule>, place: &Place, problem: impl Into<String>, fix: impl Into<String>) {
        let Place { span, field } = place.clone();
        let code = rule.into();
        self.list.push(Diagnostic { code, span, field, problem: problem.into(), fix: fix.into(), related: None });
    }

    /// Shows a second place beside the newest finding.
    pub fn because(&mut self, place: &Place, label: impl Into<String>) {
        if let Some(newest) = self.list.last_mut() {
            newest.related = Some((place.span.clone(), label.into()));
        }
    }

    /// The file is refused.
    pub fn refused(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// The errors, or else the warnings: what looks unused in a refused file may only have lost the line that uses it.
    pub fn into_list(mut self) -> Vec<Diagnostic> {
        if self.refused() {
            self.list.retain(|diagnostic| diagnostic.severity() == Severity::Error);
        }
        self.list
    }
}
