//! Which addresses are ours, kept beside the kernel's own label, which IPv6 has not, so that a new process knows what an old one left.
//!
//! A line for each: interface, blank, address. Written before the address is added and shortened after it is removed, by
//! rename, so a crash at any point leaves a whole file that names at least what is installed.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

const FILE: &str = "addresses";

/// The record of one runtime directory.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    entries: Vec<(String, IpAddr)>,
}

impl Record {
    /// Reads it; a missing file is an empty record. Lines that are not ours are ignored.
    pub fn open(runtime_dir: &Path) -> io::Result<Self> {
        let path = runtime_dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        Ok(Self { path, entries: text.lines().filter_map(entry).collect() })
    }

    /// Whether this address on this interface is in it.
    pub fn holds(&self, interface: &str, address: IpAddr) -> bool {
        self.entries.iter().any(|(on, held)| on == interface && *held == address)
    }

    /// Adds one and writes the file.
    pub fn insert(&mut self, interface: &str, address: IpAddr) -> io::Result<()> {
        if self.holds(interface, address) {
            return Ok(());
        }
        self.entries.push((interface.to_owned(), address));
        self.write()
    }

    /// Takes one out and writes the file.
    pub fn remove(&mut self, interface: &str, address: IpAddr) -> io::Result<()> {
        self.entries.retain(|(on, held)| on != interface || *held != address);
        self.write()
    }

    /// Empties it; the file goes.
    pub fn clear(&mut self) -> io::Result<()> {
        self.entries.clear();
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn write(&self) -> io::Result<()> {
        let lines: String =
            self.entries.iter().map(|(interface, address)| format!("{interface} {address}\n")).collect();
        let new = self.path.with_extension("new");
        fs::write(&new, lines)?;
        fs::rename(&new, &self.path)
    }
}

fn entry(line: &str) -> Option<(String, IpAddr)> {
    let (interface, address) = line.split_once(' ')?;
    Some((interface.to_owned(), address.parse().ok()?))
}
