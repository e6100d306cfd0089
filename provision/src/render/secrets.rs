//! What the person who applies an inventory has to put where: names and places, never a secret.

use super::system::{SECRETS, System};
use super::{Files, RENDERED, host, machine};
use crate::lab::Lab;

pub(super) fn render(lab: &Lab, files: &mut Files) {
    let machines = lab.machines.iter().map(|it| (it.name.to_string(), machine::system(lab, it)));
    let systems = std::iter::once((lab.host.name.to_string(), host::system(lab))).chain(machines);
    let mut lines: Vec<_> = systems.flat_map(|(name, system)| lines(&name, &system)).collect();
    lines.sort();
    lines.dedup();
    if lines.is_empty() {
        return;
    }
    let head = format!(
        "{RENDERED}\n# From {} of whoever applies it to {SECRETS} of each machine, mode 0600.\n\n",
        lab.site.secrets
    );
    files.add("secrets.txt", "which secrets there must be, and where", head + &lines.concat());
}

fn lines(name: &str, system: &System) -> Vec<String> {
    system.secrets.iter().map(|(secret, purpose)| format!("{:<24} {name:<24} {purpose}\n", secret.file())).collect()
}
