//! Where quotes are open: within them nothing is a comment, a brace, or the end of a word.

/// The state of a reader between two characters.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Quoting {
    open: Option<char>,
    escaped: bool,
}

/// What a character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Of a word, whatever it looks like.
    Literal,
    /// What begins or ends a quotation, or makes the next one literal; no part of a word.
    Mark,
    /// What it looks like.
    Plain,
}

impl Quoting {
    /// Takes a character in. A single quote within a word is an apostrophe (`in_word`).
    pub(super) fn next(&mut self, c: char, in_word: bool) -> Part {
        if std::mem::take(&mut self.escaped) {
            return Part::Literal;
        }
        match (self.open, c) {
            (Some('"') | None, '\\') => {
                self.escaped = true;
                Part::Mark
            }
            (Some(open), c) if open == c => {
                self.open = None;
                Part::Mark
            }
            (Some(_), _) => Part::Literal,
            (None, '"') => self.begin(c),
            (None, '\'') if !in_word => self.begin(c),
            (None, _) => Part::Plain,
        }
    }

    fn begin(&mut self, quote: char) -> Part {
        self.open = Some(quote);
        Part::Mark
    }
}
