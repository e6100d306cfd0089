//! Prometheus: whom to scrape, our alerts and our dashboard. The stack itself is the cluster's.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::Serialize;

use super::{Files, RENDERED, yaml};
use crate::lab::{Lab, Machine};

const RULES: &str = include_str!("../../../dist/prometheus/fmc-lb.rules.yml");
const DASHBOARD: &str = include_str!("../../../dist/grafana/fmc-lb.json");

/// `prometheus.yml`, <https://prometheus.io/docs/prometheus/latest/configuration/configuration/>.
#[derive(Serialize)]
struct Prometheus {
    rule_files: Vec<&'static str>,
    scrape_configs: Vec<Job>,
}

#[derive(Serialize)]
struct Job {
    job_name: &'static str,
    static_configs: Vec<Targets>,
}

#[derive(Serialize)]
struct Targets {
    targets: Vec<String>,
    labels: BTreeMap<&'static str, String>,
}

pub(super) fn render(lab: &Lab, files: &mut Files) {
    let Some(monitoring) = &lab.monitoring else { return };
    let balancers = job("fmc-lb", lab.balancers(), monitoring.balancer_port);
    let nodes = monitoring.node_port.map(|port| job("node", lab.machines.iter().collect(), port));
    let prometheus = Prometheus {
        rule_files: vec!["fmc-lb.rules.yml"],
        scrape_configs: [balancers].into_iter().chain(nodes).collect(),
    };
    let text = format!("{RENDERED}\n{}", yaml(&prometheus));
    files.add("monitoring/prometheus.yml", "Prometheus: whom to scrape, and the file of alerts", text);
    files.add("monitoring/fmc-lb.rules.yml", "Prometheus: alerts of the balancers", RULES);
    files.add("monitoring/grafana/fmc-lb.json", "Grafana: the dashboard of the balancers", DASHBOARD);
}

/// One target a machine, named as in the inventory.
fn job(job_name: &'static str, machines: Vec<&Machine>, port: NonZeroU16) -> Job {
    let target = |machine: &Machine| Targets {
        targets: vec![format!("{}:{port}", machine.address())],
        labels: BTreeMap::from([("node", machine.name.to_string())]),
    };
    Job { job_name, static_configs: machines.into_iter().map(target).collect() }
}
