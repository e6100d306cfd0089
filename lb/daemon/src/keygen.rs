//! `fmc-lb keygen`: the secrets with which the nodes sign their heartbeats, and their advertisements.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, ensure};
use fmc_vrrp::driver::{AdvertKey, PairKeys};
use fmc_vrrp::packet::auth_hmac::MOST_KEYS;
use nix::unistd::{Group, fchown};
use ring::rand::{SecureRandom, SystemRandom};

use crate::advert_key_file;
use crate::check::say;
use crate::pair::key_file;
use crate::privilege::PROXY;

/// Random bytes of a key: as many as its HMAC puts out (RFC 2104 §3).
const ENTROPY: usize = 32;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Heartbeats and the channel between the nodes.
    Pair,
    /// Signed advertisements, which a Keepalived may take part in.
    Adverts,
}

impl Purpose {
    /// Where the configuration of the documentation expects it.
    pub(crate) fn usual_file(self) -> &'static str {
        match self {
            Self::Pair => "/etc/fmc-lb/pair.key",
            Self::Adverts => "/etc/fmc-lb/adverts.key",
        }
    }

    /// A line with a new key. In packets an advertisement's key is named by a number, so that it has one of its own.
    fn line(self, taken: &[u8]) -> Result<String> {
        let key = new_key()?;
        let free = || (1..=u8::MAX).find(|id| !taken.contains(id)).unwrap_or(1);
        Ok(match self {
            Self::Pair => key,
            Self::Adverts => format!("{} hex:{key}", free()),
        })
    }

    /// The numbers of the keys in `file`, and how many there are.
    fn known(self, file: &Path) -> Result<(Vec<u8>, usize)> {
        Ok(match self {
            Self::Pair => (Vec::new(), key_file::read(file)?.iter().count()),
            Self::Adverts => {
                let ids: Vec<u8> = advert_key_file::read(file)?.iter().map(AdvertKey::id).collect();
                let count = ids.len();
                (ids, count)
            }
        })
    }

    fn most(self) -> usize {
        match self {
            Self::Pair => PairKeys::MOST,
            Self::Adverts => MOST_KEYS,
        }
    }

    /// What the configuration has to say.
    fn configuration(self, file: &Path) -> String {
        let file = file.display();
        match self {
            Self::Pair => format!("[pair]\nkey_file = \"{file}\"\n"),
            Self::Adverts => format!("[election]\nauth_hmac = {{ key_file = \"{file}\" }}\n"),
        }
    }
}

/// Makes a new key in `file`, readable by root and by the group of the proxy, and says what is still to do.
///
/// One line of hexadecimal digits: it can be looked at, compared and pasted. An existing file is never replaced: the nodes
/// would no longer hear one another. A file that could not be finished does not stay.
pub(crate) fn keygen(purpose: Purpose, file: &Path) -> Result<ExitCode> {
    let key = purpose.line(&[])?;
    let mut opened = create(file)?;
    let given = fill(&mut opened, &key).inspect_err(|_| {
        let _ = std::fs::remove_file(file);
    });
    match given.with_context(|| format!("cannot write {}", file.display()))? {
        Reader::Proxy => {}
        Reader::OwnerOnly(why) => eprintln!(
            "fmc-lb: only its owner can read {0}: {why}, then: chgrp {1} {0} && chmod 640 {0}",
            file.display(),
            PROXY.user
        ),
    }
    say(&format!(
        "{}: a new key; put the same file on every node, and in the configuration:\n{}",
        file.display(),
        purpose.configuration(std::path::absolute(file).as_deref().unwrap_or(file))
    ));
    Ok(ExitCode::SUCCESS)
}

/// Adds a key at the end of `file`: it is accepted from the next reload on, and the first one goes on signing.
pub(crate) fn add(purpose: Purpose, file: &Path) -> Result<ExitCode> {
    let (taken, count) = purpose.known(file)?;
    ensure!(
        count < purpose.most(),
        "{} holds {count} keys already: delete those that no node signs with any more",
        file.display()
    );
    append(file, &purpose.line(&taken)?).with_context(|| format!("cannot write {}", file.display()))?;
    say(&format!(
        "{0}: one more key, which is accepted and does not sign yet. Put the same file on every node and fmc-lbctl reload each;\n\
         then move the new line to the top on every node and reload each; then delete the old line and reload each.\n",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// In one write, on a line of its own.
fn append(file: &Path, key: &str) -> std::io::Result<()> {
    let known = std::fs::read_to_string(file)?;
    let mut opened = OpenOptions::new().append(true).open(file)?;
    let separator = if known.ends_with('\n') { "" } else { "\n" };
    opened.write_all(format!("{separator}{key}").as_bytes())?;
    opened.sync_all()
}

/// Who can read a finished key.
enum Reader {
    /// Root and the proxy's group.
    Proxy,
    /// Whoever made it; the sentence says why and how to mend it.
    OwnerOnly(String),
}

fn new_key() -> Result<String> {
    let mut bytes = [0_u8; ENTROPY];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the kernel gives no random bytes"))?;
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(digits.collect::<String>() + "\n")
}

fn create(file: &Path) -> Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            anyhow!("{} exists and is left alone: name another file, or move it away first", file.display())
        }
        _ => anyhow!("cannot create {}: {error}", file.display()),
    })
}

/// Closed to all but its owner until the group is right.
fn fill(file: &mut File, key: &str) -> Result<Reader> {
    file.write_all(key.as_bytes())?;
    let reader = match Group::from_name(PROXY.user)? {
        None => Reader::OwnerOnly(format!("there is no group {}; run systemd-sysusers", PROXY.user)),
        Some(group) => match fchown(&*file, None, Some(group.gid)) {
            Ok(()) => {
                file.set_permissions(Permissions::from_mode(0o640))?;
                Reader::Proxy
            }
            Err(errno) => Reader::OwnerOnly(format!("cannot give it to group {}: {errno}; become root", PROXY.user)),
        },
    };
    file.sync_all()?;
    Ok(reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_enough_to_sign_with_and_no_two_are_alike() {
        let (first, second) = (new_key().expect("a key"), new_key().expect("a key"));
        assert!(first.trim_end().len() == 2 * ENTROPY && first.trim_end().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(first, second);
    }

    #[test]
    fn a_new_key_is_closed_to_everybody_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pair.key");
        keygen(Purpose::Pair, &file).expect("made");
        let mode = file.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode & 0o137, 0, "mode {mode:o}: group may read, others may nothing");
        key_file::read(&file).expect("the proxy takes it");
    }

    #[test]
    fn a_key_in_use_is_never_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pair.key");
        std::fs::write(&file, "the key of the other nodes").expect("written");
        let refused = keygen(Purpose::Pair, &file).expect_err("it exists").to_string();
        assert!(refused.contains("exists and is left alone"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).expect("still there"), "the key of the other nodes");
    }

    #[test]
    fn a_key_that_is_added_stands_last_and_the_file_stays_as_closed_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pair.key");
        let first = "0123456789abcdef0123456789abcdef";
        std::fs::write(&file, first).expect("written, without a line's end");
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("closed");
        for known in 1..PairKeys::MOST {
            add(Purpose::Pair, &file).expect("added");
            let keys = key_file::read(&file).expect("a key file");
            assert_eq!((keys.iter().count(), keys.iter().next()), (known + 1, Some(first.as_bytes())));
        }
        let refused = add(Purpose::Pair, &file).expect_err("enough").to_string();
        assert!(refused.contains("holds 4 keys already"), "{refused}");
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn each_key_of_advertisements_has_a_number_that_no_other_key_in_the_file_has() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("adverts.key");
        keygen(Purpose::Adverts, &file).expect("made");
        add(Purpose::Adverts, &file).expect("added");
        let ids = || advert_key_file::read(&file).expect("a key file").iter().map(AdvertKey::id).collect::<Vec<_>>();
        assert_eq!(ids(), [1, 2]);
        let second = std::fs::read_to_string(&file).expect("read").lines().nth(1).expect("two").to_owned() + "\n";
        std::fs::write(&file, second).expect("the first is deleted, at the end of its replacement");
        add(Purpose::Adverts, &file).expect("added");
        assert_eq!(ids(), [2, 1]);
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let refused =
            keygen(Purpose::Pair, Path::new("/nonexistent/pair.key")).expect_err("no such directory").to_string();
        assert!(refused.contains("/nonexistent/pair.key"), "{refused}");
    }
}
