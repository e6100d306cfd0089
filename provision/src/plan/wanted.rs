//! A lab as the things that there shall be, in the order `host -> networks, pool -> machines, one after another`: each machine with its disks,
//! its first boot, its files and the look at it that lets the next one begin.

use std::collections::BTreeMap;

use super::object::{Content, File, Guard, Kind, Libvirt, Object, Reaction, Thing, in_order};
use super::{gate, reaction};
use crate::inventory::OsFamily;
use crate::lab::{Lab, Machine};
use crate::render::host::{self, firewall};
use crate::render::system::{self, System};
use crate::render::{libvirt, machine};

/// Where the hypervisor remembers how a machine's network was configured at its first start.
pub(super) const NETWORKS: &str = "/var/lib/fmc-lab/machines";

/// All that there shall be.
pub fn objects(lab: &Lab) -> Vec<Object> {
    let mut wanted = Wanted { lab, list: Vec::new() };
    wanted.system(lab.host.name.as_str(), host_system(lab), &[]);
    wanted.libvirt();
    let mut before: Option<String> = None;
    for machine in in_order(lab) {
        before = Some(wanted.machine(machine, before.as_slice()));
    }
    wanted.list
}

struct Wanted<'a> {
    lab: &'a Lab,
    list: Vec<Object>,
}

/// A system's files and units as objects.
struct Things {
    files: Vec<File>,
    units: Vec<String>,
    firewall: bool,
}

fn host_system(lab: &Lab) -> Things {
    Things { firewall: true, ..things(host::system(lab)) }
}

fn machine_system(lab: &Lab, machine: &Machine) -> Things {
    let mut things = things(machine::system(lab, machine));
    let network = machine::network_files(lab, machine).into_iter();
    things.files.extend(network.map(|(path, text)| file(path, 0o644, "how the machine is reached", text)));
    things
}

fn things(system: System) -> Things {
    let units = system.units.iter().filter(|unit| unit.enabled).map(|unit| unit.name.clone()).collect();
    let files = system.files.into_iter().map(|it| File {
        reaction: reaction::to(&it.path).map(|reaction| reaction.name),
        path: it.path,
        mode: it.mode,
        purpose: it.purpose,
        content: match it.content {
            system::Content::Text(text) => Content::Bytes(text.into_bytes()),
            system::Content::Download { url, sha256 } => Content::Download { url, sha256 },
        },
    });
    let texts = system
        .units
        .into_iter()
        .filter_map(|unit| Some(file(format!("/etc/systemd/system/{}", unit.name), 0o644, &unit.purpose, unit.text?)));
    Things { files: files.chain(texts).collect(), units, firewall: false }
}

fn file(path: String, mode: u32, purpose: &str, content: impl Into<Vec<u8>>) -> File {
    let reaction = reaction::to(&path).map(|reaction| reaction.name);
    File { path, mode, purpose: purpose.to_owned(), content: Content::Bytes(content.into()), reaction }
}

impl Wanted<'_> {
    fn add(&mut self, id: String, place: &str, thing: Thing, after: Vec<String>) -> String {
        self.list.push(Object { id: id.clone(), place: place.to_owned(), thing, after });
        id
    }

    /// What may cut off comes first and under guard, then the rest, then the packet filter under a guard of its own.
    fn system(&mut self, place: &str, things: Things, after: &[String]) -> Vec<String> {
        let Things { files, units, firewall } = things;
        let (network, rest): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| reaction::may_cut_off(&file.path));
        let (filter, rest): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|file| firewall && file.path == firewall::PATH);
        let mut ends = after.to_vec();
        if !network.is_empty() {
            ends.push(self.guarded_network(place, network, after));
        }
        let ends = self.files(place, rest, &ends);
        let (own, others): (Vec<_>, Vec<_>) = units.into_iter().partition(|unit| unit == "fmc-lab-firewall.service");
        let mut done = ends.clone();
        if let Some(filter) = filter.into_iter().next() {
            done.push(self.guarded_firewall(place, filter, &own, &ends));
        }
        for unit in others {
            let id = format!("{place}:{unit}");
            let id = self.add(id, place, Thing::Unit(unit), done.clone());
            done.push(id);
        }
        done
    }

    fn guarded_network(&mut self, place: &str, files: Vec<File>, after: &[String]) -> String {
        let reactions = reactions(&files);
        let restore: Vec<_> = reactions.values().map(|reaction| reaction.script.clone()).collect();
        let guard = Guard {
            name: "network".to_owned(),
            paths: files.iter().map(|file| file.path.clone()).collect(),
            firewall: false,
            restore: restore.join("; "),
        };
        let arm = self.add(format!("arm:{place}:network"), place, Thing::Arm(guard.clone()), after.to_vec());
        let ends = self.files(place, files, &[arm]);
        self.add(format!("confirm:{place}:network"), place, Thing::Confirm(guard), ends)
    }

    fn guarded_firewall(&mut self, place: &str, filter: File, units: &[String], after: &[String]) -> String {
        let path = filter.path.clone();
        let guard =
            Guard { name: "firewall".to_owned(), paths: vec![path.clone()], firewall: true, restore: ":".to_owned() };
        let arm = self.add(format!("arm:{place}:firewall"), place, Thing::Arm(guard.clone()), after.to_vec());
        let file = self.add(format!("{place}:{path}"), place, Thing::File(filter), vec![arm]);
        let mut last = self.add(format!("{place}:firewall"), place, Thing::Firewall(path), vec![file]);
        for unit in units {
            last = self.add(format!("{place}:{unit}"), place, Thing::Unit(unit.clone()), vec![last]);
        }
        self.add(format!("confirm:{place}:firewall"), place, Thing::Confirm(guard), vec![last])
    }

    /// Files, then what reads them again, each once.
    fn files(&mut self, place: &str, files: Vec<File>, after: &[String]) -> Vec<String> {
        let reactions = reactions(&files);
        let mut of: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut ends = after.to_vec();
        for file in files {
            let (id, reaction) = (format!("{place}:{}", file.path), file.reaction.clone());
            let id = self.add(id, place, Thing::File(file), after.to_vec());
            of.entry(reaction.unwrap_or_default()).or_default().push(id.clone());
            ends.push(id);
        }
        for (name, reaction) in reactions {
            let files = of.remove(&name).unwrap_or_default();
            ends.push(self.add(format!("{place}:after:{name}"), place, Thing::Reaction(reaction), files));
        }
        ends
    }

    fn libvirt(&mut self) {
        let host = self.lab.host.name.to_string();
        let ready: Vec<String> = self.list.iter().map(|object| object.id.clone()).collect();
        for document in
            libvirt::documents(self.lab).into_iter().filter(|it| matches!(it.kind, Kind::Network | Kind::Pool))
        {
            let id = format!("{}:{}", document.kind.word(), document.name);
            self.add(id, &host, Thing::Libvirt(document), ready.clone());
        }
    }

    /// The name of what lets the next machine begin.
    fn machine(&mut self, machine: &Machine, before: &[String]) -> String {
        let (lab, name) = (self.lab, machine.name.as_str());
        let host = lab.host.name.to_string();
        let mut ready = self.machine_disks(machine, &host, before);
        let (path, bytes) = machine::first_boot_file(lab, machine);
        let purpose = "what the machine reads at its first start";
        let seed = File { reaction: None, ..file(format!("{}/{path}", lab.host.pool), 0o644, purpose, bytes) };
        ready.push(self.add(format!("{host}:{}", seed.path), &host, Thing::File(seed), ready.clone()));
        let mut causes = Vec::new();
        if let Some(text) = machine::first_boot_network(lab, machine) {
            let restart = Some(restart(name));
            let purpose = "its network, which another first start configures";
            let file = File { reaction: restart, ..file(format!("{NETWORKS}/{name}.network"), 0o644, purpose, text) };
            causes.push(self.add(format!("{host}:{}", file.path), &host, Thing::File(file), ready.clone()));
        }
        let document = libvirt::documents(lab).into_iter().find(|it| it.kind == Kind::Domain && it.name == name);
        if let Some(document) = document {
            causes.push(self.add(format!("domain:{name}"), &host, Thing::Libvirt(document), ready.clone()));
        }
        let again = Reaction {
            name: restart(name),
            script: super::script::restart(name),
            interrupts: Some(format!("{name} is away while it restarts{}", gate::meanwhile(lab, machine))),
        };
        let again = self.add(format!("{host}:after:{}", restart(name)), &host, Thing::Reaction(again), causes);
        let runs = self.add(format!("running:{name}"), &host, Thing::Running(name.to_owned()), vec![again]);
        let gate = gate::booted(machine);
        let up = self.add(format!("booted:{name}"), name, Thing::Gate(gate), vec![runs]);
        let done = self.system(name, machine_system(lab, machine), &[up]);
        let (place, gate) = gate::healthy(lab, machine);
        self.add(format!("healthy:{name}"), &place, Thing::Gate(gate), done)
    }

    fn machine_disks(&mut self, machine: &Machine, host: &str, before: &[String]) -> Vec<String> {
        let pool = format!("pool:{}", libvirt::POOL);
        let networks = machine.nics.iter().map(|nic| format!("network:{}", nic.network));
        let mut after: Vec<String> = before.iter().cloned().chain([pool]).chain(networks).collect();
        let image = format!("image:{}", machine.image_name);
        if !self.list.iter().any(|object| object.id == image) {
            let (path, sha256) = (machine.image.path.to_string(), machine.image.checksum.digits().to_owned());
            self.add(image.clone(), host, Thing::Image { path, sha256 }, Vec::new());
        }
        after.push(image);
        let volumes = libvirt::documents(self.lab).into_iter();
        let volumes = volumes
            .filter(|it: &Libvirt| it.kind == Kind::Volume && it.machine.as_deref() == Some(machine.name.as_str()));
        let mut ids = Vec::new();
        for volume in volumes {
            ids.push(self.add(format!("volume:{}", volume.name), host, Thing::Libvirt(volume), after.clone()));
        }
        ids
    }
}

/// The mark and the reaction that restart a machine.
pub(super) fn restart(machine: &str) -> String {
    format!("restart-{machine}")
}

/// Whether a machine of that kind reads its network's configuration from a seed.
pub(super) fn by_seed(machine: &Machine) -> bool {
    machine.image.first_boot == OsFamily::CloudInit
}

fn reactions(files: &[File]) -> BTreeMap<String, Reaction> {
    let all = files.iter().filter(|file| file.reaction.is_some()).filter_map(|file| reaction::to(&file.path));
    all.map(|reaction| (reaction.name.clone(), reaction)).collect()
}
