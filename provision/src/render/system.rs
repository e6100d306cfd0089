//! What a system has in its own file system because of the inventory, and what runs there: one list, which the first boot writes and a later
//! comparison reads.

use crate::inventory::scalar::Secret;

/// Files, units, packages and secrets of one system.
#[derive(Debug, Default)]
pub struct System {
    /// In the order in which they were added.
    pub files: Vec<File>,
    /// Units that are written, enabled, or both.
    pub units: Vec<Unit>,
    /// Packages of the distribution.
    pub packages: Vec<&'static str>,
    /// Commands of the first boot, after all files are there.
    pub commands: Vec<String>,
    /// What must lie in [`SECRETS`], and why.
    pub secrets: Vec<(Secret, &'static str)>,
}

/// Where a system has its secrets: each a file of mode 0600, by the name that the inventory gives it.
pub const SECRETS: &str = "/etc/fmc-lab/secrets";

/// One file.
#[derive(Debug)]
pub struct File {
    /// From the root.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// What it is for.
    pub purpose: String,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug)]
pub enum Content {
    /// A text of ours.
    Text(String),
    /// Something that is fetched and must have this SHA-256.
    Download {
        /// Where it is had.
        url: String,
        /// Of its bytes.
        sha256: String,
    },
}

/// One unit of systemd.
#[derive(Debug)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Its text; without it, it is the distribution's own.
    pub text: Option<String>,
    /// Whether it is started at boot.
    pub enabled: bool,
    /// What it is for.
    pub purpose: String,
}

impl System {
    pub(crate) fn file(&mut self, path: impl Into<String>, mode: u32, purpose: impl Into<String>, text: String) {
        let content = Content::Text(text);
        self.files.push(File { path: path.into(), mode, purpose: purpose.into(), content });
    }

    pub(crate) fn unit(&mut self, name: impl Into<String>, purpose: impl Into<String>, text: String) {
        self.units.push(Unit { name: name.into(), text: Some(text), enabled: true, purpose: purpose.into() });
    }

    /// A unit of the distribution that is wanted at boot.
    pub(crate) fn enable(&mut self, name: &str) {
        self.units.push(Unit { name: name.to_owned(), text: None, enabled: true, purpose: String::new() });
    }

    /// A secret of the inventory, and the path at which it will be.
    pub(crate) fn secret(&mut self, secret: &Secret, purpose: &'static str) -> String {
        self.secrets.push((secret.clone(), purpose));
        secret_path(secret)
    }

    /// What a person may read: every text with its path from the root.
    pub fn texts(&self) -> impl Iterator<Item = (String, &str, &str)> {
        let files = self.files.iter().filter_map(|file| match &file.content {
            Content::Text(text) => Some((file.path.clone(), text.as_str(), file.purpose.as_str())),
            Content::Download { .. } => None,
        });
        let units = self.units.iter().filter_map(|unit| {
            let text = unit.text.as_deref()?;
            Some((format!("/etc/systemd/system/{}", unit.name), text, unit.purpose.as_str()))
        });
        files.chain(units)
    }
}

/// Where a system has that secret.
pub(crate) fn secret_path(secret: &Secret) -> String {
    format!("{SECRETS}/{}", secret.file())
}
