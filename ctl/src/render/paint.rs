//! Colour, where it is wanted.

use std::ffi::OsString;

/// Whether to colour: on a terminal, unless `NO_COLOR` is set (no-color.org) or `TERM` is `dumb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) fn new(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variable("TERM").is_some_and(|value| value == "dumb");
        Self { on: terminal && !unwanted && !dumb }
    }

    /// No colour at all.
    pub(crate) const fn plain() -> Self {
        Self { on: false }
    }

    /// For those who colour in another way.
    pub(crate) const fn is_on(self) -> bool {
        self.on
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.sgr("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.sgr("1;31", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.sgr("33", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.sgr("1", text)
    }

    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.good(text),
            Tone::Warn => self.warn(text),
            Tone::Bad => self.bad(text),
        }
    }

    fn sgr(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What a word means for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paint(terminal: bool, set: &'static [(&str, &str)]) -> String {
        let variable = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        Paint::new(terminal, variable).good("yes")
    }

    #[test]
    fn colour_needs_a_terminal_that_wants_it() {
        assert_eq!(paint(true, &[("TERM", "xterm")]), "\x1b[32myes\x1b[0m");
        assert_eq!(paint(true, &[("NO_COLOR", "")]), "\x1b[32myes\x1b[0m");
        assert_eq!(paint(true, &[("NO_COLOR", "1")]), "yes");
        assert_eq!(paint(true, &[("TERM", "dumb")]), "yes");
        assert_eq!(paint(false, &[]), "yes");
    }
}
