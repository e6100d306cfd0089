//! The cluster. K3s has no package here, so of a node's configuration only what can be said without it is held; the kubeconfig is kubectl's.

use std::collections::BTreeSet;

use crate::validator::{Verdict, every_choice, judge, no_noise, wrong};

/// The flags that are used, of `k3s server --help` and `k3s agent --help` (v1.33).
const FLAGS: [&str; 10] = [
    "node-name",
    "node-ip",
    "token-file",
    "server",
    "node-label",
    "cluster-init",
    "tls-san",
    "cluster-cidr",
    "service-cidr",
    "disable",
];

#[test]
fn kubectl_reads_the_kubeconfig_and_finds_the_virtual_address_and_the_ca() {
    for rendered in every_choice() {
        let file = rendered.path().join("k3s/kubeconfig").display().to_string();
        kubectl(&file, "{.clusters[0].cluster.server}").accepts(&file);
        let vip = rendered.text("machines/worker1/root/etc/rancher/k3s/config.yaml");
        let server =
            vip.lines().find_map(|line| line.strip_prefix("server: ")).expect("agents join somewhere").to_owned();
        assert!(kubectl(&file, "{.clusters[0].cluster.server}").said.contains(&server), "agents join {server}");
        assert!(kubectl(&file, "{.clusters[0].cluster.certificate-authority}").said.contains("server-ca.crt"));
    }
    let (_directory, file) = wrong("kubeconfig", "apiVersion: v1\nkind: Config\nclusters: lab\n");
    kubectl(&file.display().to_string(), "{.clusters}").refuses("clusters: lab");
}

#[test]
fn one_server_begins_the_cluster_the_others_join_it_and_its_certificate_is_good_for_the_virtual_address() {
    for rendered in every_choice() {
        let mut begins = BTreeSet::new();
        for file in rendered.files(|path| path.ends_with("/rancher/k3s/config.yaml")) {
            let text = std::fs::read_to_string(&file).expect("a configuration");
            let node: serde_json::Map<_, _> = serde_norway::from_str(&text).expect("YAML");
            let unknown: Vec<_> =
                node.keys().filter(|key| !FLAGS.contains(&key.as_str()) && *key != "write-kubeconfig-mode").collect();
            assert!(unknown.is_empty(), "{unknown:?}");
            assert!(
                node["token-file"].as_str().is_some_and(|path| path.starts_with("/etc/fmc-lab/secrets/")),
                "no secret stands here"
            );
            let first = node.contains_key("cluster-init");
            assert_ne!(first, node.contains_key("server"), "{}: begins or joins", file.display());
            if first {
                begins.insert(node["node-name"].clone().to_string());
                assert!(text.contains("\n- k8s-api.cefaslocalserver.com\n"), "{text}");
            }
        }
        assert_eq!(begins, BTreeSet::from(["\"master1\"".to_owned()]));
    }
}

fn kubectl(file: &str, path: &str) -> Verdict {
    judge("kubectl", &["config", "view", "--raw", "--kubeconfig", file, "-o", &format!("jsonpath={path}")], no_noise)
}
