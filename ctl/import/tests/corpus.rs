//! Whole pairs of files, with what comes of them: the configuration and the report.
//!
//! `tests/corpus/NAME/` holds `haproxy.cfg`, `keepalived-*.conf`, what else the operator says (`wishes`), and the golden `fmc-lb.toml` and
//! `report.txt`. `UPDATE_GOLDEN=1 cargo test -p fmc-import` writes the last two anew; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};

use fmc_config::model::Config;
use fmc_import::ledger::{Code, Fate};
use fmc_import::{Imported, Node, Source, Surroundings, Wishes, import};
use proptest::prelude::*;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn source(path: &Path) -> Source {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    Source { name, text: std::fs::read_to_string(path).unwrap() }
}

/// Beside the files of a case there is nothing.
struct Beside(PathBuf);

impl Surroundings for Beside {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn included(&self, pattern: &str, _: &str) -> Result<Vec<Source>, String> {
        let path = self.0.join(pattern);
        Ok(if path.is_file() { vec![source(&path)] } else { Vec::new() })
    }
}

fn wishes(text: &str) -> Wishes {
    let mut wishes = Wishes::default();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--beside-keepalived" => wishes.beside_keepalived = true,
            "--balancer" => {
                let (name, address) = words.next().unwrap().split_once('=').unwrap();
                wishes.nodes.push(Node { name: name.parse().unwrap(), address: address.parse().unwrap() });
            }
            other => panic!("{other} is no wish"),
        }
    }
    wishes
}

fn imported(case: &str) -> Imported {
    let directory = corpus().join(case);
    let mut keepalived: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    keepalived.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("keepalived-"));
    keepalived.sort();
    let keepalived: Vec<_> = keepalived.iter().map(|path| source(path)).collect();
    let wishes = wishes(&std::fs::read_to_string(directory.join("wishes")).unwrap());
    import(&source(&directory.join("haproxy.cfg")), &keepalived, &wishes, &Beside(directory))
}

fn assert_golden(path: &Path, shown: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, shown).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(shown, expected, "{} differs; is that wanted? UPDATE_GOLDEN=1 cargo test -p fmc-import", path.display());
}

#[test]
fn each_pair_becomes_its_golden_configuration_with_its_golden_report() {
    for case in ["lab", "kubeadm", "old-hand", "one-file", "names", "k3s", "dual-stack"] {
        let imported = imported(case);
        assert_eq!(imported.problems, Vec::<String>::new(), "{case}:\n{}", imported.ledger);
        let toml = imported.toml.unwrap();
        assert_golden(&corpus().join(case).join("fmc-lb.toml"), &toml);
        assert_golden(&corpus().join(case).join("report.txt"), &imported.ledger.to_string());
        Config::parse(&toml, case).unwrap();
    }
}

#[test]
fn each_lint_is_found_in_one_of_the_pairs() {
    let cases = ["lab", "kubeadm", "old-hand", "one-file", "names", "k3s", "dual-stack"].map(imported);
    let found: Vec<_> = cases.iter().flat_map(|imported| imported.ledger.lints()).map(|lint| lint.code).collect();
    for code in Code::ALL {
        assert!(found.contains(code), "{code} is in none");
    }
}

#[test]
fn a_pair_without_addresses_is_asked_for_them() {
    let haproxy =
        Source { name: "haproxy.cfg".to_owned(), text: "listen a\n bind *:80\n server s 10.0.0.1:80\n".to_owned() };
    let imported = import(&haproxy, &[], &Wishes::default(), &Beside(corpus()));
    assert!(imported.toml.is_none() && !imported.is_whole());
    assert!(
        imported.problems.iter().any(|problem| problem.contains("--balancer NAME=ADDRESS")),
        "{:?}",
        imported.problems
    );
    assert!(imported.problems.iter().any(|problem| problem.contains("--vip NAME=ADDRESS")), "{:?}", imported.problems);
}

/// Words of both grammars, and what breaks lines.
fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "bind",
        "server",
        "default-server",
        "mode",
        "tcp",
        "http",
        "from",
        "timeout",
        "client",
        "balance",
        "source",
        "option",
        "httpchk",
        "tcp-check",
        "http-check",
        "expect",
        "status",
        "acl",
        "src",
        "use_backend",
        "default_backend",
        "req.ssl_sni",
        "-m",
        "end",
        ".a",
        "or",
        "inspect-delay",
        "if",
        "unless",
        "!",
        "tcp-request",
        "connection",
        "reject",
        "accept",
        "*:80",
        "10.0.0.1:6443",
        "10.0.0.9",
        "10.0.0.9/24",
        "fd00::9/64",
        "fe80::9",
        "[fd00::9]:443",
        "[::]:80",
        "v6only",
        "virtual_ipaddress_excluded",
        "src",
        "check",
        "track",
        "a",
        "b",
        "b/a",
        "1",
        "0",
        "256",
        "99999999999",
        "5s",
        "{",
        "}",
        "vrrp_instance",
        "vrrp_script",
        "virtual_ipaddress",
        "virtual_router_id",
        "priority",
        "unicast_peer",
        "include",
        "@a",
        "@^a",
        "$V=1",
        "$V",
        "${V}",
        "weight",
        "-10",
        "\"",
        "'",
        "\\",
        "#",
        "~SEQ(a,1,2)",
        "é",
    ]);
    let line = prop::collection::vec(word, 0..7).prop_map(|words| words.join(" "));
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn whatever_the_files_say_every_line_has_one_fate_and_what_comes_of_it_is_a_configuration(haproxy in text(), keepalived in text()) {
        let source = |name: &str, text: String| Source { name: name.to_owned(), text };
        let wishes = wishes("--balancer a=10.0.0.2 --balancer b=10.0.0.3");
        let lines = haproxy.lines().count();
        let imported = import(&source("h", haproxy), &[source("k", keepalived)], &wishes, &Beside(corpus().join("none")));
        let told: usize = [Fate::Kept, Fate::Changed, Fate::Dropped, Fate::Refused].map(|fate| imported.ledger.count(fate)).iter().sum();
        let report = imported.ledger.to_string();
        prop_assert_eq!(report.lines().last().unwrap().split(' ').next().unwrap(), told.to_string());
        prop_assert!(told <= lines + 30);
        if let Some(toml) = imported.toml {
            prop_assert!(Config::parse(&toml, "fmc-lb.toml").is_ok());
        }
    }
}
