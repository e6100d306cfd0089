//! Zones, by BIND's own checker. CoreDNS has no package here, so of the Corefile only its blocks are held against the zones.

use std::collections::BTreeSet;
use std::path::Path;

use crate::validator::{Rendered, Verdict, every_choice, judge, no_noise, wrong};

#[test]
fn every_zone_loads() {
    for rendered in every_choice() {
        let files = rendered.files(|path| path.contains("/etc/coredns/db."));
        assert!(files.len() >= 3, "the domain and its reverse zones");
        for file in files {
            let zone = file.file_name().expect("a name").to_string_lossy().replacen("db.", "", 1);
            check(&zone, &file).accepts(file.display());
        }
    }
}

#[test]
fn a_bad_address_and_a_server_without_address_are_refused() {
    let text = Rendered::new("c", "router").text("machines/infra-cluster/root/etc/coredns/db.cefaslocalserver.com");
    for (right, bad) in
        [("IN A 192.168.0.32", "IN A 192.168.0.332"), ("infra-cluster IN A", "infra IN A"), ("IN SOA", "IN SAO")]
    {
        assert!(text.contains(right), "{right} is not in the zone");
        let (_directory, file) = wrong("zone", text.replacen(right, bad, 1));
        check("cefaslocalserver.com", &file).refuses(bad);
    }
}

#[test]
fn the_corefile_serves_each_zone_once_from_its_file_and_forwards_the_rest() {
    for rendered in every_choice() {
        let corefile = rendered.text("machines/infra-cluster/root/etc/coredns/Corefile");
        let blocks: Vec<_> = corefile.lines().filter_map(|line| line.strip_suffix(" {")).collect();
        assert_eq!(blocks.len(), blocks.iter().collect::<BTreeSet<_>>().len(), "{blocks:?}");
        for file in rendered.files(|path| path.contains("/etc/coredns/db.")) {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(blocks.contains(&name.replacen("db.", "", 1).as_str()), "{name} has no block: {blocks:?}");
            assert!(corefile.contains(&format!("    file /etc/coredns/{name}\n")), "{name} is not served");
        }
        assert_eq!(blocks.last(), Some(&"."));
        assert!(corefile.contains("    forward . 1.1.1.1 8.8.8.8\n"), "{corefile}");
        assert_eq!(corefile.matches('{').count(), corefile.matches('}').count());
    }
}

fn check(zone: &str, file: &Path) -> Verdict {
    let arguments = ["-k", "fail", "-n", "fail", "-m", "fail", zone].map(AsRef::as_ref);
    let arguments: Vec<&std::ffi::OsStr> = arguments.into_iter().chain([file.as_os_str()]).collect();
    judge("named-checkzone", &arguments, no_noise)
}
