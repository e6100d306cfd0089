//! Units, by systemd's own verifier.

use std::path::Path;

use crate::validator::{Rendered, Verdict, every_choice, judge, no_noise, put, scratch};

#[test]
fn every_unit_is_taken_by_systemd() {
    for rendered in every_choice() {
        for system in systems(&rendered) {
            verify(&rendered, &system, |text| text).accepts(&system);
        }
    }
}

#[test]
fn systemd_refuses_a_wrong_type_of_service() {
    let rendered = Rendered::new("c", "router");
    verify(&rendered, "host", |text| text.replace("Type=oneshot", "Type=oneshoot")).refuses("Type=oneshoot");
    verify(&rendered, "host", |text| text.replace("[Install]", "Bogus=1\n[Install]")).refuses("an unknown key");
}

/// Those with units of their own, by their directory in the rendered tree.
fn systems(rendered: &Rendered) -> Vec<String> {
    let units = rendered.files(|path| path.contains("/root/etc/systemd/system/"));
    let systems = units.iter().map(|file| {
        let path = file.strip_prefix(rendered.path()).expect("it is below").to_string_lossy().into_owned();
        path.split_once("/root/").expect("it is below root").0.to_owned()
    });
    let systems: std::collections::BTreeSet<_> = systems.collect();
    assert!(systems.contains("host"));
    systems.into_iter().collect()
}

/// All units of one system at once. Programs that only that system has are stood in for by one that is here.
fn verify(rendered: &Rendered, system: &str, change: impl Fn(String) -> String) -> Verdict {
    let directory = scratch();
    let files = rendered.files(|path| path.starts_with(&format!("{system}/root/etc/systemd/system/")));
    let mut units = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a unit");
        let text = change(text).lines().map(here).collect::<Vec<_>>().join("\n");
        let name = file.file_name().expect("a name");
        put(&directory.path().join(name), text + "\n");
        units.push(directory.path().join(name));
    }
    let arguments: Vec<_> =
        ["verify", "--man=no"].iter().map(Into::into).chain(units).collect::<Vec<std::path::PathBuf>>();
    judge("systemd-analyze", &arguments, no_noise)
}

fn here(line: &str) -> String {
    let command = line.split_once('=').filter(|(key, _)| key.starts_with("Exec"));
    let Some((key, command)) = command else { return line.to_owned() };
    let program = command.trim_start_matches(['-', '+', '!', '@', ':']);
    let path = program.split(' ').next().unwrap_or_default();
    if Path::new(path).exists() { line.to_owned() } else { format!("{key}=/bin/true") }
}
