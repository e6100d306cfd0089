//! `[pair] key_file`: the secrets that the nodes share, a line each. The first one signs, every one is accepted.
//!
//! So a key is replaced without a moment in which the nodes do not understand each other: a new line at the end of the file on
//! every node, then on every node the new line first, then on every node the old line gone; after each step `fmc-lbctl reload`.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use fmc_vrrp::driver::PairKeys;

use crate::secret_file;

/// The shortest secret that is worth signing with (RFC 2104 §3: the length of the hash's output).
const SHORTEST: usize = 32;

/// The secrets in `path`. Errors: who must be able to read it, how long each must be, how many there may be.
pub(crate) fn read(path: &Path) -> Result<PairKeys> {
    let octets = secret_file::read("pair.key_file", path)?;
    parse(octets).with_context(|| format!("pair.key_file {}", path.display()))
}

fn parse(octets: Vec<u8>) -> Result<PairKeys> {
    let keys = match std::str::from_utf8(&octets) {
        Ok(text) => secret_file::lines(text).map(|line| line.as_bytes().to_vec()).collect(),
        // Not a text: random octets, one key as they are.
        Err(_) => vec![octets],
    };
    ensure!(!keys.is_empty(), "holds no key; make one with 'fmc-lb keygen'");
    ensure!(
        keys.len() <= PairKeys::MOST,
        "holds {} keys, at most {} are used: delete old lines",
        keys.len(),
        PairKeys::MOST
    );
    if let Some((number, key)) = keys.iter().enumerate().find(|(_, key)| key.len() < SHORTEST) {
        let (number, length) = (number + 1, key.len());
        bail!("key {number} holds {length} bytes, at least {SHORTEST} are needed; make one with 'fmc-lb keygen'");
    }
    Ok(PairKeys::new(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn each_line_is_a_key_and_the_first_one_signs() {
        let keys = parse(format!("# since June\n{NEW}\n\n{OLD}\n").into_bytes()).unwrap();
        assert_eq!(keys.iter().collect::<Vec<_>>(), [NEW.as_bytes(), OLD.as_bytes()]);
    }

    #[test]
    fn octets_that_are_no_text_are_one_key() {
        let octets = vec![0xff; 40];
        assert_eq!(parse(octets.clone()).unwrap().iter().collect::<Vec<_>>(), [octets]);
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_to_do() {
        for (file, said) in [
            ("", "holds no key; make one with 'fmc-lb keygen'"),
            ("# nothing\n", "holds no key; make one with 'fmc-lb keygen'"),
            ("short", "key 1 holds 5 bytes, at least 32 are needed; make one with 'fmc-lb keygen'"),
            (&format!("{OLD}\nshort"), "key 2 holds 5 bytes, at least 32 are needed; make one with 'fmc-lb keygen'"),
            (&format!("{OLD}\n").repeat(5), "holds 5 keys, at most 4 are used: delete old lines"),
        ] {
            assert_eq!(parse(file.as_bytes().to_vec()).unwrap_err().to_string(), said);
        }
    }
}
