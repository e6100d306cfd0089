//! Ignition 3.3.0, by the types of those who make it (<https://coreos.github.io/ignition/configuration-v3_3/>).

use ignition_config::v3_3::{
    Config, Directory, Disk, File, Filesystem, Ignition, Link, Partition, Passwd, Resource, Storage, Systemd, Unit,
    User, Verification,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::inventory::DataDisk;
use crate::lab::{Lab, Machine};
use crate::render::ini::Ini;
use crate::render::machine::{device, partition};
use crate::render::system::{Content, SECRETS, System};

/// What may stand as it is in a data URL (RFC 3986 §2.3 and what `query` allows), so that a difference can be read.
const ENCODED: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b',')
    .remove(b'=')
    .remove(b'@');

pub(super) fn json(lab: &Lab, machine: &Machine, system: &System) -> String {
    let mut config = Config::new(Ignition { version: Some("3.3.0".to_owned()), ..Ignition::default() });
    config.passwd = Some(Passwd { groups: None, users: Some(vec![user(lab)]) });
    config.storage = Some(storage(lab, machine, system));
    config.systemd = Some(Systemd { units: Some(system.units.iter().map(unit).collect()) });
    let mut text = serde_json::to_string_pretty(&without_nulls(&config)).expect("the types are JSON");
    text.push('\n');
    text
}

/// What is not said is left out: Ignition warns of nothing then, and a person reads less.
fn without_nulls(config: &Config) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                map.values_mut().for_each(strip);
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(config).expect("the types are JSON");
    strip(&mut value);
    value
}

/// Flatcar's own user.
fn user(lab: &Lab) -> User {
    let mut user = User::new("core".to_owned());
    user.ssh_authorized_keys = Some(lab.site.ssh_keys.clone());
    user
}

fn storage(lab: &Lab, machine: &Machine, system: &System) -> Storage {
    let mut files: Vec<_> =
        system.files.iter().map(|file| self::file(&file.path, file.mode, content(&file.content))).collect();
    let host_name = format!("{}\n", machine.name);
    files.push(file("/etc/hostname", 0o644, text(&host_name)));
    // When a node restarts is decided by who looks after the quorum, not by an update.
    files.push(file("/etc/flatcar/update.conf", 0o644, text("REBOOT_STRATEGY=off\n")));
    files.extend(network_files(lab, machine).iter().map(|(path, it)| file(path, 0o644, text(it))));
    let mut zone = Link::new("/etc/localtime".to_owned());
    zone.target = Some(format!("../usr/share/zoneinfo/{}", lab.site.timezone));
    let mut secrets = Directory::new(SECRETS.to_owned());
    secrets.mode = Some(0o700);
    let (disks, filesystems): (Vec<_>, Vec<_>) =
        machine.data_disks.iter().map(|data| (disk(data), self::filesystems(data))).unzip();
    Storage {
        directories: Some(vec![secrets]),
        disks: (!disks.is_empty()).then_some(disks),
        files: Some(files),
        filesystems: (!filesystems.is_empty()).then(|| filesystems.concat()),
        links: Some(vec![zone]),
        ..Storage::default()
    }
}

fn file(path: &str, mode: u32, contents: Resource) -> File {
    let mut file = File::new(path.to_owned());
    file.contents = Some(contents);
    file.mode = Some(mode.into());
    file.overwrite = Some(true);
    file
}

fn content(content: &Content) -> Resource {
    match content {
        Content::Text(it) => text(it),
        Content::Download { url, sha256 } => {
            let verification = Verification { hash: Some(format!("sha256-{sha256}")) };
            Resource { source: Some(url.clone()), verification: Some(verification), ..Resource::default() }
        }
    }
}

fn text(text: &str) -> Resource {
    Resource { source: Some(format!("data:,{}", utf8_percent_encode(text, ENCODED))), ..Resource::default() }
}

/// A file for each NIC, with its path.
pub(super) fn network_files(lab: &Lab, machine: &Machine) -> Vec<(String, String)> {
    let nics = machine.nics.iter().enumerate();
    nics.map(|(at, nic)| (format!("/etc/systemd/network/10-{}.network", nic.network), network(lab, machine, at)))
        .collect()
}

/// systemd.network(5).
fn network(lab: &Lab, machine: &Machine, at: usize) -> String {
    let nic = &machine.nics[at];
    let length = lab.network(&nic.network).map_or(32, |network| network.prefix.prefix_len());
    let ini = Ini::new().section("Match").key("MACAddress", &nic.mac);
    let ini = ini.section("Network").key("Address", format!("{}/{length}", nic.address));
    if at > 0 {
        return ini.text();
    }
    let ini = ini.each("DNS", lab.resolvers()).key("Domains", &lab.site.domain);
    let routes = lab.routes(machine).into_iter();
    routes.fold(ini, |ini, route| ini.section("Route").key("Destination", route.to).key("Gateway", route.via)).text()
}

/// Nothing that is there is wiped: a machine that is made anew keeps its data.
fn disk(data: &DataDisk) -> Disk {
    let mut disk = Disk::new(device(data));
    disk.wipe_table = Some(false);
    let one = |(at, volume): (usize, &crate::inventory::Volume)| Partition {
        label: Some(partition(data, at)),
        number: Some(i64::try_from(at + 1).expect("a table has few partitions")),
        // 0 is the rest of the disk.
        size_mib: Some(
            volume.size.as_ref().map_or(0, |size| i64::try_from(size.mebibytes()).expect("a disk has a size")),
        ),
        ..Partition::default()
    };
    disk.partitions = Some(data.volumes.iter().enumerate().map(one).collect());
    disk
}

fn filesystems(data: &DataDisk) -> Vec<Filesystem> {
    let one = |at| {
        let mut filesystem = Filesystem::new(format!("/dev/disk/by-partlabel/{}", partition(data, at)));
        filesystem.format = Some("ext4".to_owned());
        filesystem.wipe_filesystem = Some(false);
        filesystem
    };
    (0..data.volumes.len()).map(one).collect()
}

fn unit(unit: &crate::render::system::Unit) -> Unit {
    let mut it = Unit::new(unit.name.clone());
    it.contents = unit.text.clone();
    it.enabled = Some(unit.enabled);
    it
}
