//! Reading a file of secrets that the configuration names.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::privilege::PROXY;

/// The longest file that is read: four keys of a kilobyte.
const LONGEST: u64 = 4096;

/// The octets in `path`, which is what `field` of the configuration says. Errors: who must be able to read it, what it must be.
pub(crate) fn read(field: &str, path: &Path) -> Result<Vec<u8>> {
    read_up_to(field, path, LONGEST)
}

/// The same where more is usual.
pub(crate) fn read_up_to(field: &str, path: &Path, longest: u64) -> Result<Vec<u8>> {
    let unreadable = || format!("cannot read {field} {}: it must be readable by user {}", path.display(), PROXY.user);
    // To open a pipe might never end.
    let metadata = std::fs::metadata(path).with_context(unreadable)?;
    if !metadata.is_file() {
        bail!("{field} {} is not a regular file", path.display());
    }
    ensure!(metadata.len() <= longest, "{field} {} is over {longest} bytes: it is no key file", path.display());
    std::fs::read(path).with_context(unreadable)
}

/// The lines of `text` that say something.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}
