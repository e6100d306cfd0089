//! Plans against places that are directories, carried out by the real sh(1).

mod hypervisor;
mod interrupted;
mod places;
mod steps;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fmc_provision::apply::{Stopped, Witness, look, perform};
use fmc_provision::lab::Lab;
use fmc_provision::plan::Plan;
use fmc_provision::plan::step::Step;

use crate::places::Places;

/// The lab of this test under one of its address plans, after `edit`.
fn lab(plan: &str, edit: impl Fn(String) -> String) -> Lab {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apply/lab.toml");
    let text = edit(fs::read_to_string(path).expect("the inventory"));
    let (checked, _) = fmc_provision::read(&text, "lab.toml").unwrap_or_else(|found| panic!("{}", found.render(false)));
    checked.lab(Some(plan), None).expect("the plan exists")
}

fn same(text: String) -> String {
    text
}

fn plan_of(lab: &Lab, places: &mut Places, allowed: &[&str]) -> Plan {
    let allowed: BTreeSet<String> = allowed.iter().map(|&name| name.to_owned()).collect();
    let observed = look(lab, places);
    fmc_provision::plan::plan(lab, &observed, &allowed).expect("nothing waits in a circle")
}

/// Looks, plans, does it; the number of steps.
fn apply(lab: &Lab, places: &mut Places) -> Result<usize, Stopped> {
    let plan = plan_of(lab, places, &[]);
    assert!(plan.refused.is_empty(), "{:?}", plan.refused);
    perform(places, &plan, &mut Silent)?;
    Ok(plan.steps.len())
}

/// What its first boot does not do in this test, the next run does.
fn apply_until_nothing_is_left(lab: &Lab, places: &mut Places) {
    for _ in 0..4 {
        if apply(lab, places).unwrap_or_else(|stopped| panic!("{stopped}")) == 0 {
            return;
        }
    }
    let left = plan_of(lab, places, &[]);
    panic!("there is always something left: {:#?}", shown(&left));
}

/// A hypervisor with the base image on it.
fn with_image() -> Places {
    let places = Places::new();
    let image = places.root("hypervisor").join("var/lib/libvirt/images/base/alma.qcow2");
    fs::create_dir_all(image.parent().expect("a directory")).expect("a directory");
    fs::write(image, "image").expect("a file");
    places
}

fn shown(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{}: {}", step.place, step.what)).collect()
}

struct Silent;

impl Witness for Silent {
    fn begins(&mut self, _: usize, _: usize, _: &Step) {}
    fn done(&mut self, _: &Step) {}
}
