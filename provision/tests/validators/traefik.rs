//! Traefik's chart has no validator here: what it is told is held against the balancers' own file.

use fmc_config::model::Config;
use serde_json::Value;

use crate::validator::every_choice;

#[test]
fn traefik_listens_where_the_balancers_send_and_only_on_the_nodes_that_they_send_to() {
    for rendered in every_choice() {
        let text = rendered.text("k3s/traefik/web.values.yaml");
        let values: Value = serde_norway::from_str(&text).expect("YAML");
        let balancer =
            Config::parse(&rendered.text("balancer/fmc-lb.toml"), "fmc-lb.toml").expect("the balancer reads it");
        let web = balancer.frontends.iter().find(|frontend| frontend.name.as_str() == "web").expect("a frontend");
        for route in &web.ports {
            let entry = &values["ports"][if route.listen.get() == 80 { "web" } else { "websecure" }];
            let server = route.server.unwrap_or(route.listen).get();
            let told = entry["nodePort"].as_u64().or(entry["hostPort"].as_u64());
            assert_eq!(told, Some(server.into()), "{text}");
        }
        assert_eq!(values["nodeSelector"]["fmc-lab/ingress"], "true", "{text}");
        let worker = rendered.text("machines/worker1/root/etc/rancher/k3s/config.yaml");
        assert!(worker.contains("- fmc-lab/ingress=true\n"), "{worker}");
        assert_eq!(values["service"]["spec"]["externalTrafficPolicy"], "Local", "{text}");
        // The example's balancers say no PROXY header, so nobody's word about clients counts.
        assert!(!text.contains("trustedIPs"), "{text}");
    }
}
