//! `token_file`: on each line the name of somebody who may command, and a token.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ring::{hmac, rand};

use crate::secret_file;

/// 128 bits, written as hexadecimal digits.
const SHORTEST: usize = 32;

/// Who may command. What is kept of a token is its MAC under a key of this process: nothing that a dump could give away, and compared in
/// a time that says nothing.
pub(super) struct Tokens {
    key: hmac::Key,
    known: Vec<(String, hmac::Tag)>,
}

impl Tokens {
    /// Errors: who must be able to read it, what a line must be.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let octets = secret_file::read("admin.remote.token_file", path)?;
        let text = String::from_utf8(octets).map_err(|_| anyhow::anyhow!("is no text"));
        text.and_then(|text| Self::parse(&text)).with_context(|| format!("admin.remote.token_file {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new());
        let key = key.map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
        let known: Result<Vec<_>> = secret_file::lines(text)
            .enumerate()
            .map(|(at, line)| {
                let (name, token) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let (number, token) = (at + 1, token.trim());
                ensure!(token.len() >= SHORTEST, "entry {number} is not a name and a token of {SHORTEST} characters or more; openssl rand -hex 32 makes one");
                ensure!(name.len() <= 64 && name.chars().all(|c| c.is_ascii_graphic()), "entry {number} has a name that is over 64 characters or not ASCII");
                Ok((name.to_owned(), hmac::sign(&key, token.as_bytes())))
            })
            .collect();
        let known = known?;
        ensure!(
            !known.is_empty(),
            "holds no token; write a name and a token on a line: echo ops $(openssl rand -hex 32)"
        );
        Ok(Self { key, known })
    }

    /// Whose token it is.
    pub(super) fn name_of(&self, token: &[u8]) -> Option<&str> {
        let is_it = |tag: &hmac::Tag| hmac::verify(&self.key, token, tag.as_ref()).is_ok();
        self.known.iter().find(|(_, tag)| is_it(tag)).map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: &str = "0123456789abcdef0123456789abcdef";
    const BOT: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn a_token_has_a_name_and_nothing_else_has() {
        let tokens = Tokens::parse(&format!("# people\nops {OPS}\n\nbot\t{BOT}\n")).unwrap();
        assert_eq!(tokens.name_of(OPS.as_bytes()), Some("ops"));
        assert_eq!(tokens.name_of(BOT.as_bytes()), Some("bot"));
        for wrong in ["", "ops", &OPS[1..], &format!("{OPS}0"), &format!("{OPS} ")] {
            assert_eq!(tokens.name_of(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_it_shows_of_itself_is_names() {
        let shown = format!("{:?}", Tokens::parse(&format!("ops {OPS}")).unwrap());
        assert_eq!(shown, "[\"ops\"]");
    }

    #[test]
    fn a_file_without_a_good_token_is_refused_without_repeating_it() {
        for (text, says) in [
            ("", "holds no token"),
            ("# none\n", "holds no token"),
            ("ops\n", "entry 1 is not a name and a token"),
            (&format!("ops {OPS}\nbot secret\n"), "entry 2 is not a name and a token"),
            (&format!("{OPS}\n"), "entry 1 is not a name and a token"),
        ] {
            let said = format!("{:#}", Tokens::parse(text).unwrap_err());
            assert!(said.contains(says) && !said.contains("secret") && !said.contains(OPS), "{said}");
        }
    }
}
