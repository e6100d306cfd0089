//! `[election] auth_hmac.key_file`: the keys of signed advertisements, a line each, as Keepalived writes them after `key`: a number,
//! and `hex:` with digits or a passphrase. The first one signs, every one is accepted.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use fmc_vrrp::driver::AdvertKey;
use fmc_vrrp::packet::auth_hmac::MOST_KEYS;

use crate::secret_file;

/// How the configuration calls it.
const FIELD: &str = "election.auth_hmac.key_file";

/// The keys in `path`, the one that signs first.
pub(crate) fn read(path: &Path) -> Result<Vec<AdvertKey>> {
    let octets = secret_file::read(FIELD, path)?;
    parse(&octets).with_context(|| format!("{FIELD} {}", path.display()))
}

fn parse(octets: &[u8]) -> Result<Vec<AdvertKey>> {
    let text = std::str::from_utf8(octets).map_err(|_| anyhow!("is no text; write a line such as '1 hex:0011...'"))?;
    let mut keys: Vec<AdvertKey> = Vec::new();
    for (number, line) in secret_file::lines(text).enumerate() {
        let key = key(line).with_context(|| format!("key {} of the file", number + 1))?;
        ensure!(keys.iter().all(|known| known.id() != key.id()), "two keys have the number {}", key.id());
        keys.push(key);
    }
    ensure!(!keys.is_empty(), "holds no key; make one with 'fmc-lb keygen --adverts'");
    ensure!(
        keys.len() <= MOST_KEYS,
        "holds {} keys, at most {MOST_KEYS} are used: delete those that no router signs with any more",
        keys.len()
    );
    Ok(keys)
}

/// What is wrong with it is not shown: it is a secret.
fn key(line: &str) -> Result<AdvertKey> {
    let Some((id, value)) = line.split_once(char::is_whitespace) else {
        bail!("write its number first, as in '1 hex:0011...'");
    };
    let id = id.parse().map_err(|_| anyhow!("its number is not one from 1 to 255, as in '1 hex:0011...'"))?;
    let value = value.trim_start();
    let octets = match value.strip_prefix("hex:") {
        Some(digits) => hexadecimal(digits).ok_or_else(|| anyhow!("'hex:' wants an even number of digits 0-9 a-f"))?,
        None => value.as_bytes().to_vec(),
    };
    Ok(AdvertKey::new(id, octets)?)
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let nibbles: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let (pairs, odd) = nibbles.as_deref()?.as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|[high, low]| (high << 4 | low) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const PASSPHRASE: &str = "a passphrase of at least 32 characters";

    #[test]
    fn a_line_is_what_keepalived_has_behind_key_and_the_first_one_signs() {
        let keys = parse(format!("# since June\n2  {PASSPHRASE}\n1 hex:{DIGITS}\n").as_bytes()).unwrap();
        let expected = [(2, PASSPHRASE.as_bytes().to_vec()), (1, (0..32).collect())];
        assert_eq!(keys, expected.map(|(id, octets)| AdvertKey::new(id, octets).unwrap()));
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_to_do_and_without_being_shown() {
        for (file, said) in [
            ("", "holds no key; make one with 'fmc-lb keygen --adverts'"),
            (DIGITS, "key 1 of the file: write its number first, as in '1 hex:0011...'"),
            ("x secret", "key 1 of the file: its number is not one from 1 to 255, as in '1 hex:0011...'"),
            ("256 secret", "key 1 of the file: its number is not one from 1 to 255, as in '1 hex:0011...'"),
            ("1 hex:12g4", "key 1 of the file: 'hex:' wants an even number of digits 0-9 a-f"),
            ("1 hex:123", "key 1 of the file: 'hex:' wants an even number of digits 0-9 a-f"),
            ("1 secret", "key 1 of the file: the key holds 6 bytes; 32 to 64 are needed"),
            (&format!("0 hex:{DIGITS}"), "key 1 of the file: 0 is no number of a key; use 1 to 255"),
            (&format!("1 hex:{DIGITS}\n1 {PASSPHRASE}"), "two keys have the number 1"),
            (
                &(1..=5).map(|id| format!("{id} {PASSPHRASE}\n")).collect::<String>(),
                "holds 5 keys, at most 4 are used: delete those that no router signs with any more",
            ),
        ] {
            assert_eq!(format!("{:#}", parse(file.as_bytes()).unwrap_err()), said);
        }
        assert!(parse(&[0xff; 40]).unwrap_err().to_string().starts_with("is no text"));
    }
}
