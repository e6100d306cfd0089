//! What differs, in lines that a person can read.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What becomes of it.
    pub sign: Sign,
    /// The line, or `field: before -> after`.
    pub text: String,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// It comes.
    Added,
    /// It goes.
    Removed,
    /// It becomes another.
    Changed,
    /// It stays, and shows where the others are.
    Around,
}

impl Sign {
    /// In front of a line.
    pub fn mark(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Around => ' ',
        }
    }
}

impl Line {
    pub(super) fn new(sign: Sign, text: impl Into<String>) -> Self {
        Self { sign, text: text.into() }
    }
}

/// Lines that stand around one that differs.
const AROUND: usize = 1;

/// Two texts, line by line. Values of secrets are not shown: what lies on a machine may hold some, what is rendered never does.
pub fn texts(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (at, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if at > 0 {
            lines.push(Line::new(Sign::Around, "..."));
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => Sign::Removed,
                ChangeTag::Insert => Sign::Added,
                ChangeTag::Equal => Sign::Around,
            };
            let text: &str = change.value();
            lines.push(Line::new(sign, hidden(text.trim_end())));
        }
    }
    lines
}

/// Words of keys whose values are secrets.
const SECRET: [&str; 5] = ["password", "privatekey", "psk", "secret", "token"];

/// `PrivateKey = ...`: the key without its value. A path is none.
fn hidden(line: &str) -> String {
    let Some(at) = line.find(['=', ':']) else { return line.to_owned() };
    let (key, value) = (&line[..at], line[at + 1..].trim());
    let word: String = key.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
    let secret = SECRET.iter().any(|secret| word.ends_with(secret)) && !value.is_empty() && !value.starts_with('/');
    if secret { format!("{}{} (not shown)", key, &line[at..=at]) } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[Line]) -> Vec<String> {
        lines.iter().map(|line| format!("{}{}", line.sign.mark(), line.text)).collect()
    }

    #[test]
    fn only_lines_around_a_difference_are_shown() {
        let before: String = (0..20).map(|at| format!("line {at}\n")).collect();
        let after = before.replace("line 7\n", "line seven\n").replace("line 19\n", "");
        assert_eq!(
            shown(&texts(&before, &after)),
            [" line 6", "-line 7", "+line seven", " line 8", " ...", " line 18", "-line 19"]
        );
    }

    #[test]
    fn a_secret_that_lies_on_a_machine_is_not_shown() {
        let before = "PrivateKey = cGFzcw==\ntoken-file: /etc/token\ntoken: abc\npsk=letmein\n";
        let lines = shown(&texts(before, "")).join("\n");
        assert!(!lines.contains("cGFzcw") && !lines.contains("abc") && !lines.contains("letmein"), "{lines}");
        assert!(lines.contains("-token-file: /etc/token"), "a path is no secret: {lines}");
    }

    #[test]
    fn equal_texts_differ_in_nothing() {
        assert_eq!(texts("a\nb\n", "a\nb\n"), []);
    }
}
