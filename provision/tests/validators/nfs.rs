//! NFS exports by exportfs itself, and the directories by systemd-tmpfiles, on file systems of their own.

use std::path::Path;

use crate::validator::{Rendered, Verdict, every_choice, in_namespace, judge, no_noise, wrong};

const EXPORTS: &str = "machines/storage1/root/etc/exports.d/fmc-lab.exports";
const SETTINGS: &str = "machines/storage1/root/etc/nfs.conf.d/fmc-lab.conf";
const DIRECTORIES: &str = "machines/storage1/root/etc/tmpfiles.d/fmc-lab-exports.conf";

#[test]
fn the_kernels_tool_takes_every_export_and_the_directories_are_made() {
    for rendered in every_choice() {
        let (exports, directories) = (rendered.path().join(EXPORTS), rendered.path().join(DIRECTORIES));
        exported(&exports.display().to_string(), &directories.display().to_string()).accepts(EXPORTS);
    }
}

#[test]
fn an_unknown_option_and_a_blank_before_the_parenthesis_are_refused() {
    let rendered = Rendered::new("c", "router");
    let (text, directories) = (rendered.text(EXPORTS), rendered.path().join(DIRECTORIES).display().to_string());
    for (right, bad) in
        [("root_squash", "root_squashed"), ("10.17.3.14(", "10.17.3.14 ("), ("/srv/nfs/shared", "/srv/nfs/sharde")]
    {
        assert!(text.contains(right), "{right} is not in the file");
        let (_directory, file) = wrong("fmc-lab.exports", text.replacen(right, bad, 1));
        exported(&file.display().to_string(), &directories).refuses(bad);
    }
}

#[test]
fn the_servers_settings_are_read_and_a_misspelt_section_is_not() {
    let rendered = Rendered::new("c", "router");
    let file = rendered.path().join(SETTINGS);
    version_3_is_off(&file).accepts(SETTINGS);
    let (_directory, file) = wrong("nfs.conf", rendered.text(SETTINGS).replace("[nfsd]", "[nsfd]"));
    version_3_is_off(&file).refuses("[nsfd]");
}

fn version_3_is_off(file: &Path) -> Verdict {
    let script = "[ \"$(nfsconf --file \"$1\" --get nfsd vers3)\" = n ]";
    judge("sh", &["-euc".as_ref(), script.as_ref(), "sh".as_ref(), file.as_os_str()], no_noise)
}

/// The kernel of this machine may have no NFS server, so exports are read and shown, not served.
fn exported(exports: &str, directories: &str) -> Verdict {
    in_namespace(&format!(
        "mkdir -p /etc/exports.d /var/lib/nfs
         mount -t tmpfs none /srv; mount -t tmpfs none /etc/exports.d; mount -t tmpfs none /var/lib/nfs; touch /var/lib/nfs/etab
         systemd-tmpfiles --create {directories}
         cp {exports} /etc/exports.d/fmc-lab.exports
         exportfs -ra; exportfs -s | grep -q '^/srv/nfs'"
    ))
}
