//! What is there, as it was read back.

use std::collections::{BTreeMap, BTreeSet};

use super::object::{Kind, Object, Place, Thing};

/// All that was looked at.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// Each place that was looked at; why not, where nobody answered.
    pub places: BTreeMap<Place, Result<Seen, String>>,
    /// What libvirt has; why not, where it does not answer.
    pub libvirt: Option<Result<Documents, String>>,
}

/// What libvirt has, by kind and name.
pub type Documents = BTreeMap<(Kind, String), Known>;

/// What a place has.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Files that were asked for and exist.
    pub files: BTreeMap<String, FileSeen>,
    /// Paths of files that an earlier run put there.
    pub written: BTreeSet<String>,
    /// Reactions that are still owed: an earlier run ended between a file and what reads it.
    pub owed: BTreeSet<String>,
    /// Rollbacks that wait.
    pub armed: BTreeSet<String>,
    /// Units that were asked for and are enabled and active.
    pub units: BTreeSet<String>,
    /// The packet filter.
    pub firewall: Firewall,
}

/// A file that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
    /// Permissions.
    pub mode: u32,
    /// Its text, when it was asked for.
    pub text: Option<String>,
}

/// The packet filter in force, and the wanted one as this very nft lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firewall {
    /// Whether they are the same, by `nft --json`.
    pub same: bool,
    /// In force; empty: there is none.
    pub live: String,
    /// Wanted.
    pub wanted: String,
}

/// Something of libvirt's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Its document.
    pub xml: String,
    /// Whether it runs: the running one of a network, pool or domain; `true` of a volume.
    pub active: bool,
    /// Whether libvirt starts it by itself.
    pub autostart: bool,
}

impl Observed {
    /// A hypervisor with nothing on it.
    pub fn nothing(host: &str) -> Self {
        let places = BTreeMap::from([(host.to_owned(), Ok(Seen::default()))]);
        Self { places, libvirt: Some(Ok(Documents::new())) }
    }

    /// A lab in which everything is as `objects` have it, seen by whoever wants `wanted`.
    pub fn fulfilled(objects: &[Object], wanted: &[Object]) -> Self {
        let mut observed = Self { libvirt: Some(Ok(Documents::new())), ..Self::default() };
        for object in objects {
            let seen = observed.places.entry(object.place.clone()).or_insert_with(|| Ok(Seen::default()));
            if let Ok(seen) = seen {
                fulfil(seen, &object.thing, wanted);
            }
            if let (Thing::Libvirt(it), Some(Ok(known))) = (&object.thing, &mut observed.libvirt) {
                known.insert((it.kind, it.name.clone()), Known { xml: it.xml.clone(), active: true, autostart: true });
            }
        }
        observed
    }
}

fn fulfil(seen: &mut Seen, thing: &Thing, wanted: &[Object]) {
    match thing {
        Thing::File(file) => {
            let text = file.text().map(str::to_owned);
            let here = FileSeen { sha256: file.sha256(), mode: file.mode, text };
            seen.written.insert(file.path.clone());
            seen.files.insert(file.path.clone(), here);
            if file.path.ends_with(".nft") {
                let live = file.text().unwrap_or_default().to_owned();
                let wanted = wanted.iter().find_map(|other| match &other.thing {
                    Thing::File(other) if other.path == file.path => other.text(),
                    _ => None,
                });
                let wanted = wanted.unwrap_or_default().to_owned();
                seen.firewall = Firewall { same: live == wanted, live, wanted };
            }
        }
        Thing::Unit(name) => drop(seen.units.insert(name.clone())),
        Thing::Image { path, sha256 } => {
            seen.files.insert(path.clone(), FileSeen { sha256: sha256.clone(), mode: 0o644, text: None });
        }
        Thing::Reaction(_)
        | Thing::Arm(_)
        | Thing::Confirm(_)
        | Thing::Firewall(_)
        | Thing::Libvirt(_)
        | Thing::Running(_)
        | Thing::Gate(_) => {}
    }
}
