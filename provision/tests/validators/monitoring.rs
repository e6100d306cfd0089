//! Prometheus reads what it is given; the balancers' alerts name the job that is scraped.

use fmc_config::model::Config;

use crate::validator::{Verdict, every_choice, judge, no_noise, wrong};

#[test]
fn prometheus_takes_its_targets_and_the_alerts_beside_them() {
    for rendered in every_choice() {
        let file = rendered.path().join("monitoring/prometheus.yml").display().to_string();
        let verdict = config(&file);
        verdict.accepts(&file);
        assert!(verdict.said.contains("SUCCESS: 1 rule files found"), "{}", verdict.said);
        let (targets, alerts) =
            (rendered.text("monitoring/prometheus.yml"), rendered.text("monitoring/fmc-lb.rules.yml"));
        assert!(targets.contains("job_name: fmc-lb\n") && alerts.contains("up{job=\"fmc-lb\"}"), "{targets}");
        let balancer = Config::parse(&rendered.text("balancer/fmc-lb.toml"), "fmc-lb.toml").expect("it is read");
        for node in &balancer.nodes {
            assert!(targets.contains(&format!("- {}:9109\n", node.address)), "{targets}");
        }
    }
    let (_directory, file) = wrong("prometheus.yml", "scrape_configs:\n- job_name: a\n- job_name: a\n");
    config(&file.display().to_string()).refuses("two jobs of one name");
}

fn config(file: &str) -> Verdict {
    judge("promtool", &["check", "config", file], no_noise)
}
