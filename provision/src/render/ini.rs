//! Texts of `[Section]` and `key=value`: units, connections of NetworkManager, WireGuard.

use std::fmt::{Display, Write};

/// Sections in the order in which they were begun.
#[derive(Debug)]
pub(crate) struct Ini {
    text: String,
}

impl Ini {
    pub(crate) fn new() -> Self {
        Self { text: format!("{}\n", super::RENDERED) }
    }

    pub(crate) fn section(mut self, name: &str) -> Self {
        write!(self.text, "\n[{name}]\n").expect("a text grows");
        self
    }

    pub(crate) fn key(mut self, key: &str, value: impl Display) -> Self {
        writeln!(self.text, "{key}={value}").expect("a text grows");
        self
    }

    /// One line for each value: a key that may stand several times.
    pub(crate) fn each<V: Display>(self, key: &str, values: impl IntoIterator<Item = V>) -> Self {
        values.into_iter().fold(self, |ini, value| ini.key(key, value))
    }

    pub(crate) fn text(self) -> String {
        self.text
    }
}
