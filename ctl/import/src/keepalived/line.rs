//! Lines: comments off, `include` in place, `@name` for one node, `$NAME=value` for the lines below.

use std::collections::BTreeMap;

use super::quoting::{Part, Quoting};
use crate::ledger::{At, Ledger};
use crate::{Source, Surroundings};

/// Files that include files: Keepalived has no bound, a loop has no end.
const DEEPEST: usize = 8;

/// A line with something on it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) at: At,
    condition: Option<Condition>,
    pub(super) text: String,
}

/// `@name`, `@^name`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    name: String,
    holds_for_it: bool,
}

/// Every line of a file and of those it includes.
pub(super) fn read(source: &Source, surroundings: &dyn Surroundings, ledger: &mut Ledger) -> Vec<Line> {
    let mut lines = Vec::new();
    append(source, surroundings, 0, &mut lines, ledger);
    lines
}

fn append(source: &Source, surroundings: &dyn Surroundings, depth: usize, into: &mut Vec<Line>, ledger: &mut Ledger) {
    let file = ledger.open(&source.name);
    // Lines of an included file are told of in that file, so all of this one are taken in first.
    let mut own = Vec::new();
    for (number, text) in joined(&source.text) {
        let text = without_comment(&text);
        if text.trim_matches(['{', '}', ' ', '\t']).is_empty() && !text.trim().is_empty() {
            // A brace alone is grammar, and no line to account for; it belongs to the line before.
            own.push((None, text));
        } else if !text.trim().is_empty() {
            own.push((Some(ledger.line(file, number, &text)), text));
        }
    }
    let first = own.iter().find_map(|(at, _)| *at);
    let mut last = first;
    for (at, text) in own {
        last = at.or(last);
        let Some(at) = last else { continue };
        let (condition, text) = conditional(text.trim());
        match include(text) {
            Some(pattern) => included(pattern, at, &source.name, surroundings, depth, into, ledger),
            None => into.push(Line { at, condition, text: text.to_owned() }),
        }
    }
}

/// A line that ends with a backslash goes on in the next one.
fn joined(text: &str) -> Vec<(usize, String)> {
    let (mut lines, mut open): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        let goes_on = line.trim_end().ends_with('\\');
        let part = line.trim_end().trim_end_matches('\\');
        match lines.last_mut().filter(|_| open) {
            Some((_, last)) => {
                last.push(' ');
                last.push_str(part);
            }
            None => lines.push((index + 1, part.to_owned())),
        }
        open = goes_on;
    }
    lines
}

/// `#` and `!` begin a comment, where no quote is open.
fn without_comment(line: &str) -> String {
    let (mut quoting, mut in_word) = (Quoting::default(), false);
    let end = line.find(|c: char| {
        let part = quoting.next(c, in_word);
        in_word = part != Part::Plain || !c.is_whitespace();
        part == Part::Plain && matches!(c, '#' | '!')
    });
    line[..end.unwrap_or(line.len())].to_owned()
}

fn conditional(text: &str) -> (Option<Condition>, &str) {
    let Some(rest) = text.strip_prefix('@') else { return (None, text) };
    let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (holds_for_it, name) = name.strip_prefix('^').map_or((true, name), |name| (false, name));
    (Some(Condition { name: name.to_owned(), holds_for_it }), rest.trim_start())
}

fn include(text: &str) -> Option<&str> {
    let (word, rest) = text.split_once(char::is_whitespace)?;
    matches!(word, "include" | "includer" | "includew" | "includeb" | "includem" | "includea")
        .then(|| rest.trim().trim_matches('"'))
}

fn included(
    pattern: &str,
    at: At,
    from: &str,
    surroundings: &dyn Surroundings,
    depth: usize,
    into: &mut Vec<Line>,
    ledger: &mut Ledger,
) {
    if depth >= DEEPEST {
        ledger.refuse(at, format!("files include one another more than {DEEPEST} deep"));
        return;
    }
    match surroundings.included(pattern, from) {
        Ok(files) if files.is_empty() => ledger.changed(at, "no file has such a name, so nothing is included"),
        Ok(files) => {
            let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
            ledger.kept(at, format!("read: {}", names.join(", ")));
            files.iter().for_each(|file| append(file, surroundings, depth + 1, into, ledger));
        }
        Err(words) => ledger.refuse(at, words),
    }
}

/// The nodes that lines are for, in their order.
pub(super) fn conditions(lines: &[Line]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for Condition { name, .. } in lines.iter().filter_map(|line| line.condition.as_ref()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The lines that `node` has, variables in place.
pub(super) fn of_node(lines: &[Line], node: Option<&str>, ledger: &mut Ledger) -> Vec<Line> {
    let mut variables = BTreeMap::new();
    let mut own = Vec::new();
    for line in lines {
        let applies = |condition: &Condition| (node == Some(condition.name.as_str())) == condition.holds_for_it;
        if !line.condition.as_ref().is_none_or(applies) {
            continue;
        }
        let text = expanded(&line.text, &variables, line.at, ledger);
        if let Some((name, value)) = definition(&text) {
            ledger.kept(line.at, "used while reading");
            variables.insert(name.to_owned(), value.trim().to_owned());
        } else if text.starts_with('~') {
            ledger.refuse(line.at, "~SEQ and ~LST repeat lines: write them out");
        } else {
            own.push(Line { text, ..line.clone() });
        }
    }
    own
}

fn definition(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.strip_prefix('$')?.split_once('=')?;
    (!name.is_empty() && name.chars().all(is_of_name)).then_some((name, value))
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// `$NAME` and `${NAME}`; a definition's own name stays.
fn expanded(text: &str, variables: &BTreeMap<String, String>, at: At, ledger: &mut Ledger) -> String {
    let mut out = String::new();
    let mut rest = text;
    if definition(text).is_some() {
        let (head, value) = text.split_at(text.find('=').unwrap_or(0));
        out.push_str(head);
        rest = value;
    }
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let (braced, body) = after.strip_prefix('{').map_or((false, after), |body| (true, body));
        let end = body.find(|c| !is_of_name(c)).unwrap_or(body.len());
        let (name, tail) = body.split_at(end);
        match variables.get(name) {
            Some(value) => out.push_str(value),
            None if name.is_empty() => out.push('$'),
            None => ledger.refuse(at, format!("the variable ${name} is defined nowhere above")),
        }
        rest = if braced { tail.strip_prefix('}').unwrap_or(tail) } else { tail };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_begins_where_nothing_is_quoted() {
        assert_eq!(without_comment("priority 100 ! the first"), "priority 100 ");
        assert_eq!(without_comment("script \"/bin/a # b\" # c"), "script \"/bin/a # b\" ");
        assert_eq!(without_comment("script '/bin/a ! b' ! c"), "script '/bin/a ! b' ");
        assert_eq!(without_comment("script \"a \\\" # b\" # c"), "script \"a \\\" # b\" ");
    }

    #[test]
    fn variables_stand_in_for_their_text() {
        let mut ledger = Ledger::default();
        let file = ledger.open("keepalived.conf");
        let at = ledger.line(file, 1, "x");
        let variables = BTreeMap::from([("VIP".to_owned(), "10.0.0.1".to_owned())]);
        assert_eq!(expanded("$VIP/24 ${VIP}x", &variables, at, &mut ledger), "10.0.0.1/24 10.0.0.1x");
        assert_eq!(definition("$VIP=10.0.0.1"), Some(("VIP", "10.0.0.1")));
        assert!(!ledger.is_refused(at));
        expanded("$NONE", &variables, at, &mut ledger);
        assert!(ledger.is_refused(at));
    }
}
