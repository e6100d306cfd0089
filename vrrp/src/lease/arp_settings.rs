//! Two settings of the interface below a virtual MAC address, taken over for as long as that is used and then given back.
//!
//! Without them the interface itself would answer for the address, with the MAC address of its card, and would name it as its own when it
//! asks for its clients (ip-sysctl.rst of the kernel, `arp_ignore` and `arp_announce`). What they were is on the disk before they are
//! changed, so that whoever cleans up after a crash gives them back too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::kernel::{Interface, Ipv4Setting, Kernel, KernelError};

const FILE: &str = "arp-settings";

/// Answer for what is on this interface alone; name one of this interface's own addresses.
const WANTED: [(Ipv4Setting, u32); 2] = [(Ipv4Setting::ArpIgnore, 1), (Ipv4Setting::ArpAnnounce, 2)];

/// What they were, of one runtime directory.
#[derive(Debug)]
pub(super) struct ArpSettings {
    path: PathBuf,
    before: Vec<(String, Ipv4Setting, u32)>,
}

impl ArpSettings {
    /// Reads what an earlier process noted; lines that are none are ignored.
    pub(super) fn open(runtime_dir: &Path) -> io::Result<Self> {
        let path = runtime_dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        Ok(Self { path, before: text.lines().filter_map(noted).collect() })
    }

    /// Has `interface` speak of no address but its own. What is stricter already stays.
    pub(super) fn take(&mut self, kernel: &mut Kernel, interface: &Interface) -> Result<(), ArpError> {
        for (setting, wanted) in WANTED {
            let value = read(&interface.name, setting)?;
            if value < wanted {
                self.note(&interface.name, setting, value)?;
                kernel.set_ipv4(interface, setting, wanted)?;
            }
        }
        Ok(())
    }

    /// Gives every one back that nobody else has changed since.
    pub(super) fn give_back(&mut self, kernel: &mut Kernel) -> Result<(), ArpError> {
        for (name, setting, before) in &self.before {
            let is_ours = WANTED.iter().any(|(of, wanted)| of == setting && read(name, *of).ok() == Some(*wanted));
            match kernel.interface_by_name(name) {
                Ok(interface) if is_ours => kernel.set_ipv4(&interface, *setting, *before)?,
                Ok(_) | Err(KernelError::NoInterface { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.before.clear();
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.unwritten(error)),
            _ => Ok(()),
        }
    }

    /// The first word counts: a second taking finds what the first one set.
    fn note(&mut self, name: &str, setting: Ipv4Setting, value: u32) -> Result<(), ArpError> {
        if self.before.iter().any(|(of, known, _)| of == name && *known == setting) {
            return Ok(());
        }
        self.before.push((name.to_owned(), setting, value));
        let line = |(name, setting, value): &(String, Ipv4Setting, u32)| format!("{name} {} {value}\n", setting.name());
        let new = self.path.with_extension("new");
        let text: String = self.before.iter().map(line).collect();
        fs::write(&new, text).and_then(|()| fs::rename(&new, &self.path)).map_err(|error| self.unwritten(error))
    }

    fn unwritten(&self, error: io::Error) -> ArpError {
        ArpError::Setting { path: self.path.display().to_string(), error }
    }
}

/// Why a setting could not be read, noted or changed.
#[derive(Debug, thiserror::Error)]
pub enum ArpError {
    /// The file of a setting, or that of the record.
    #[error("{path}: {error}")]
    Setting {
        /// Which one.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

fn read(interface: &str, setting: Ipv4Setting) -> Result<u32, ArpError> {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/{}", setting.name());
    let number = |text: String| text.trim().parse().map_err(io::Error::other);
    fs::read_to_string(&path).and_then(number).map_err(|error| ArpError::Setting { path, error })
}

fn noted(line: &str) -> Option<(String, Ipv4Setting, u32)> {
    let mut words = line.split(' ');
    let (interface, name, value) = (words.next()?, words.next()?, words.next()?);
    let (setting, _) = WANTED.into_iter().find(|(setting, _)| setting.name() == name)?;
    Some((interface.to_owned(), setting, value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_first_is_read_back_and_other_lines_are_ignored() {
        let directory = std::env::temp_dir().join(format!("fmc-arp-settings-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mut settings = ArpSettings::open(&directory).unwrap();
        settings.note("eth0", Ipv4Setting::ArpIgnore, 0).unwrap();
        settings.note("eth0", Ipv4Setting::ArpIgnore, 1).unwrap();
        fs::write(directory.join(FILE), fs::read_to_string(directory.join(FILE)).unwrap() + "eth0 rp_filter 1\n?\n")
            .unwrap();
        let read = ArpSettings::open(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(read.before, [("eth0".to_owned(), Ipv4Setting::ArpIgnore, 0)]);
    }
}
