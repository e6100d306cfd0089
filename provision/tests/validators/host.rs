//! The hypervisor: NetworkManager, the kernel's settings, nftables.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use crate::validator::{Rendered, Verdict, every_choice, in_namespace, no_noise, outcome, wrong};

const FIREWALL: &str = "host/root/etc/fmc-lab/fmc-lab.nft";

/// NetworkManager leaves out what it does not understand, so a file is right when all of it comes back.
#[test]
fn network_manager_reads_every_line_of_a_connection() {
    for rendered in every_choice() {
        let files = rendered.files(|path| path.ends_with(".nmconnection"));
        assert!(files.len() >= 2, "a bridge and its port");
        for file in files {
            connection(&file).accepts(file.display());
        }
    }
}

#[test]
fn a_connection_with_a_key_that_network_manager_does_not_know_is_refused() {
    let text = Rendered::new("c", "router").text("host/root/etc/NetworkManager/system-connections/br0.nmconnection");
    let (_directory, file) = wrong("br0.nmconnection", text.replace("stp=", "spt="));
    connection(&file).refuses("bridge.spt");
    let text = text.replace("method=disabled", "method=manual\naddress1=192.168.0.40/240");
    let (_directory, file) = wrong("br0.nmconnection", text);
    connection(&file).refuses("a prefix of 240 bits");
}

#[test]
fn the_kernel_takes_every_setting() {
    for rendered in every_choice() {
        for file in rendered.files(|path| path.ends_with("/60-fmc-lab.conf")) {
            settings(&file).accepts(file.display());
        }
    }
    let (_directory, file) = wrong("wrong.conf", "net.ipv4.ip_forwards = 1\n");
    settings(&file).refuses("net.ipv4.ip_forwards");
}

#[test]
fn the_packet_filter_loads_twice_and_leaves_the_rules_of_others_alone() {
    for rendered in every_choice() {
        let file = rendered.path().join(FIREWALL);
        let file = file.display();
        let script = format!(
            "nft -c -f {file}
             nft add table ip libvirt_network
             nft add chain ip libvirt_network guest
             nft -f {file}
             nft list table inet fmc_lab >first
             nft -f {file}
             nft list table inet fmc_lab | diff first -
             nft list chain ip libvirt_network guest >rest"
        );
        in_namespace(
            &script
                .replace("first", "/run/first")
                .replace("rest", "/dev/null")
                .replace("nft -c", "mount -t tmpfs none /run; nft -c"),
        )
        .accepts(file);
        assert!(!rendered.text(FIREWALL).contains("flush"), "nothing of others is flushed");
    }
}

#[test]
fn a_wrong_rule_refuses_the_whole_file_and_the_old_one_stays() {
    let text = Rendered::new("c", "router").text(FIREWALL);
    let (_directory, file) = wrong("wrong.nft", text.replacen("accept comment", "acceptll comment", 1));
    in_namespace(&format!("nft -c -f {}", file.display())).refuses("acceptll");
    let (_good, good) = wrong("good.nft", text);
    let script =
        format!("nft -f {}; ! nft -f {} 2>/dev/null; nft list table inet fmc_lab", good.display(), file.display());
    in_namespace(&script).accepts("the table that was there before");
}

fn settings(file: &Path) -> Verdict {
    in_namespace(&format!("sysctl -p {}", file.display()))
}

fn connection(file: &Path) -> Verdict {
    let input = File::open(file).expect("a connection");
    let mut command = Command::new("nmcli");
    command.args(["--offline", "connection", "modify", "connection.autoconnect", "yes"]).stdin(input);
    let mut verdict = outcome("nmcli", &mut command, no_noise);
    let typed = std::fs::read_to_string(file).expect("a connection");
    let lost: Vec<_> =
        typed.lines().filter(|line| line.contains('=')).filter(|line| !verdict.said.contains(line)).collect();
    verdict.accepted &= lost.is_empty();
    verdict.said.push_str(&format!("lost: {lost:?}"));
    verdict
}
