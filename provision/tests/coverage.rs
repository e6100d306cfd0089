//! Every system that the lab's documents name has its row, and each row says what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fmc_provision::render;

/// Of the documents, in their order.
const SYSTEMS: [&str; 42] = [
    "the host 192.168.0.40",
    "br0",
    "br-vip, br-api",
    "libvirt networks kube_network_01, _02, _03",
    "pools, base images, volumes, data disks",
    "virtual machines",
    "cloud-init of AlmaLinux",
    "Ignition of Flatcar",
    "nftables of the host",
    "routes between the LAN and 10.17.x",
    "forwards of the ISP's router",
    "baseline of a node: names, time zone, swap, sysctl, time",
    "the shared SSH key",
    "Terraform",
    "Ansible",
    "loadbalancer1, loadbalancer2",
    "k8s-api-lb, three balancers",
    "the API and Web VIPs",
    "Traefik in the cluster",
    "an external pair of Traefik",
    "Cloudflare: CDN, WAF, DNS",
    "Cloudflare: dynamic DNS",
    "WireGuard",
    "pfSense",
    "K3s servers",
    "K3s agents",
    "bootstrap without hen and egg",
    "kubeconfig by the VIP",
    "CoreDNS of the host",
    "FreeIPA",
    "chrony",
    "PostgreSQL",
    "NFS exports",
    "disks of Longhorn",
    "Longhorn itself and its page",
    "Prometheus, Grafana, node_exporter",
    "ELK, Redis, Kafka, Nagios",
    "Sealed Secrets",
    "Jenkins, Argo CD",
    "wildcard CA and certificates",
    "reachability scripts",
    "microservices, front-ends, GitOps repositories",
];

/// What can become of one.
const WORDS: [&str; 4] = ["**served**", "**told**", "**not yet**", "**refused**"];

struct Row {
    system: String,
    word: String,
    by: String,
}

impl Row {
    /// What stands in backquotes.
    fn named(&self) -> impl Iterator<Item = &str> {
        self.by.split('`').skip(1).step_by(2)
    }
}

#[test]
fn every_system_of_the_documents_has_its_row() {
    let systems: Vec<_> = rows().into_iter().map(|row| row.system).collect();
    assert_eq!(systems, SYSTEMS);
}

#[test]
fn each_row_says_what_becomes_of_it_and_what_it_names_exists() {
    let (files, commands) = (rendered(), page("docs/reference/cli.md"));
    for Row { system, word, .. } in rows() {
        assert!(WORDS.contains(&word.as_str()), "{system}: {word} is none of {WORDS:?}");
    }
    for row in rows() {
        let paths: Vec<_> = row.named().filter(|name| is_path(name)).collect();
        for path in &paths {
            assert!(files.iter().any(|file| fits(path, file)), "{}: nothing renders {path}", row.system);
        }
        let verbs: Vec<_> = row.named().filter(|name| name.starts_with("fmc-lbctl ")).collect();
        for verb in &verbs {
            assert!(commands.contains(&format!("### {verb}\n")), "{}: there is no {verb}", row.system);
        }
        let served = !paths.is_empty() || !verbs.is_empty();
        assert!(row.word != "**served**" || served, "{}: served by no file and no command", row.system);
        assert!(row.word != "**told**" || !verbs.is_empty(), "{}: told by no command", row.system);
    }
}

/// A file of the rendered tree: it has a directory, or is one of the two that lie at its top.
fn is_path(name: &str) -> bool {
    !name.contains(' ') && (name.contains('/') || name.ends_with(".txt"))
}

/// `*` stands for any text without a slash.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut parts, mut names) = (pattern.split('/'), path.split('/'));
    let part = |pattern: &str, name: &str| match pattern.split_once('*') {
        Some((before, after)) => name.starts_with(before) && name.ends_with(after),
        None => pattern == name,
    };
    loop {
        match (parts.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if part(pattern, name) => {}
            _ => return false,
        }
    }
}

fn rows() -> Vec<Row> {
    let text = page("docs/lab-coverage.md");
    let (_, tables) = text.split_once("## Hypervisor").expect("the first table");
    let cells = tables.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = cells.filter(|line| !line.starts_with("system |"));
    rows.map(|line| {
        let cells: Vec<String> = line.splitn(3, " | ").map(str::to_owned).collect();
        let [system, word, by] = cells.try_into().unwrap_or_else(|cells| panic!("{cells:?} are no three cells"));
        Row { system, word, by }
    })
    .collect()
}

/// Under every plan and way.
fn rendered() -> BTreeSet<String> {
    let (checked, _) =
        fmc_provision::read(&page("provision/examples/flatcar-micro-cloud.toml"), "example").expect("right");
    let choices = [("a", "router"), ("b", "router"), ("c", "router"), ("c", "vps")];
    let labs = choices.map(|(plan, way)| checked.lab(Some(plan), Some(way)).expect("it exists"));
    labs.iter().flat_map(render::artifacts).map(|artifact| artifact.path).collect()
}

fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
