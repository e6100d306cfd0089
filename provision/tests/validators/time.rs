//! chrony: its parser takes a file with a bad network, so it is also started, in a network of its own and without touching the clock.

use std::path::Path;

use crate::validator::{Rendered, Verdict, every_choice, in_namespace, judge, no_noise, wrong};

#[test]
fn chrony_takes_every_file() {
    for rendered in every_choice() {
        let files = rendered.files(|path| path.ends_with("/etc/chrony.conf"));
        assert!(files.len() >= 4, "every machine with packages");
        for file in files {
            judge("chronyd", &["-p".as_ref(), "-f".as_ref(), file.as_os_str()], no_noise).accepts(file.display());
            starts(&file).accepts(file.display());
        }
    }
}

#[test]
fn chrony_refuses_an_unknown_word_and_a_bad_network() {
    let text = Rendered::new("c", "router").text("machines/infra-cluster/root/etc/chrony.conf");
    let (_directory, file) = wrong("chrony.conf", text.replace("makestep", "makesteps"));
    judge("chronyd", &["-p".as_ref(), "-f".as_ref(), file.as_os_str()], no_noise).refuses("makesteps");
    let (_directory, file) = wrong("chrony.conf", text.replace("10.17.3.0/24", "10.17.3.0/244"));
    starts(&file).refuses("a prefix of 244 bits");
}

/// 124 is the status of timeout(1) when what it ran was still running. Names of servers are asked of a DNS that there is none of.
fn starts(file: &Path) -> Verdict {
    in_namespace(&format!(
        "mount -t tmpfs none /run; mkdir -p /run/lib
         sed 's#/var/lib/chrony#/run/lib#' {} >/run/chrony.conf
         set +e
         timeout 0.5 chronyd -d -x -u root -f /run/chrony.conf >/run/log 2>&1
         [ $? = 124 ] || {{ cat /run/log >&2; exit 1; }}",
        file.display()
    ))
}
