//! The state of a lab, read back: files by their hashes, units, the packet filter by nft, everything of libvirt's by its own documents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::Shell;
use crate::lab::Lab;
use crate::plan::object::{Content, Kind, Object, Thing};
use crate::plan::observed::{Documents, FileSeen, Firewall, Known, Observed, Seen};
use crate::plan::script::quoted;
use crate::plan::{self};

/// Of one look.
const DEADLINE: Duration = Duration::from_secs(60);

/// Looks at the hypervisor, and at every machine that runs.
pub fn look(lab: &Lab, shell: &mut impl Shell) -> Observed {
    let objects = plan::objects(lab);
    let host = lab.host.name.to_string();
    let libvirt = shell.run(&host, LIBVIRT, &[], DEADLINE).and_then(super::Said::success).map(|said| documents(&said));
    let running = |name: &str| {
        let known = libvirt.as_ref().ok().and_then(|all| all.get(&(Kind::Domain, name.to_owned())));
        known.is_some_and(|known| known.active)
    };
    let machines = lab.machines.iter().map(|machine| machine.name.to_string()).filter(|name| running(name));
    let places: Vec<_> = std::iter::once(host).chain(machines).collect();
    let seen = |place: String| {
        let seen = place_seen(&place, &objects, shell);
        (place, seen)
    };
    let places = places.into_iter().map(seen).collect();
    Observed { places, libvirt: Some(libvirt) }
}

/// Sections begin with a line `@@ name`: no name of libvirt's has a blank, and no document of it such a line.
const LIBVIRT: &str = r#"set -eu
export LC_ALL=C
virsh -q list --name >/dev/null
flags() { printf '@@ %s %s %s %s\n' "$1" "$2" "$(printf '%s\n' "$3" | sed 's/ *$//' | grep -qxF -- "$2" && echo active || echo -)" "$4"; }
auto() { sed -n 's/^Autostart: *\(yes\|enable\).*/autostart/p'; }
active=$(virsh -q net-list --name)
for name in $(virsh -q net-list --all --name); do
    flags network "$name" "$active" "$(virsh -q net-info "$name" | auto)"
    virsh -q net-dumpxml --inactive "$name"
done
active=$(virsh -q pool-list --name)
for name in $(virsh -q pool-list --all --name); do
    flags pool "$name" "$active" "$(virsh -q pool-info "$name" | auto)"
    virsh -q pool-dumpxml --inactive "$name"
done
if virsh -q pool-list --name | sed 's/ *$//' | grep -qxF lab; then
    virsh -q pool-refresh lab >/dev/null
    for name in $(virsh -q vol-list --pool lab | awk '{ print $1 }'); do
        flags volume "$name" "$name" autostart
        virsh -q vol-dumpxml --pool lab "$name"
    done
fi
active=$(virsh -q list --name)
for name in $(virsh -q list --all --name); do
    flags domain "$name" "$active" "$(virsh -q dominfo "$name" | auto)"
    virsh -q dumpxml --inactive "$name"
done
"#;

fn documents(said: &str) -> Documents {
    let mut documents = Documents::new();
    for (head, xml) in sections(said) {
        let mut words = head.split(' ');
        let kind = match words.next() {
            Some("network") => Kind::Network,
            Some("pool") => Kind::Pool,
            Some("volume") => Kind::Volume,
            Some("domain") => Kind::Domain,
            _ => continue,
        };
        let name = words.next().unwrap_or_default().to_owned();
        let (active, autostart) = (words.next() == Some("active"), words.next() == Some("autostart"));
        documents.insert((kind, name), Known { xml, active, autostart });
    }
    documents
}

/// Each `@@ head` with the lines after it.
fn sections(said: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in said.lines() {
        match (line.strip_prefix("@@ "), sections.last_mut()) {
            (Some(head), _) => sections.push((head.trim_end().to_owned(), String::new())),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    sections
}

fn place_seen(place: &str, objects: &[Object], shell: &mut impl Shell) -> Result<Seen, String> {
    let here = || objects.iter().filter(|object| object.place == place).map(|object| &object.thing);
    let mut paths = Vec::new();
    let mut units = Vec::new();
    for thing in here() {
        match thing {
            Thing::File(file) => paths.push(file.path.as_str()),
            Thing::Image { path, .. } => paths.push(path.as_str()),
            Thing::Unit(name) => units.push(name.as_str()),
            _ => {}
        }
    }
    let list: String = paths.iter().map(|path| format!("{path}\n")).collect();
    let said = shell.run(place, &place_script(&units), list.as_bytes(), DEADLINE)?.success()?;
    let mut seen = seen(&said);
    for thing in here() {
        match thing {
            Thing::File(file) => text(place, file, &mut seen, shell)?,
            Thing::Firewall(path) => seen.firewall = firewall(place, path, objects, shell)?,
            _ => {}
        }
    }
    Ok(seen)
}

/// An image of a machine is not read through: whether it is there is enough, its checksum is looked at before it is used.
fn place_script(units: &[&str]) -> String {
    let units: String = units.iter().map(|unit| format!(" {}", quoted(unit))).collect();
    format!(
        r#"FMC_ROOT=${{FMC_ROOT-}}
state=$FMC_ROOT/var/lib/fmc-lab
echo '@@ files'
while IFS= read -r path; do
    file=$FMC_ROOT$path
    [ -f "$file" ] || continue
    if [ "$(stat -c %s "$file")" -lt 100000000 ]; then sum=$(sha256sum <"$file"); else sum=-; fi
    printf '%s %s %s\n' "${{sum%% *}}" "$(stat -c %a "$file")" "$path"
done
echo '@@ written'
cat "$state/written" 2>/dev/null
echo '@@ owed'
ls "$state/owed" 2>/dev/null
echo '@@ armed'
for dir in "$state"/rollback/*; do case $dir in *.new|*.back|*.done) ;; *) [ ! -d "$dir" ] || basename "$dir" ;; esac; done
echo '@@ units'
for unit in{units}; do
    if systemctl is-enabled --quiet "$unit" 2>/dev/null && systemctl is-active --quiet "$unit" 2>/dev/null; then echo "$unit"; fi
done
:
"#
    )
}

fn seen(said: &str) -> Seen {
    let mut seen = Seen::default();
    for (head, text) in sections(said) {
        let lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        match head.as_str() {
            "files" => seen.files = text.lines().filter_map(file).collect::<BTreeMap<_, _>>(),
            "written" => seen.written = lines,
            "owed" => seen.owed = lines,
            "armed" => seen.armed = lines,
            "units" => seen.units = lines,
            _ => {}
        }
    }
    seen
}

fn file(line: &str) -> Option<(String, FileSeen)> {
    let mut words = line.splitn(3, ' ');
    let (sha256, mode, path) = (words.next()?, words.next()?, words.next()?);
    let mode = u32::from_str_radix(mode, 8).ok()?;
    Some((path.to_owned(), FileSeen { sha256: sha256.to_owned(), mode, text: None }))
}

/// The text of a file that differs, to show how.
fn text(place: &str, file: &crate::plan::object::File, seen: &mut Seen, shell: &mut impl Shell) -> Result<(), String> {
    let Content::Bytes(_) = &file.content else { return Ok(()) };
    let Some(there) = seen.files.get_mut(&file.path) else { return Ok(()) };
    if there.sha256 != file.sha256() && file.text().is_some() {
        let script = format!("head -c 100000 \"${{FMC_ROOT-}}\"{}", quoted(&file.path));
        there.text = Some(shell.run(place, &script, &[], DEADLINE)?.success()?);
    }
    Ok(())
}

/// The wanted rules go through the same nft in a network of their own, so that both are written in the same way.
const FIREWALL: &str = r#"wanted=$(mktemp); trap 'rm -f "$wanted"' EXIT; cat >"$wanted"
aside() { unshare -n sh -c 'nft -f "$0" && nft "$@" list table inet fmc_lab' "$wanted" "$@" 2>/dev/null; }
echo '@@ live'; nft -s list table inet fmc_lab 2>/dev/null
echo '@@ live-json'; nft -s -j list table inet fmc_lab 2>/dev/null
echo '@@ wanted'; aside -s
echo '@@ wanted-json'; aside -s -j
:
"#;

fn firewall(place: &str, path: &str, objects: &[Object], shell: &mut impl Shell) -> Result<Firewall, String> {
    let bytes = objects.iter().find_map(|object| match &object.thing {
        Thing::File(file) if object.place == place && file.path == path => match &file.content {
            Content::Bytes(bytes) => Some(bytes.clone()),
            Content::Download { .. } => None,
        },
        _ => None,
    });
    let said = shell.run(place, FIREWALL, &bytes.unwrap_or_default(), DEADLINE)?.success()?;
    let sections: BTreeMap<_, _> = sections(&said).into_iter().collect();
    let part = |name: &str| sections.get(name).cloned().unwrap_or_default();
    let (live, wanted) = (rules(&part("live-json")), rules(&part("wanted-json")));
    Ok(Firewall { same: live.is_some() && live == wanted, live: part("live"), wanted: part("wanted") })
}

/// Without what is only a number in this kernel.
fn rules(json: &str) -> Option<Vec<Value>> {
    let value: Value = serde_json::from_str(json).ok()?;
    let mut list = value.get("nftables")?.as_array()?.clone();
    list.retain(|item| item.get("metainfo").is_none());
    for object in list.iter_mut().filter_map(Value::as_object_mut).flat_map(|item| item.values_mut()) {
        object.as_object_mut().map(|object| object.remove("handle"));
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_the_same_whatever_numbers_the_kernel_gave_them() {
        let one = r#"{"nftables":[{"metainfo":{"version":"1.0.6"}},{"rule":{"handle":4,"chain":"input","expr":[{"accept":null}]}}]}"#;
        let other = r#"{"nftables":[{"rule":{"handle":9,"chain":"input","expr":[{"accept":null}]}}]}"#;
        assert_eq!(rules(one), rules(other));
        assert_ne!(rules(one), rules(&other.replace("accept", "drop")));
        assert_eq!(rules(""), None, "no table is no empty table");
    }
}
