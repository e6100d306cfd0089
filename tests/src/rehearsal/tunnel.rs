//! WireGuard by wg-quick(8) with what is rendered, over wireguard-go. The keys are the rehearsal's own: nobody else's are at hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fmc_provision::lab::VpnServer;

use super::{HYPERVISOR, Rehearsal};
use crate::process::Spawn;

/// Keys of one end.
struct Keys {
    private: PathBuf,
    public: String,
}

impl Rehearsal {
    /// The tunnel comes up at its server, at the gateway and at every peer whose file is rendered. Says how many ends that are.
    pub(super) fn start_tunnel(&mut self) -> usize {
        let Some(vpn) = self.described.vpn.clone() else { return 0 };
        let Some(server) = self.described.vpn_server() else { return 0 };
        let (server, file) = match server {
            VpnServer::Host => (HYPERVISOR.to_owned(), "host/root/etc/wireguard/wg0.conf".to_owned()),
            VpnServer::Machine(machine) => {
                (machine.name.to_string(), format!("machines/{}/root/etc/wireguard/wg0.conf", machine.name))
            }
            VpnServer::Device(address) => {
                let named = self.described.devices.iter().find(|(_, own)| *own == address);
                let name = named.map(|(name, _)| name.to_string()).unwrap_or_default();
                (name.clone(), format!("wireguard/{name}/wg0.conf"))
            }
        };
        // By the public key of the inventory, so that each file can be told whose it names.
        let mut keys = BTreeMap::from([(vpn.server.public_key.to_string(), self.keys("server"))]);
        keys.extend(vpn.peers.iter().map(|(name, peer)| (peer.public_key.to_string(), self.keys(name.as_str()))));
        let mut ends =
            vec![(server, file, vpn.server.private_key.file().to_string(), vpn.server.public_key.to_string())];
        for (name, peer) in vpn.peers.iter().filter(|(_, peer)| peer.endpoint.is_some()) {
            let Some(secret) = &peer.private_key else { continue };
            let file = format!("wireguard/{name}/wg0.conf");
            ends.push((name.to_string(), file, secret.file().to_string(), peer.public_key.to_string()));
        }
        for (host, file, secret, public) in &ends {
            self.bring_up(host, file, (secret, &keys[public]), &keys);
        }
        ends.len()
    }

    fn keys(&self, name: &str) -> Keys {
        let private = wg(&["genkey"], "");
        let public = wg(&["pubkey"], &private);
        Keys { private: self.directory.write(&format!("{name}.wgkey"), &private), public: public.trim().to_owned() }
    }

    fn bring_up(&mut self, host: &str, file: &str, (secret, own): (&str, &Keys), keys: &BTreeMap<String, Keys>) {
        let mut text = self.text(file);
        for (public, Keys { public: ours, .. }) in keys {
            text = text.replace(public, ours);
        }
        text = text.replace(&format!("/etc/fmc-lab/secrets/{secret}"), &own.private.to_string_lossy());
        let named = self.described.vpn.iter().filter_map(|vpn| vpn.server.endpoint.as_ref()).next();
        if let Some(name) = named {
            text = text.replace(&format!("Endpoint={name}"), &format!("Endpoint={}", self.public()));
        }
        let directory = self.directory.join(&format!("{host}.wireguard"));
        fs::create_dir_all(&directory).expect("a directory of the rehearsal");
        let conf = directory.join("wg0.conf");
        fs::write(&conf, text).expect("a file of the rehearsal");
        // Its socket has one path for all: each end has a directory of its own there.
        let script = format!(
            "mkdir -p {0}/run /var/run/wireguard; mount --bind {0}/run /var/run/wireguard
             export WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1
             wg-quick up {0}/wg0.conf; echo up; exec sleep infinity",
            directory.display()
        );
        let spawn =
            Spawn::new("unshare", self.log(&format!("{host}.wireguard"))).args(["--mount", "sh", "-euc", &script]);
        let mut process = self.host(host).spawn(spawn);
        let begin = std::time::Instant::now();
        while !process.log().lines().any(|line| line == "up") {
            let lives = process.is_alive() && begin.elapsed().as_secs() < 10;
            assert!(lives, "wg-quick of {host} does not come up: {}", process.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        self.keep(&format!("{host}: tunnel"), process);
    }
}

fn wg(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("wg").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let child = child.as_mut().expect("wg (package wireguard-tools) starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), input.as_bytes()).expect("wg reads");
    let text = std::io::read_to_string(child.stdout.take().expect("it is piped")).expect("wg writes");
    let status = child.wait().expect("wg ends");
    assert!(status.success(), "wg {}: {status}", arguments.join(" "));
    text
}
