//! The state directory: what must outlive the proxy, the service and the machine's power.
//!
//! One small file, replaced whole: the new text is written beside it, flushed to the disk, and renamed over it
//! (rename(2), fsync(2)), so that a crash or a full disk leaves the old file as it was.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::unistd::{User, chown};

use crate::administrative::Administrative;

/// What is in force, in words.
const RECORD: &str = "administrative.toml";

/// What the moves of VIPs measured of themselves.
const FAILOVERS: &str = "failovers.json";
/// What an observer saw.
const OBSERVED: &str = "observed.json";
const NEXT_OBSERVED: &str = "observed.json.next";

/// One in the making.
const NEXT_FAILOVERS: &str = "failovers.json.next";

/// A record in the making.
const NEXT: &str = "administrative.toml.next";

/// A record that could not be read; the latest of them, so that they cannot fill the disk.
const SET_ASIDE: &str = "administrative.toml.set-aside";

/// The newest configuration that was in force.
const LAST_GOOD: &str = "last-good.toml";

/// One in the making.
const NEXT_GOOD: &str = "last-good.toml.next";

/// A configuration that came from another node, under a line that says over which file.
const APPLIED: &str = "applied.toml";

/// One in the making.
const NEXT_APPLIED: &str = "applied.toml.next";

/// Before the hash of the file that was replaced.
const APPLIED_OVER: &str = "# Applied on another node, in the place of a file with the SHA-256 ";

/// The longest text that is taken for a record or a configuration: thousands of entries fit.
const LONGEST: u64 = 1 << 20;

/// A directory that the proxy may write to.
#[derive(Debug, Clone)]
pub(crate) struct StateDir(PathBuf);

/// What a start finds.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) layer: Administrative,
    /// Why there is nothing although there is a record, and what became of it.
    pub(crate) refused: Option<String>,
}

/// Makes the directory that only `user`'s role reads and writes. Done by root, before the role runs.
pub(crate) fn create(path: &Path, user: &User) -> Result<()> {
    let within = || format!("cannot make {} a directory of {}", path.display(), user.name);
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(within)?;
    let owner = std::fs::metadata(path).with_context(within)?.uid();
    if owner != user.uid.as_raw() {
        // In this order: the unit leaves root no right over files that are another user's.
        std::fs::set_permissions(path, Permissions::from_mode(0o700)).with_context(within)?;
        chown(path, Some(user.uid), Some(user.gid)).with_context(within)?;
    }
    Ok(())
}

impl StateDir {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads what was saved. One that cannot be read is set aside under another name: it must stop no balancer.
    pub(crate) fn recover(&self) -> Recovered {
        let text = match read(&self.0.join(RECORD)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Recovered::default(),
            Err(error) => return self.set_aside(&error),
        };
        match Administrative::from_record(&text) {
            Ok(layer) => Recovered { layer, refused: None },
            Err(error) => self.set_aside(&error),
        }
    }

    fn set_aside(&self, why: &dyn std::error::Error) -> Recovered {
        let (record, aside) = (self.0.join(RECORD), self.0.join(SET_ASIDE));
        let became = match std::fs::rename(&record, &aside) {
            Ok(()) => format!("it lies in {} now", aside.display()),
            Err(error) => format!("it cannot be set aside either: {error}"),
        };
        let refused =
            format!("cannot read {}, so nothing is drained or in maintenance: {why}; {became}", record.display());
        Recovered { layer: Administrative::default(), refused: Some(refused) }
    }

    /// The newest configuration that was in force here; `None`: there is none that can be read.
    pub(crate) fn last_good(&self) -> Option<String> {
        read(&self.0.join(LAST_GOOD)).ok()
    }

    /// Replaces it. Blocks for as long as the disk takes; on an error the old one is whole.
    pub(crate) fn save_good(&self, configuration: &str) -> std::io::Result<()> {
        match self.last_good() {
            Some(known) if known == configuration => Ok(()),
            _ => self.replace(LAST_GOOD, NEXT_GOOD, configuration),
        }
    }

    /// What was applied in the place of a file with this text; `None`: nothing, or the file was edited since and counts.
    pub(crate) fn applied_over(&self, file: &str) -> Option<String> {
        let kept = read(&self.0.join(APPLIED)).ok()?;
        let (head, text) = kept.split_once('\n')?;
        let over = head.strip_prefix(APPLIED_OVER)?;
        (over == hash(file) && text != file).then(|| text.to_owned())
    }

    /// What makes `text` count from the next start on, for as long as the file says `file`.
    pub(crate) fn applied_record(text: &str, file: &str) -> String {
        format!("{APPLIED_OVER}{}\n{text}", hash(file))
    }

    /// Replaces what was applied by an [`Self::applied_record`]; by an empty one: the file counts again. Blocks for as long as the disk takes.
    pub(crate) fn save_applied(&self, record: &str) -> std::io::Result<()> {
        if !record.is_empty() {
            return self.replace(APPLIED, NEXT_APPLIED, record);
        }
        match std::fs::remove_file(self.0.join(APPLIED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The history of failovers; `None`: there is none that can be read. It decides nothing, so nobody has to be told.
    pub(crate) fn failovers(&self) -> Option<String> {
        read(&self.0.join(FAILOVERS)).ok()
    }

    /// Replaces it. Blocks for as long as the disk takes; on an error the old one is whole.
    pub(crate) fn save_failovers(&self, text: &str) -> std::io::Result<()> {
        self.replace(FAILOVERS, NEXT_FAILOVERS, text)
    }

    /// What an observer saw before; `None`: there is nothing that can be read.
    pub(crate) fn observed(&self) -> Option<String> {
        read(&self.0.join(OBSERVED)).ok()
    }

    /// Replaces it. Blocks for as long as the disk takes; on an error the old one is whole.
    pub(crate) fn save_observed(&self, text: &str) -> std::io::Result<()> {
        self.replace(OBSERVED, NEXT_OBSERVED, text)
    }

    /// Replaces the record. Blocks for as long as the disk takes; on an error the old one is whole.
    pub(crate) fn save(&self, text: &str) -> std::io::Result<()> {
        self.replace(RECORD, NEXT, text)
    }

    fn replace(&self, name: &str, next: &str, text: &str) -> std::io::Result<()> {
        let (record, next) = (self.0.join(name), self.0.join(next));
        let written = write(&next, text).and_then(|()| std::fs::rename(&next, &record));
        if written.is_err() {
            // Half a text is of no use, and a full disk needs the room.
            let _ = std::fs::remove_file(&next);
        }
        written.and_then(|()| File::open(&self.0)?.sync_all())
    }
}

fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The directory is the proxy's and the reader may be root: no link is followed, nothing but a file is opened.
fn read(path: &Path) -> std::io::Result<String> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is not a regular file"));
    }
    if file.metadata()?.len() > LONGEST {
        return Err(std::io::Error::new(ErrorKind::InvalidData, "it is longer than any record of ours"));
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> (tempfile::TempDir, StateDir) {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::at(directory.path().to_owned());
        (directory, state)
    }

    #[test]
    fn an_empty_directory_is_an_empty_layer() {
        let (_scratch, state) = scratch();
        let Recovered { layer, refused } = state.recover();
        assert_eq!((layer, refused), (Administrative::default(), None));
    }

    #[test]
    fn what_is_saved_is_recovered_and_nothing_else_is_left() {
        let (scratch, state) = scratch();
        state.save(&Administrative::default().to_record().unwrap()).unwrap();
        assert_eq!(state.recover().refused, None);
        let files: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, [RECORD]);
        let mode = std::fs::metadata(scratch.path().join(RECORD)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_record_that_cannot_be_read_is_set_aside_and_said() {
        for broken in [&b"version = 7\n"[..], b"\xff\xfe", b"half a rec"] {
            let (scratch, state) = scratch();
            std::fs::write(scratch.path().join(RECORD), broken).unwrap();
            let refused = state.recover().refused.unwrap();
            assert!(refused.contains("set-aside now"), "{refused}");
            assert_eq!(std::fs::read(scratch.path().join(SET_ASIDE)).unwrap(), broken);
            assert_eq!(state.recover().refused, None, "the next start finds none");
        }
    }

    #[test]
    fn the_last_good_configuration_is_kept_and_nothing_but_a_file_is_read_for_it() {
        let (scratch, state) = scratch();
        assert_eq!(state.last_good(), None);
        for text in ["one", "two", "two"] {
            state.save_good(text).unwrap();
            assert_eq!(state.last_good().as_deref(), Some(text));
        }
        let (kept, elsewhere) = (scratch.path().join(LAST_GOOD), scratch.path().join("elsewhere"));
        std::fs::rename(&kept, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &kept).unwrap();
        assert_eq!(state.last_good(), None, "a link is not followed");
        std::fs::remove_file(&kept).unwrap();
        nix::unistd::mkfifo(&kept, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(state.last_good(), None, "a pipe is not waited for");
    }

    #[test]
    fn what_was_applied_counts_until_the_file_is_edited_or_says_the_same() {
        let (_scratch, state) = scratch();
        let apply = |text, file| state.save_applied(&StateDir::applied_record(text, file)).unwrap();
        assert_eq!(state.applied_over("old"), None);
        apply("new", "old");
        assert_eq!(state.applied_over("old").as_deref(), Some("new"));
        assert_eq!(state.applied_over("edited"), None, "whoever edited the file meant it");
        apply("new", "new");
        assert_eq!(state.applied_over("new"), None, "the file says it itself");
        apply("new", "old");
        state.save_applied("").unwrap();
        state.save_applied("").unwrap();
        assert_eq!(state.applied_over("old"), None);
    }

    #[test]
    fn a_failed_save_leaves_the_old_record() {
        let (scratch, state) = scratch();
        state.save("version = 1\nacts_done = 5\n").unwrap();
        // A directory in the way of the new text fails for root too.
        std::fs::create_dir(scratch.path().join(NEXT)).unwrap();
        state.save("version = 1\nacts_done = 6\n").unwrap_err();
        assert!(std::fs::read_to_string(scratch.path().join(RECORD)).unwrap().contains("acts_done = 5"));
    }
}
