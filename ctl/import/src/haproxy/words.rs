//! A line into words (configuration.txt 2.2 and 2.3): `\` escapes, `"` keeps blanks and expands variables, `'` keeps everything,
//! `#` begins a comment where nothing quotes it.

use std::iter::Peekable;
use std::str::Chars;

/// Why a line has no words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WordError {
    #[error("a quote is opened and never closed")]
    OpenQuote,
    #[error("\\x needs two hexadecimal digits, and no zero")]
    BadHex,
    #[error("a variable is opened with ${{ and never closed")]
    OpenVariable,
    #[error(
        "the variable {0} is not set here; set it for this command, with what the service has (systemctl show haproxy, /etc/default/haproxy)"
    )]
    Unset(String),
}

/// What `variable` knows of HAProxy's environment.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The words of `line`; none for a comment or an empty line.
///
/// # Errors
/// What HAProxy would refuse, or what is not known here.
pub(super) fn split(line: &str, environment: Environment<'_>) -> Result<Vec<String>, WordError> {
    let mut reader = Reader { rest: line.chars().peekable(), environment, words: Vec::new(), word: None };
    reader.run()?;
    Ok(reader.words)
}

/// Addresses have their variables expanded without quotes too (`str2sa_range`).
///
/// # Errors
/// As [`split`].
pub(super) fn expand(text: &str, environment: Environment<'_>) -> Result<String, WordError> {
    let mut reader =
        Reader { rest: text.chars().peekable(), environment, words: Vec::new(), word: Some(String::new()) };
    while let Some(c) = reader.rest.next() {
        match c {
            '$' => reader.variable()?,
            c => reader.push(c),
        }
    }
    Ok(reader.word.unwrap_or_default())
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    environment: Environment<'a>,
    words: Vec<String>,
    word: Option<String>,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), WordError> {
        while let Some(c) = self.rest.next() {
            match c {
                '#' => break,
                c if c.is_ascii_whitespace() => self.words.extend(self.word.take()),
                '\'' => self.strong()?,
                '"' => self.weak()?,
                '\\' => self.escape()?,
                c => self.push(c),
            }
        }
        self.words.extend(self.word.take());
        Ok(())
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn strong(&mut self) -> Result<(), WordError> {
        self.word.get_or_insert_default();
        loop {
            match self.rest.next() {
                None => return Err(WordError::OpenQuote),
                Some('\'') => return Ok(()),
                Some(c) => self.push(c),
            }
        }
    }

    fn weak(&mut self) -> Result<(), WordError> {
        self.word.get_or_insert_default();
        loop {
            match self.rest.next() {
                None => return Err(WordError::OpenQuote),
                Some('"') => return Ok(()),
                Some('\\') => self.escape()?,
                Some('$') => self.variable()?,
                Some(c) => self.push(c),
            }
        }
    }

    /// What is no escape keeps its backslash: expressions of `reg` are full of them.
    fn escape(&mut self) -> Result<(), WordError> {
        let Some(&next) = self.rest.peek() else {
            self.push('\\');
            return Ok(());
        };
        let meant = match next {
            ' ' | '#' | '\\' | '\'' | '"' | '$' => next,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'x' => return self.hexadecimal(),
            _ => {
                self.push('\\');
                return Ok(());
            }
        };
        self.rest.next();
        self.push(meant);
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<(), WordError> {
        self.rest.next();
        let mut digit = || self.rest.next().and_then(|c| c.to_digit(16)).ok_or(WordError::BadHex);
        let value = digit()? * 16 + digit()?;
        let c = char::from_u32(value).filter(|c| *c != '\0').ok_or(WordError::BadHex)?;
        self.push(c);
        Ok(())
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}`.
    fn variable(&mut self) -> Result<(), WordError> {
        let braced = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        if name.is_empty() && !braced {
            self.push('$');
            return Ok(());
        }
        let default = if braced { self.rest_of_braces()? } else { None };
        let value = (self.environment)(&name).or(default).ok_or(WordError::Unset(name))?;
        value.chars().for_each(|c| self.push(c));
        Ok(())
    }

    fn rest_of_braces(&mut self) -> Result<Option<String>, WordError> {
        let mut rest = String::new();
        loop {
            match self.rest.next() {
                None => return Err(WordError::OpenVariable),
                Some('}') => break,
                Some(c) => rest.push(c),
            }
        }
        Ok(rest.strip_prefix('-').map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, WordError> {
        let environment = |name: &str| (name == "PORT").then(|| "6443".to_owned());
        split(line, &environment)
    }

    fn are(line: &str, expected: &[&str]) {
        assert_eq!(words(line).unwrap(), expected, "{line}");
    }

    #[test]
    fn blanks_part_words_and_a_sharp_ends_the_line() {
        are("  server a\t10.0.0.1:80  # the first", &["server", "a", "10.0.0.1:80"]);
        are("log 1.2.3.4#gone", &["log", "1.2.3.4"]);
        are("# only a comment", &[]);
        are("", &[]);
    }

    #[test]
    fn quotes_and_backslashes_keep_what_they_quote() {
        are(r#"tcp-check send "PING\r\n""#, &["tcp-check", "send", "PING\r\n"]);
        are(r"errorfile a\ b\#c 'it is # \n so'", &["errorfile", "a b#c", r"it is # \n so"]);
        are(r#"a"b c"'d e'f """#, &["ab cd ef", ""]);
        are(r"reg ^a\.b\x41", &["reg", r"^a\.bA"]);
    }

    #[test]
    fn variables_are_expanded_in_double_quotes_alone() {
        are(
            r#"bind "*:${PORT}" "$PORT" '$PORT' $PORT "\$PORT""#,
            &["bind", "*:6443", "6443", "$PORT", "$PORT", "$PORT"],
        );
        are(r#""${NONE-7}x""#, &["7x"]);
        assert_eq!(words(r#""$NONE""#), Err(WordError::Unset("NONE".to_owned())));
    }

    #[test]
    fn what_haproxy_refuses_is_refused() {
        assert_eq!(words("a 'b"), Err(WordError::OpenQuote));
        assert_eq!(words("a \"b"), Err(WordError::OpenQuote));
        assert_eq!(words(r"a \x4"), Err(WordError::BadHex));
        assert_eq!(words(r#""${PORT"#), Err(WordError::OpenVariable));
    }
}
