//! WireGuard, on a tunnel of wireguard-go in a namespace: `wg-quick strip` checks nothing.

use std::path::Path;

use crate::validator::{Rendered, Verdict, every_choice, in_namespace, wrong};

#[test]
fn every_end_of_the_tunnel_is_taken_by_wireguard() {
    for rendered in every_choice() {
        let files = rendered.files(|path| path.ends_with("/wg0.conf"));
        assert!(files.len() >= 2, "the server and a peer");
        for file in files {
            tunnel(&file).accepts(file.display());
        }
    }
}

#[test]
fn wireguard_refuses_a_short_key_and_a_long_prefix() {
    let text = Rendered::new("c", "router").text("host/root/etc/wireguard/wg0.conf");
    for (right, bad) in [("PublicKey=T", "PublicKey="), ("10.17.0.1/32", "10.17.0.1/33"), ("ListenPort", "ListensPort")]
    {
        assert!(text.contains(right), "{right} is not in the file");
        let (_directory, file) = wrong("wg0.conf", text.replacen(right, bad, 1));
        tunnel(&file).refuses(bad);
    }
}

#[test]
fn the_gateways_rules_load() {
    let rendered = Rendered::new("c", "vps");
    in_namespace(&format!("nft -c -f {}", rendered.path().join("wireguard/gateway/fmc-lab.nft").display()))
        .accepts("the gateway");
    let text = rendered.text("wireguard/gateway/fmc-lab.nft");
    assert!(text.contains("tcp dport 443 dnat ip to 192.168.0.33:443"), "{text}");
    let (_directory, file) = wrong("fmc-lab.nft", text.replace("192.168.0.33:443", "192.168.0.333:443"));
    in_namespace(&format!("nft -c -f {}", file.display())).refuses("192.168.0.333");
}

/// An endpoint that is a name is asked of DNS, which there is none of.
fn tunnel(file: &Path) -> Verdict {
    let file = file.display();
    in_namespace(&format!(
        "mount -t tmpfs none /run
         umask 077; sed 's/^Endpoint=[a-z].*:/Endpoint=192.0.2.1:/' {file} >/run/wg0.conf
         wg-quick strip /run/wg0.conf >/run/stripped
         WG_PROCESS_FOREGROUND=1 LOG_LEVEL=silent wireguard-go -f wg0 >/run/log 2>&1 & daemon=$!
         trap 'kill $daemon' EXIT
         for i in $(seq 200); do [ -S /run/wireguard/wg0.sock ] && break; sleep 0.01; done
         wg setconf wg0 /run/stripped"
    ))
}
