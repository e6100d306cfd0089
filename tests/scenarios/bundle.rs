//! `fmc-lbctl bundle`: what somebody who helps needs to see, and no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fmc_tests::binaries::product;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::{ADVERT_KEY, Configuration};
use fmc_tests::eventually::eventually;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{NODES, Pair};
use fmc_tests::server::Server;

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_bundle_shows_both_nodes_and_no_secret_and_is_made_when_nothing_runs_too() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration =
        Configuration::flatcar_micro_cloud().with_key(&lab, KEY).with_signed_adverts(&lab, ADVERT_KEY, "enforce");
    let mut pair = Pair::start(&lab, &configuration);
    eventually("the nodes have met", Duration::from_secs(10), || {
        pair.first.status().is_some_and(|status| status.alarms.is_empty())
    });
    // What a log or a firewall may repeat.
    lab.machine(NODES[0]).expect("nft", &["add", "table", "inet", &format!("of_{KEY}")]);

    let first = lab.path("first.tar.gz");
    assert_eq!(bundle(&lab, &pair, &first).status.code(), Some(0));
    assert_eq!(bundle(&lab, &pair, &first).status.code(), Some(2), "an existing file is never replaced");
    let files = unpacked(&lab, &first);
    for name in ["loadbalancer1/status.json", "loadbalancer2/events.json", "loadbalancer2/in-force.toml", "doctor.json"]
    {
        assert!(files.iter().any(|(path, text)| path.ends_with(name) && text.len() > 100), "{name} is there");
    }
    let secrets = [KEY, ADVERT_KEY.trim().rsplit(':').next().expect("a key")];
    for (path, text) in &files {
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "a secret is in {}", path.display());
    }

    pair.first.kill_all();
    let second = lab.path("second.tar.gz");
    assert_eq!(bundle(&lab, &pair, &second).status.code(), Some(0));
    let files = unpacked(&lab, &second);
    let missing = files.iter().find(|(path, _)| path.ends_with("missing.txt")).expect("what is missing is said");
    assert!(missing.1.contains("status.json: nothing answers"), "{}", missing.1);
}

/// On the node itself, whose firewall is gathered too.
fn bundle(lab: &Lab, pair: &Pair<'_>, to: &Path) -> std::process::Output {
    let (socket, config) = (pair.first.path("admin.sock"), lab.path("loadbalancer1.toml"));
    let words = [
        Path::new("--socket"),
        &socket,
        Path::new("bundle"),
        Path::new("--output"),
        to,
        Path::new("--config"),
        &config,
    ];
    let words = words.map(|word| word.to_str().expect("a path in words"));
    lab.machine(NODES[0]).output(product("fmc-lbctl").to_str().expect("a path in words"), &words)
}

/// Every file of an archive.
fn unpacked(lab: &Lab, archive: &Path) -> Vec<(PathBuf, String)> {
    let directory = archive.with_extension("d");
    std::fs::create_dir(&directory).expect("a directory");
    let words = ["-xzf", archive.to_str().expect("a path"), "-C", directory.to_str().expect("a path")];
    lab.client().expect("tar", &words);
    let listed = lab.client().expect("find", &[directory.to_str().expect("a path"), "-type", "f"]);
    let files: Vec<_> =
        listed.lines().map(|path| (PathBuf::from(path), std::fs::read_to_string(path).expect("text"))).collect();
    assert!(files.len() > 20, "{listed}");
    files
}
