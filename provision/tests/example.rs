//! The example inventory is the lab of its owner's documents, and the balancer's shipped examples are what is rendered from it.

use std::fs;
use std::path::Path;

use fmc_config::model::Config;
use fmc_provision::{Checked, render, schema};

/// The address plans, and the shipped configuration of each.
const PLANS: [(&str, &str); 3] = [("a", "plan-a"), ("b", "plan-b"), ("c", "flatcar-micro-cloud")];

#[test]
fn the_balancers_shipped_examples_are_what_is_rendered_from_the_inventory() {
    for (plan, name) in PLANS {
        let shipped = file(&format!("config/examples/{name}.toml"));
        let rendered = render::balancer::toml(&example().lab(Some(plan), None).unwrap());
        let parse =
            |text: &str, name: &str| Config::parse(text, name).unwrap_or_else(|found| panic!("{found}\n{text}"));
        let (mut shipped, mut rendered) = (parse(&shipped, "shipped"), parse(&rendered, "rendered"));
        // Tables are written in the order of their names; the order of services means nothing.
        for config in [&mut shipped, &mut rendered] {
            config.vips.sort_by(|one, other| one.name.cmp(&other.name));
            config.frontends.sort_by(|one, other| one.name.cmp(&other.name));
            config.backends.sort_by(|one, other| one.name.cmp(&other.name));
        }
        // Who scrapes is the lab's, and no plan's.
        assert_eq!(rendered.admin.allow.len(), 4, "the agents");
        rendered.admin = shipped.admin.clone();
        assert_eq!(rendered, shipped, "plan {plan}");
    }
}

#[test]
fn the_example_promises_more_memory_than_there_is_and_nothing_else_is_doubtful() {
    let (_, warnings) = fmc_provision::read(&file(EXAMPLE), "example").unwrap();
    let codes: Vec<_> = warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["memory-overcommitted"], "{warnings}");
}

#[test]
fn both_ways_in_from_the_internet_are_expressible_apart_from_the_plans() {
    let ports = |plan: &str, way: &str| {
        let lab = example().lab(Some(plan), Some(way)).unwrap();
        lab.forwards.iter().map(|(_, forward)| (forward.port.get(), forward.to_port.get())).collect::<Vec<_>>()
    };
    assert_eq!(ports("c", "router"), [(8080, 80), (2053, 443), (51820, 51820)]);
    assert_eq!(ports("b", "router"), [(80, 80), (443, 443), (51820, 51820)]);
    for plan in ["a", "b", "c"] {
        assert_eq!(ports(plan, "vps"), [(80, 80), (443, 443)]);
        let lab = example().lab(Some(plan), Some("vps")).unwrap();
        let (_, way) = lab.way.unwrap();
        assert_eq!(way.gateway.map(|gateway| gateway.to_string()).as_deref(), Some("gateway"));
    }
    assert_eq!(example().lab(Some("b"), None).unwrap().host_address.to_string(), "192.168.0.19");
}

#[test]
fn a_plan_or_a_way_that_does_not_exist_is_named_with_those_that_do() {
    assert_eq!(example().lab(Some("d"), None).unwrap_err(), "there is no plan \"d\"; did you mean `a`?");
    assert_eq!(example().lab(None, Some("ruoter")).unwrap_err(), "there is no way \"ruoter\"; did you mean `router`?");
}

#[test]
fn the_exported_schema_is_the_one_that_inventories_are_read_by() {
    let path = root().join("docs/reference/inventory.schema.json");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, schema::text()).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shipped == schema::text(),
        "docs/reference/inventory.schema.json is old: BLESS=1 cargo test -p fmc-provision"
    );
}

const EXAMPLE: &str = "provision/examples/flatcar-micro-cloud.toml";

fn example() -> Checked {
    fmc_provision::read(&file(EXAMPLE), "example").unwrap_or_else(|found| panic!("{}", found.render(false))).0
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn file(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
