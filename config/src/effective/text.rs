//! TOML as it is written: tables, aligned comments, quoted values.

use std::fmt::Display;

/// Comments start here when the line before them is shorter.
const COMMENT_COLUMN: usize = 48;

/// A TOML text that grows line by line.
#[derive(Debug)]
pub(super) struct Text {
    text: String,
}

impl Text {
    /// Starts with a comment for the whole file.
    pub(super) fn new(comment: &str) -> Self {
        Self { text: format!("# {comment}\n") }
    }

    /// A table's header after an empty line; no comment when it is empty.
    pub(super) fn table(&mut self, header: &str, comment: &str) {
        self.text.push('\n');
        self.push(header.to_owned(), comment);
    }

    /// `key = value`; no comment when it is empty.
    pub(super) fn line(&mut self, key: &str, value: impl Display, comment: &str) {
        self.push(format!("{key} = {value}"), comment);
    }

    /// A comment of its own, for a key that is left out.
    pub(super) fn remark(&mut self, comment: &str) {
        self.push(format!("# {comment}"), "");
    }

    /// The whole text.
    pub(super) fn into_string(self) -> String {
        self.text
    }

    fn push(&mut self, line: String, comment: &str) {
        if comment.is_empty() {
            self.text.push_str(&line);
        } else {
            self.text.push_str(&format!("{line:<COMMENT_COLUMN$} # {comment}"));
        }
        self.text.push('\n');
    }
}

/// A value as a TOML string.
pub(super) fn quoted(value: impl Display) -> String {
    toml::Value::String(value.to_string()).to_string()
}

/// Values as a TOML list.
pub(super) fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

/// A name as a TOML key: quoted when it holds a dot, which would nest it.
pub(super) fn key(name: &str) -> String {
    if name.contains('.') { quoted(name) } else { name.to_owned() }
}
