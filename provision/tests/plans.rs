//! Plans of the example inventory, as a person reads them. `BLESS=1` writes them anew; read the difference before it is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fmc_provision::lab::Lab;
use fmc_provision::plan::observed::Observed;
use fmc_provision::plan::{self, Plan};

#[test]
fn the_plan_of_a_new_lab_is_the_one_that_was_agreed_on() {
    let lab = lab("c");
    agreed("new.txt", &planned(&lab, &Observed::nothing(lab.host.name.as_str())));
}

#[test]
fn the_plan_from_one_address_plan_to_another_is_the_one_that_was_agreed_on() {
    for (from, to) in [("a", "c"), ("c", "a"), ("c", "b")] {
        agreed(&format!("{from}-to-{to}.txt"), &between(from, to));
    }
}

#[test]
fn between_a_plan_and_itself_there_is_nothing_to_do() {
    for plan in ["a", "b", "c"] {
        let between = between(plan, plan);
        assert!(between.steps.is_empty() && between.notes.is_empty(), "{between}");
    }
}

#[test]
fn nothing_waits_in_a_circle_and_the_order_is_the_same_in_every_run() {
    for plan in ["a", "b", "c"] {
        let lab = lab(plan);
        let once = planned(&lab, &Observed::nothing(lab.host.name.as_str())).to_string();
        assert_eq!(once, planned(&lab, &Observed::nothing(lab.host.name.as_str())).to_string());
    }
}

#[test]
fn an_address_that_two_machines_would_have_meanwhile_is_told() {
    let notes = between("c", "a").notes;
    assert_eq!(
        notes,
        [
            "infra-cluster gets 192.168.0.30 before loadbalancer1 gives it up: shut loadbalancer1 down first (virsh shutdown)"
        ]
    );
    assert!(between("a", "c").notes.is_empty(), "in this direction it is given up in time");
}

fn between(from: &str, to: &str) -> Plan {
    let (from, to) = (lab(from), lab(to));
    let mut plan = planned(&to, &Observed::fulfilled(&plan::objects(&from), &plan::objects(&to)));
    plan.notes.extend(plan::handovers(&from, &to));
    plan
}

fn planned(lab: &Lab, observed: &Observed) -> Plan {
    plan::plan(lab, observed, &BTreeSet::new()).expect("nothing waits in a circle")
}

fn lab(plan: &str) -> Lab {
    let text = fs::read_to_string(root().join("examples/flatcar-micro-cloud.toml")).expect("the example");
    let (checked, _) = fmc_provision::read(&text, "example").unwrap_or_else(|found| panic!("{}", found.render(false)));
    checked.lab(Some(plan), None).expect("the plan exists")
}

fn agreed(name: &str, plan: &Plan) {
    let path = root().join("tests/plans").join(name);
    let text = plan.to_string();
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a directory");
        fs::write(&path, &text).expect("a golden file");
    }
    let agreed = fs::read_to_string(&path).unwrap_or_default();
    assert!(agreed == text, "{} differs (BLESS=1 takes the new one):\n{text}", path.display());
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
