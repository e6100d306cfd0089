//! What a reader finds wrong, gathered so that one run shows it all.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Severity};

/// A place in the file: its bytes, and the field as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) span: Range<usize>,
    pub(crate) field: String,
}

/// A value and where it was typed.
#[derive(Debug, Clone)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<T> Located<T> {
    pub(crate) fn map<U>(self, convert: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: convert(self.value), place: self.place }
    }
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
}

impl Findings {
    /// Breaks `code` at `place`: what is wrong, and the edit that mends it.
    pub(crate) fn add(&mut self, code: Code, place: &Place, problem: impl Into<String>, fix: impl Into<String>) {
        let Place { span, field } = place.clone();
        self.list.push(Diagnostic { code, span, field, problem: problem.into(), fix: fix.into(), related: None });
    }

    /// Shows a second place beside the newest finding.
    pub(crate) fn because(&mut self, place: &Place, label: impl Into<String>) {
        if let Some(newest) = self.list.last_mut() {
            newest.related = Some((place.span.clone(), label.into()));
        }
    }

    /// The file is refused.
    pub(crate) fn refused(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }

    /// The errors, or else the warnings: what looks unused in a refused file may only have lost the line that uses it.
    pub(crate) fn into_list(mut self) -> Vec<Diagnostic> {
        if self.refused() {
            self.list.retain(|diagnostic| diagnostic.severity() == Severity::Error);
        }
        self.list
    }
}
