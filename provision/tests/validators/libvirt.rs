//! libvirt's own schemas, and its own parser by the driver `test`, which needs no daemon.

use std::path::Path;

use crate::validator::{Rendered, Verdict, every_choice, judge, no_noise, wrong};

#[test]
fn every_file_for_libvirt_fits_its_schema_and_is_taken_by_its_parser() {
    for rendered in every_choice() {
        for (prefix, kind, define) in KINDS {
            let files = rendered.files(|path| path.starts_with(&format!("host/libvirt/{prefix}")));
            assert!(!files.is_empty(), "no file of {kind}");
            for file in &files {
                schema(file, kind).accepts(file.display());
                parser(define, file).accepts(file.display());
            }
        }
    }
}

#[test]
fn the_schema_refuses_an_element_that_libvirt_does_not_know() {
    let (_directory, file) = wrong("domain.xml", domain().replace("vcpu>", "vcpus>"));
    schema(&file, "domain").refuses("<vcpus>");
}

#[test]
fn the_parser_refuses_an_address_range_outside_its_network() {
    let range = "<ip address='10.17.3.1' prefix='24'><dhcp><range start='10.9.9.9' end='10.9.9.10'/></dhcp></ip>";
    let text = format!("<network><name>x</name><forward mode='open'/><bridge name='br7'/>{range}</network>");
    let (_directory, file) = wrong("network.xml", text);
    schema(&file, "network").accepts("a range that the schema cannot judge");
    parser("net-define --validate", &file).refuses("a range outside the network");
}

/// How the names of files begin, their schema, and what takes them.
const KINDS: [(&str, &str, &str); 4] = [
    ("network", "network", "net-define --validate"),
    ("pool", "storagepool", "pool-define --validate"),
    ("volume", "storagevol", "vol-create default-pool"),
    ("domain", "domain", "define --validate"),
];

/// It says of a right file that it validates, on standard error.
fn schema(file: &Path, kind: &str) -> Verdict {
    judge("virt-xml-validate", &[file.as_os_str(), kind.as_ref()], |line| line.ends_with(" validates"))
}

fn parser(define: &str, file: &Path) -> Verdict {
    judge("virsh", &["-q", "-c", "test:///default", &format!("{define} {}", file.display())], no_noise)
}

fn domain() -> String {
    Rendered::new("c", "router").text("host/libvirt/domain-master1.xml")
}
