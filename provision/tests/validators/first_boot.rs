//! What machines read at their first start: cloud-init's own schema, its own converter of networks, Ignition's own validator, and the seed as a
//! file system.

use std::path::Path;

use crate::validator::{Rendered, Verdict, every_choice, judge, no_noise, put, scratch, wrong};

#[test]
fn cloud_init_takes_every_user_data() {
    for rendered in every_choice() {
        for file in rendered.files(|path| path.ends_with("/user-data")) {
            schema(&file).accepts(file.display());
        }
    }
}

#[test]
fn cloud_init_refuses_a_wrong_type_and_a_missing_header() {
    let text = Rendered::new("c", "router").text("machines/infra-cluster/user-data");
    let (_directory, file) = wrong("user-data", text.replace("disable_root: true", "disable_root: 7"));
    schema(&file).refuses("disable_root: 7");
    let (_directory, file) = wrong("user-data", text.replace("#cloud-config\n", ""));
    schema(&file).refuses("a file without its header");
}

/// Its schema lets a misspelt key pass, so its own converter writes the file for NetworkManager, and the addresses must be in it.
#[test]
fn cloud_init_makes_networkmanagers_files_of_every_network_config() {
    for rendered in every_choice() {
        for file in rendered.files(|path| path.ends_with("/network-config")) {
            let text = std::fs::read_to_string(&file).expect("a network-config");
            let made = converted(&text);
            let items = text.lines().filter_map(|line| line.trim().strip_prefix("- "));
            for prefix in items.map(|item| item.trim_start_matches("to: ")).filter(|item| item.contains('/')) {
                assert!(made.contains(prefix), "{prefix} of {} is lost:\n{made}", file.display());
            }
            for via in text.lines().filter_map(|line| line.trim().strip_prefix("via: ")) {
                assert!(made.contains(via), "the way by {via} of {} is lost:\n{made}", file.display());
            }
        }
    }
}

#[test]
fn the_converter_shows_that_a_misspelt_key_is_lost() {
    let text = Rendered::new("c", "router").text("machines/loadbalancer1/network-config");
    assert!(converted(&text).contains("192.168.0.30/24"));
    assert!(!converted(&text.replace("addresses:\n    - 192", "adresses:\n    - 192")).contains("192.168.0.30/24"));
}

#[test]
fn ignition_takes_every_configuration() {
    for rendered in every_choice() {
        let files = rendered.files(|path| path.ends_with("/config.ign"));
        assert!(files.len() >= 7, "masters, workers and storage");
        for file in files {
            ignition(&file).accepts(file.display());
        }
    }
}

#[test]
fn ignition_refuses_a_relative_path_and_a_key_that_it_does_not_know() {
    let text = Rendered::new("c", "router").text("machines/storage1/config.ign");
    for (right, bad) in
        [("\"/etc/hostname\"", "\"etc/hostname\""), ("\"wipeTable\"", "\"wipeTables\""), ("3.3.0", "3.9.0")]
    {
        assert!(text.contains(right), "{right} is not in the file");
        let (_directory, file) = wrong("config.ign", text.replacen(right, bad, 1));
        ignition(&file).refuses(bad);
    }
}

#[test]
fn the_seed_is_a_clean_file_system_with_the_three_files() {
    for rendered in every_choice() {
        for image in rendered.files(|path| path.ends_with("/seed.img")) {
            file_system(&image).accepts(image.display());
            let label = judge("blkid", &["-o".as_ref(), "export".as_ref(), image.as_os_str()], no_noise).said;
            assert!(label.contains("\nLABEL=CIDATA\n") && label.contains("\nTYPE=vfat\n"), "{label}");
            for name in ["user-data", "meta-data", "network-config"] {
                let copied = scratch();
                let to = copied.path().join(name);
                judge(
                    "mcopy",
                    &["-i".as_ref(), image.as_os_str(), format!("::{name}").as_ref(), to.as_os_str()],
                    no_noise,
                )
                .accepts(name);
                assert!(
                    std::fs::read(&to).expect("a copy") == std::fs::read(image.with_file_name(name)).expect("a file"),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn a_seed_that_is_cut_off_is_no_file_system() {
    let rendered = Rendered::new("c", "router");
    let image = std::fs::read(rendered.path().join("machines/infra-cluster/seed.img")).expect("a seed");
    let (_directory, file) = wrong("seed.img", &image[..4096]);
    file_system(&file).refuses("the first 4096 bytes");
}

fn schema(file: &Path) -> Verdict {
    judge("cloud-init", &["schema".as_ref(), "--config-file".as_ref(), file.as_os_str()], no_noise)
}

/// It says on standard output what it warns of, and exits with 0.
fn ignition(file: &Path) -> Verdict {
    let verdict = judge("ignition-validate", &[file], no_noise);
    Verdict { accepted: verdict.accepted && verdict.said.trim_end() == "exit status: 0", ..verdict }
}

fn file_system(image: &Path) -> Verdict {
    judge("fsck.vfat", &["-n".as_ref(), image.as_os_str()], no_noise)
}

/// Every file that cloud-init makes for NetworkManager. The converter wants the file as it stands in a system's own configuration.
fn converted(network_config: &str) -> String {
    let directory = scratch();
    let (file, out) = (directory.path().join("network.yaml"), directory.path().join("out"));
    let indented: String = network_config.lines().map(|line| format!("  {line}\n")).collect();
    put(&file, format!("network:\n{indented}"));
    let arguments = ["devel", "net-convert", "-k", "yaml", "-D", "rhel", "-O", "network-manager", "-p"];
    let arguments: Vec<&std::ffi::OsStr> =
        arguments.iter().map(AsRef::as_ref).chain([file.as_os_str(), "-d".as_ref(), out.as_os_str()]).collect();
    let verdict = judge("cloud-init", &arguments, |_| true);
    assert!(verdict.accepted, "{}", verdict.said);
    let made = judge(
        "find",
        &[
            out.as_os_str(),
            "-name".as_ref(),
            "*.nmconnection".as_ref(),
            "-exec".as_ref(),
            "cat".as_ref(),
            "{}".as_ref(),
            "+".as_ref(),
        ],
        no_noise,
    );
    made.said
}
