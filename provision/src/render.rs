//! A lab as files: the same bytes in every run, written by a serialiser wherever the format has one.
//!
//! No secret is ever in them: where a program needs one, the file names the path at which it will be.

pub mod balancer;
pub mod host;
pub mod libvirt;
pub mod machine;
pub mod system;

mod first_boot;
mod ini;
mod monitoring;
mod router;
mod secrets;
mod traefik;
mod vpn;

use serde::Serialize;

use self::system::System;
use crate::lab::Lab;

/// The first line of a text that takes comments.
const RENDERED: &str = "# Rendered from the inventory; a change belongs there.";

/// A file of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Below the directory that is rendered into.
    pub path: String,
    /// What it is for, in one line.
    pub purpose: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// The files of a lab that are rendered, in the order of their paths.
pub fn artifacts(lab: &Lab) -> Vec<Artifact> {
    let mut files = Files::default();
    balancer::render(lab, &mut files);
    libvirt::render(lab, &mut files);
    host::render(lab, &mut files);
    vpn::render(lab, &mut files);
    machine::render(lab, &mut files);
    machine::k3s::render(lab, &mut files);
    traefik::render(lab, &mut files);
    monitoring::render(lab, &mut files);
    router::render(lab, &mut files);
    secrets::render(lab, &mut files);
    files.finish()
}

/// A document of YAML.
fn yaml(value: &impl Serialize) -> String {
    serde_norway::to_string(value).expect("every field has a form in YAML")
}

/// The files rendered so far.
#[derive(Debug, Default)]
pub(crate) struct Files {
    list: Vec<Artifact>,
}

impl Files {
    pub(crate) fn add(&mut self, path: impl Into<String>, purpose: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.list.push(Artifact { path: path.into(), purpose: purpose.into(), content: content.into() });
    }

    /// The texts of a system below `BASE/root`, at their paths.
    fn system(&mut self, base: &str, system: &System) {
        for (path, text, purpose) in system.texts() {
            self.add(format!("{base}/root{path}"), purpose, text);
        }
    }

    fn finish(mut self) -> Vec<Artifact> {
        self.list.sort_by(|one, other| one.path.cmp(&other.path));
        debug_assert!(self.list.windows(2).all(|pair| pair[0].path != pair[1].path), "two files at one path");
        self.list
    }
}
