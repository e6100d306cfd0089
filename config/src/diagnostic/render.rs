//! Findings as text: with a caret for people, on one line for logs.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity};

/// Every finding as a block in the manner of the compiler, then a line that counts them; empty when there is none.
pub(super) fn report(file_name: &str, source: &str, found: &[Diagnostic], coloured: bool) -> String {
    if found.is_empty() {
        return String::new();
    }
    let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in found {
        text.push_str(&renderer.render(&[group(file_name, source, diagnostic)]));
        text.push_str("\n\n");
    }
    text.push_str(&summary(file_name, found));
    text
}

/// `file:line:column: field: problem; fix`.
pub(super) fn line(file_name: &str, source: &str, diagnostic: &Diagnostic) -> String {
    let (line, column) = position(source, diagnostic.span.start);
    let Diagnostic { problem, fix, .. } = diagnostic;
    format!("{file_name}:{line}:{column}: {}{problem}; {fix}", subject(diagnostic))
}

fn group<'a>(file_name: &'a str, source: &'a str, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let primary = AnnotationKind::Primary.span(visible(source, &diagnostic.span));
    let mut snippet = Snippet::source(source).path(file_name).annotation(primary);
    if let Some((span, label)) = &diagnostic.related {
        snippet = snippet.annotation(AnnotationKind::Context.span(visible(source, span)).label(label.as_str()));
    }
    let title = format!("{}{}", subject(diagnostic), diagnostic.problem);
    level
        .primary_title(title)
        .id(diagnostic.code.as_str())
        .element(snippet)
        .element(Level::HELP.message(diagnostic.fix.as_str()))
}

fn subject(diagnostic: &Diagnostic) -> String {
    if diagnostic.field.is_empty() { String::new() } else { format!("{}: ", diagnostic.field) }
}

fn summary(file_name: &str, found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
    let parts = [counted(errors, "error"), counted(found.len() - errors, "warning")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{file_name}: {}", parts.join(", "))
}

fn counted(count: usize, noun: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{count} {noun}s")),
    }
}

/// The first line of a span, within the source and on character borders, so that a caret never underlines half a file.
fn visible(source: &str, span: &Range<usize>) -> Range<usize> {
    let start = floor(source, span.start);
    let end = floor(source, span.end).max(start);
    let first_line = source[start..end].find('\n').map_or(end, |at| start + at);
    start..first_line
}

fn floor(source: &str, at: usize) -> usize {
    (0..=at.min(source.len())).rev().find(|&at| source.is_char_boundary(at)).unwrap_or(0)
}

/// Line and column, both from 1, the column in characters.
fn position(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..floor(source, at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        assert_eq!(position("a\nñb = 1\n", 0), (1, 1));
        assert_eq!(position("a\nñb = 1\n", "a\nñ".len()), (2, 2));
        assert_eq!(position("a\n", 99), (2, 1));
    }

    #[test]
    fn a_caret_stays_on_the_first_line_and_on_characters() {
        assert_eq!(visible("ab\ncd", &(1..5)), 1..2);
        assert_eq!(visible("ñ", &(1..2)), 0..2);
        assert_eq!(visible("ab", &(7..9)), 2..2);
    }
}
