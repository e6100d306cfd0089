//! What a lab is made of, one thing at a time, each with those that come before it.

use crate::lab::{Lab, Machine};

/// Where something is: the hypervisor or a machine, by its name.
pub type Place = String;

/// One thing that there shall be.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name, the one that `--allow-destroy` takes: `volume:master1.qcow2`, `loadbalancer1:/etc/chrony.conf`.
    pub id: String,
    /// Where it is.
    pub place: Place,
    /// What it is.
    pub thing: Thing,
    /// Those that come before it, by their names.
    pub after: Vec<String>,
}

/// What there shall be, or be done when something else has changed.
#[derive(Debug, Clone)]
pub enum Thing {
    /// A file.
    File(File),
    /// Something that reads files again; done when one of them has changed.
    Reaction(Reaction),
    /// The former state is kept, and comes back by itself unless somebody confirms.
    Arm(Guard),
    /// Contact is made anew, and the former state is let go.
    Confirm(Guard),
    /// The packet filter, as the file at that path has it.
    Firewall(String),
    /// A unit that is enabled and runs.
    Unit(String),
    /// A base image that the operator has put there.
    Image {
        /// Where.
        path: String,
        /// Of its bytes.
        sha256: String,
    },
    /// Something of libvirt's that has a document.
    Libvirt(Libvirt),
    /// A machine that runs.
    Running(String),
    /// It is looked at until it is well; done when something at its place has changed.
    Gate(Gate),
}

/// A file.
#[derive(Debug, Clone)]
pub struct File {
    /// From the root.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// What it is for.
    pub purpose: String,
    /// What is in it.
    pub content: Content,
    /// The reaction that it calls for, by its name.
    pub reaction: Option<String>,
}

/// What is in a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Something that is fetched and must have this SHA-256.
    Download {
        /// Where it is had.
        url: String,
        /// Of its bytes.
        sha256: String,
    },
}

impl File {
    /// The SHA-256 that it has when it is right, in hexadecimal.
    pub fn sha256(&self) -> String {
        match &self.content {
            Content::Bytes(bytes) => sha256(bytes),
            Content::Download { sha256, .. } => sha256.clone(),
        }
    }

    /// What a person can read of it.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Bytes(bytes) => std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')),
            Content::Download { .. } => None,
        }
    }
}

/// Something that reads files again.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// Its name; the mark that it is still owed has the same.
    pub name: String,
    /// For sh(1).
    pub script: String,
    /// Whom it interrupts, and for how long.
    pub interrupts: Option<String>,
}

/// What an automatic rollback covers.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Its name.
    pub name: String,
    /// Files that it keeps.
    pub paths: Vec<String>,
    /// Whether it keeps the packet filter.
    pub firewall: bool,
    /// What brings the kept files into force, for sh(1).
    pub restore: String,
}

/// A document of libvirt.
#[derive(Debug, Clone)]
pub struct Libvirt {
    /// What it describes.
    pub kind: Kind,
    /// Its name there.
    pub name: String,
    /// The document.
    pub xml: String,
    /// The machine whose disk a volume is.
    pub machine: Option<String>,
}

/// What libvirt has documents of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `<network>`
    Network,
    /// `<pool>`
    Pool,
    /// `<volume>`
    Volume,
    /// `<domain>`
    Domain,
}

impl Kind {
    /// As in the names of objects.
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Pool => "pool",
            Self::Volume => "volume",
            Self::Domain => "domain",
        }
    }
}

/// A look that is repeated until it succeeds.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What is waited for.
    pub what: String,
    /// For sh(1): success is 0.
    pub script: String,
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Machines in the order in which they are worked on: of those that start together, a balancer that is less preferred comes first, so that the
/// virtual addresses move once.
pub(super) fn in_order(lab: &Lab) -> Vec<&Machine> {
    let wave = |names: Vec<crate::inventory::scalar::Name>| {
        let mut machines: Vec<_> = lab.machines.iter().filter(|machine| names.contains(&machine.name)).collect();
        machines.sort_by_key(|machine| (machine.priority.is_some(), machine.priority));
        machines
    };
    lab.waves().into_iter().flat_map(wave).collect()
}
