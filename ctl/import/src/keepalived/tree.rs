//! Lines into blocks: words, and `{` `}` around what belongs to them.

use super::line::Line;
use super::quoting::{Part, Quoting};
use crate::ledger::{At, Ledger};

/// Words, and what stands between braces after them.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) at: At,
    pub(super) words: Vec<String>,
    /// `None`: no braces.
    pub(super) children: Option<Vec<Block>>,
}

impl Block {
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    pub(super) fn children(&self) -> &[Block] {
        self.children.as_deref().unwrap_or_default()
    }
}

#[derive(Debug)]
enum Token {
    Word(String),
    Open,
    Close,
    EndOfLine,
}

/// The blocks of a file. Braces that do not match are refused where they stand.
pub(super) fn read(lines: &[Line], ledger: &mut Ledger) -> Vec<Block> {
    // A stack of what is open: the innermost last.
    let mut open: Vec<Vec<Block>> = vec![Vec::new()];
    for line in lines {
        let mut words = Vec::new();
        for token in tokens(&line.text) {
            match token {
                Token::Word(word) => words.push(word),
                Token::EndOfLine => end(&mut open, line.at, &mut words),
                Token::Open => {
                    end(&mut open, line.at, &mut words);
                    open_block(&mut open, line.at, ledger);
                }
                Token::Close => {
                    end(&mut open, line.at, &mut words);
                    close(&mut open, line.at, ledger);
                }
            }
        }
    }
    while open.len() > 1 {
        if let Some(unclosed) = open[open.len() - 2].last() {
            ledger.refuse(unclosed.at, "its { is never closed");
        }
        fold(&mut open);
    }
    open.pop().unwrap_or_default()
}

fn end(open: &mut [Vec<Block>], at: At, words: &mut Vec<String>) {
    if !words.is_empty()
        && let Some(innermost) = open.last_mut()
    {
        innermost.push(Block { at, words: std::mem::take(words), children: None });
    }
}

fn open_block(open: &mut Vec<Vec<Block>>, at: At, ledger: &mut Ledger) {
    let innermost = open.last_mut().expect("the file itself is never closed");
    if innermost.last().is_none_or(|last| last.children.is_some()) {
        ledger.refuse(at, "a { follows nothing that could have one");
        innermost.push(Block { at, words: Vec::new(), children: None });
    }
    open.push(Vec::new());
}

fn close(open: &mut Vec<Vec<Block>>, at: At, ledger: &mut Ledger) {
    if open.len() == 1 {
        ledger.refuse(at, "a } closes nothing");
        return;
    }
    fold(open);
}

fn fold(open: &mut Vec<Vec<Block>>) {
    let children = open.pop().unwrap_or_default();
    if let Some(owner) = open.last_mut().and_then(|outer| outer.last_mut()) {
        owner.children = Some(children);
    }
}

fn tokens(line: &str) -> Vec<Token> {
    let (mut tokens, mut word, mut quoting) = (Vec::new(), None::<String>, Quoting::default());
    for c in line.chars() {
        match (quoting.next(c, word.is_some()), c) {
            // An empty quotation is a word too.
            (Part::Mark, _) => {
                word.get_or_insert_default();
            }
            (Part::Literal, _) => word.get_or_insert_default().push(c),
            (Part::Plain, '{' | '}') => {
                tokens.extend(word.take().map(Token::Word));
                tokens.push(if c == '{' { Token::Open } else { Token::Close });
            }
            (Part::Plain, c) if c.is_whitespace() => tokens.extend(word.take().map(Token::Word)),
            (Part::Plain, c) => word.get_or_insert_default().push(c),
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens.push(Token::EndOfLine);
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let named = |token| match token {
            Token::Word(word) => Some(word),
            Token::Open => Some("{".to_owned()),
            Token::Close => Some("}".to_owned()),
            Token::EndOfLine => None,
        };
        tokens(line).into_iter().filter_map(named).collect()
    }

    #[test]
    fn what_is_quoted_is_one_word_and_only_its_own_quote_ends_it() {
        for (line, expected) in [
            ("script '/bin/sh -c \"a } b\"'", vec!["script", "/bin/sh -c \"a } b\""]),
            ("script \"/bin/sh -c 'a { b'\"", vec!["script", "/bin/sh -c 'a { b'"]),
            (r#"script "say \"hello\" now""#, vec!["script", "say \"hello\" now"]),
            (r"script a\ b", vec!["script", "a b"]),
            ("notify_master \"\" root", vec!["notify_master", "", "root"]),
            ("priority 100}", vec!["priority", "100", "}"]),
            ("interface it's", vec!["interface", "it's"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
