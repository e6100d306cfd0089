//! A text behind a descriptor, so that it can be handed from one of our processes to another (memfd_create(2)).

use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;

use anyhow::{Context, Result, bail};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// The longest configuration that is handed on.
pub(crate) const LONGEST: u64 = 1 << 20;

/// Keeps `text` in memory.
pub(crate) fn in_memory(text: &str) -> Result<OwnedFd> {
    let descriptor = memfd_create(c"fmc-lb configuration", MFdFlags::MFD_CLOEXEC).context("no memory file")?;
    let mut file = std::fs::File::from(descriptor);
    file.write_all(text.as_bytes()).context("cannot keep the configuration")?;
    Ok(file.into())
}

/// The whole text from its start: the offset is shared with whoever read it before.
pub(crate) fn text_of(file: OwnedFd) -> Result<String> {
    let mut file = std::fs::File::from(file);
    if file.metadata().context("no file")?.len() > LONGEST {
        bail!("a configuration of over {LONGEST} bytes");
    }
    file.rewind().context("cannot read the configuration again")?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).context("cannot read the configuration")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_whole_however_often() {
        let file = in_memory("[nodes]\n").unwrap();
        for _ in 0..2 {
            assert_eq!(text_of(file.try_clone().unwrap()).unwrap(), "[nodes]\n");
        }
        let long = in_memory(&" ".repeat(LONGEST as usize + 1)).unwrap();
        assert!(text_of(long).is_err());
    }
}
