//! What is done at a place, as texts for sh(1). `FMC_ROOT` is a directory that stands in for `/`; it is empty on a real machine.
//!
//! Each is whole or undone when it is cut off, and may run twice: a file takes its place by a rename once all of it is there, and what has to read
//! it again is owed (a mark on the disk) from before the file changes until it has been read.

use super::object::{Content, File, Guard, Kind, Libvirt, Reaction};

/// Where a place remembers what is owed, what was written and what may come back.
const STATE: &str = "$FMC_ROOT/var/lib/fmc-lab";

/// In single quotes, as sh(1) takes it literally.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn begin() -> String {
    format!("set -eu\nFMC_ROOT=${{FMC_ROOT-}}\nstate={STATE}\n")
}

fn owe(name: &str) -> String {
    format!("mkdir -p \"$state/owed\"; : >\"$state/owed/\"{}\n", quoted(name))
}

fn paid(name: &str) -> String {
    format!("rm -f \"$state/owed/\"{}\n", quoted(name))
}

/// Standard input becomes the file, if it is the whole of it.
pub(super) fn write(file: &File) -> String {
    let owed = file.reaction.as_deref().map(owe).unwrap_or_default();
    let fetch = match &file.content {
        Content::Bytes(_) => "cat >\"$new\"".to_owned(),
        Content::Download { url, .. } => {
            format!("curl --fail --silent --show-error --location --retry 5 --output \"$new\" {}", quoted(url))
        }
    };
    format!(
        "{}path={}; file=$FMC_ROOT$path; new=$file.fmc-lab.new\nmkdir -p \"$state\" \"$(dirname \"$file\")\"\n\
         (umask 077; {fetch})\n\
         echo \"{}  $new\" | sha256sum --check --status || {{ rm -f \"$new\"; echo 'not all of it arrived' >&2; exit 1; }}\n\
         chmod {:o} \"$new\"\n\
         grep -qxF \"$path\" \"$state/written\" 2>/dev/null || echo \"$path\" >>\"$state/written\"\n\
         {owed}mv -f \"$new\" \"$file\"\n\
         ! command -v restorecon >/dev/null || restorecon \"$file\"\n",
        begin(),
        quoted(&file.path),
        file.sha256(),
        file.mode,
    )
}

/// A file that the lab has no more; it is forgotten last, so that a run that is cut off begins again.
pub(super) fn remove(path: &str) -> String {
    let (before, after) = super::reaction::to_removal(path);
    format!(
        "{}path={}\n{before}\nrm -f \"$FMC_ROOT$path\"\n{after}\ngrep -vxF \"$path\" \"$state/written\" >\"$state/written.new\" || :\n\
         mv -f \"$state/written.new\" \"$state/written\"\n",
        begin(),
        quoted(path),
    )
}

pub(super) fn react(reaction: &Reaction) -> String {
    format!("{}{{ {}\n}}\n{}", begin(), reaction.script, paid(&reaction.name))
}

/// The directory of a guard.
fn guarded(guard: &Guard) -> String {
    format!("dir=$state/rollback/{0}; unit=fmc-lab-rollback-{0}\n", guard.name)
}

/// Whatever counted down before has ended after this.
const STOP: &str = "if [ -d /run/systemd/system ] && [ -z \"$FMC_ROOT\" ]; then systemctl stop \"$unit.timer\" 2>/dev/null || :\n\
    elif [ -e \"$dir/pid\" ]; then kill -- \"-$(cat \"$dir/pid\")\" 2>/dev/null || :; fi\n";

/// Keeps the former state, and has it come back after `seconds`. With `again`, it is kept already, and only time begins anew.
pub(super) fn arm(guard: &Guard, seconds: u64, again: bool) -> String {
    let keep = if again {
        format!(
            "[ -d \"$dir\" ] || {{ echo 'the former state has just come back; run it again' >&2; exit 1; }}\n{STOP}"
        )
    } else {
        format!("rm -rf \"$dir.new\"; mkdir -p \"$dir.new/files\"\n{}mv \"$dir.new\" \"$dir\"\n", keep(guard))
    };
    format!(
        "{}{}{keep}if [ -d /run/systemd/system ] && [ -z \"$FMC_ROOT\" ]; then\n  \
         systemd-run --quiet --collect --unit=\"$unit\" --on-active={seconds} --timer-property=AccuracySec=1s /bin/sh \"$dir/undo\"\nelse\n  \
         setsid sh -c 'sleep \"$1\"; exec sh \"$2\"' sh {seconds} \"$dir/undo\" </dev/null >/dev/null 2>&1 &\n  echo $! >\"$dir/pid\"\nfi\n",
        begin(),
        guarded(guard),
    )
}

/// Writes what there is, and the script that brings it back, into `$dir.new`.
fn keep(guard: &Guard) -> String {
    let mut keep = String::new();
    let mut undo = String::from("[ -d \"$dir\" ] && mv \"$dir\" \"$dir.back\" || exit 0\n");
    for (at, path) in guard.paths.iter().enumerate() {
        let path = quoted(path);
        keep.push_str(&format!("[ ! -e \"$FMC_ROOT\"{path} ] || cp -p \"$FMC_ROOT\"{path} \"$dir.new/files/{at}\"\n"));
        undo.push_str(&format!(
            "if [ -e \"$dir.back/files/{at}\" ]; then cp -p \"$dir.back/files/{at}\" \"$FMC_ROOT\"{path}; else rm -f \"$FMC_ROOT\"{path}; fi\n"
        ));
    }
    if guard.firewall {
        keep.push_str(
            "nft -s list table inet fmc_lab >\"$dir.new/table\" 2>/dev/null || rm -f \"$dir.new/table\"\n\
             if systemctl is-active --quiet firewalld 2>/dev/null; then : >\"$dir.new/firewalld\"; fi\n",
        );
        undo.push_str(
            "{ echo 'table inet fmc_lab'; echo 'delete table inet fmc_lab'; cat \"$dir.back/table\" 2>/dev/null; } | nft -f -\n\
             [ ! -e \"$dir.back/firewalld\" ] || systemctl start firewalld\n",
        );
    }
    undo.push_str(&format!("{}\nrm -rf \"$dir.back\"\n", guard.restore));
    let head = "{ printf 'FMC_ROOT=%s\\nstate=%s\\ndir=%s\\n' \"$FMC_ROOT\" \"$state\" \"$dir\"; cat <<'UNDO'\n";
    format!("{keep}{head}{undo}UNDO\n}} >\"$dir.new/undo\"\n")
}

/// Lets the former state go; fails when it has come back before.
pub(super) fn confirm(guard: &Guard) -> String {
    format!(
        "{}{}[ -d \"$dir\" ] || {{ echo 'nobody confirmed in time: the former state has come back; run it again' >&2; exit 1; }}\n\
         {STOP}rm -rf \"$dir.done\"; mv \"$dir\" \"$dir.done\"; rm -rf \"$dir.done\"\n",
        begin(),
        guarded(guard),
    )
}

pub(super) fn firewall(path: &str) -> String {
    format!("{}nft -f \"$FMC_ROOT\"{}\n", begin(), quoted(path))
}

pub(super) fn unit(name: &str) -> String {
    format!("{}systemctl enable --now {}\n", begin(), quoted(name))
}

pub(super) fn image(path: &str, sha256: &str) -> String {
    format!(
        "{}image=$FMC_ROOT{}\n[ -e \"$image\" ] || {{ echo \"put the image at $image, then run it again\" >&2; exit 1; }}\n\
         echo \"{sha256}  $image\" | sha256sum --check --status || {{ echo \"$image has another checksum than the inventory\" >&2; exit 1; }}\n",
        begin(),
        quoted(path),
    )
}

/// Standard input becomes `$xml`.
const XML: &str = "xml=$(mktemp); trap 'rm -f \"$xml\"' EXIT; cat >\"$xml\"\n";

/// A document that libvirt has not got, or has otherwise. `foreign`: the one of that name has another identity and goes first.
pub(super) fn define(it: &Libvirt, active: bool, foreign: bool) -> String {
    let name = quoted(&it.name);
    let body = match it.kind {
        Kind::Network => network(&name, &format!("network-{}", it.name), active, foreign),
        Kind::Pool => {
            let gone = if active { format!("virsh -q pool-destroy {name}\n") } else { String::new() };
            format!(
                "{gone}virsh -q pool-define \"$xml\"\nvirsh -q pool-build {name}\nvirsh -q pool-autostart {name}\nvirsh -q pool-start {name}\n"
            )
        }
        Kind::Volume => volume_anew(&name, foreign),
        Kind::Domain => domain(&it.name, &name, foreign),
    };
    format!("{}{XML}{body}", begin())
}

/// The interfaces of running machines leave a bridge with it, and are put back into the new one.
fn network(name: &str, mark: &str, active: bool, foreign: bool) -> String {
    let stop = if active { format!("virsh -q net-destroy {name}\n") } else { String::new() };
    let gone = if foreign { format!("virsh -q net-undefine {name}\n") } else { String::new() };
    format!(
        "{}{stop}{gone}virsh -q net-define --validate \"$xml\"\nvirsh -q net-autostart {name}\n{}{}",
        owe(mark),
        start_network(name),
        paid(mark),
    )
}

fn start_network(name: &str) -> String {
    format!(
        "virsh -q net-start {name}\nbridge=$(virsh -q net-info {name} | sed -n 's/^Bridge: *//p')\n\
         for machine in $(virsh -q list --name); do\n  \
         for tap in $(virsh -q domiflist \"$machine\" | awk -v network={name} '$3 == network {{ print $1 }}'); do\n    \
         [ \"$tap\" = - ] || ip link set \"$tap\" master \"$bridge\"\n  done\ndone\n"
    )
}

/// Something that is defined as it shall be, and does not run.
pub(super) fn start(it: &Libvirt) -> String {
    let name = quoted(&it.name);
    let body = match it.kind {
        Kind::Network => {
            let mark = format!("network-{}", it.name);
            let start = start_network(&name);
            let start = start.replacen("virsh", &format!("virsh -q net-list --name | grep -qxF {name} || virsh"), 1);
            format!("{}virsh -q net-autostart {name}\n{start}{}", owe(&mark), paid(&mark))
        }
        Kind::Pool => format!(
            "virsh -q pool-autostart {name}\nvirsh -q pool-list --name | sed 's/ *$//' | grep -qxF {name} || {{ virsh -q pool-build {name}; virsh -q pool-start {name}; }}\n"
        ),
        Kind::Domain => format!("virsh -q autostart {name}\n"),
        Kind::Volume => String::new(),
    };
    format!("{}{body}", begin())
}

fn volume_anew(name: &str, there: bool) -> String {
    let pool = crate::render::libvirt::POOL;
    let gone = if there { format!("virsh -q vol-delete --pool {pool} {name}\n") } else { String::new() };
    format!("{gone}virsh -q vol-create {pool} \"$xml\"\n")
}

/// The disk of a machine that runs is grown by the machine's own process: nobody else may write to it.
pub(super) fn grow(volume: &Libvirt, bytes: u64) -> String {
    let (pool, name) = (crate::render::libvirt::POOL, quoted(&volume.name));
    let machine = quoted(volume.machine.as_deref().unwrap_or_default());
    format!(
        "{}if [ \"$(virsh -q domstate {machine} 2>/dev/null)\" = running ]; then\n  \
         virsh -q blockresize {machine} \"$(virsh -q vol-path --pool {pool} {name})\" {bytes}B\n  virsh -q pool-refresh {pool}\n\
         else virsh -q vol-resize --pool {pool} {name} {bytes}B; fi\n",
        begin()
    )
}

fn domain(machine: &str, name: &str, foreign: bool) -> String {
    let gone = if foreign {
        format!("virsh -q destroy {name} 2>/dev/null || :\nvirsh -q undefine {name}\n")
    } else {
        String::new()
    };
    let mark = super::wanted::restart(machine);
    format!("{gone}{}virsh -q define --validate \"$xml\"\nvirsh -q autostart {name}\n", owe(&mark))
}

/// For a machine that runs: its next start has what is new. One that does not listen is left running.
pub(super) fn restart(machine: &str) -> String {
    let name = quoted(machine);
    format!(
        "if [ \"$(virsh -q domstate {name} 2>/dev/null)\" = running ]; then\n  virsh -q shutdown {name}\n  left=120\n  \
         while [ \"$(virsh -q domstate {name})\" = running ]; do\n    \
         [ $left -gt 0 ] || {{ echo 'it does not shut down; once it is off, run it again' >&2; exit 1; }}\n    sleep 1; left=$((left - 1))\n  done\n  \
         virsh -q start {name}\nfi"
    )
}

pub(super) fn run(machine: &str) -> String {
    let name = quoted(machine);
    format!("{}[ \"$(virsh -q domstate {name})\" = running ] || virsh -q start {name}\n", begin())
}

/// What libvirt has and the lab has not.
pub(super) fn forget(kind: Kind, name: &str) -> String {
    let name = quoted(name);
    let body = match kind {
        Kind::Domain => format!("virsh -q destroy {name} 2>/dev/null || :\nvirsh -q undefine {name}\n"),
        Kind::Network => format!("virsh -q net-destroy {name} 2>/dev/null || :\nvirsh -q net-undefine {name}\n"),
        Kind::Volume => format!("virsh -q vol-delete --pool {} {name}\n", crate::render::libvirt::POOL),
        Kind::Pool => String::new(),
    };
    format!("{}{body}", begin())
}
