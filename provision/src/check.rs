//! The invariants of a lab: what no single field can say.

mod address;
mod balancing;
mod capacity;
mod cluster;
mod outside;
mod reference;
mod storage;

use fmc_config::findings::Findings;

use crate::inventory::Inventory;
use crate::inventory::scalar::Name;
use crate::lab::{Choice, Lab};
use crate::reading::Places;
use crate::rule::Broken;

/// Checks the inventory under every plan and every way: the one that is not live today is the one of tomorrow's move.
pub(crate) fn every_plan(inventory: &Inventory, places: &Places, findings: &mut Findings) {
    reference::choices(inventory, places, findings);
    if findings.refused() {
        return;
    }
    for choice in Choice::all(inventory) {
        let mut found = Findings::default();
        let lab = Lab::resolve(inventory, &choice, places, &mut found);
        if !found.refused() {
            invariants(&Checking { lab: &lab, inventory, places }, &mut found);
        }
        for fault in found.into_list() {
            let place = fmc_config::findings::Place { span: fault.span, field: fault.field };
            let problem = if inventory.plans.len() > 1 {
                format!("{} (plan {})", fault.problem, choice.plan)
            } else {
                fault.problem
            };
            findings.add(fault.code, &place, problem, fault.fix);
            if let Some((span, label)) = fault.related {
                findings.because(&fmc_config::findings::Place { span, field: String::new() }, label);
            }
        }
    }
}

/// A lab, and where its parts were typed.
struct Checking<'a> {
    lab: &'a Lab,
    inventory: &'a Inventory,
    places: &'a Places,
}

impl Checking<'_> {
    fn plan(&self) -> &str {
        &self.lab.choice.plan
    }

    /// Breaks `rule` at `field`, or at its value under this plan.
    fn report(&self, rule: Broken, field: &str, problem: String, fix: impl Into<String>, findings: &mut Findings) {
        findings.add(rule, &self.places.under(field, self.plan()), problem, fix);
    }

    /// A name that may be a machine's or a role's.
    fn machines(&self, name: &Name, field: &str, findings: &mut Findings) {
        if self.inventory.machines.contains_key(name) || crate::lab::role(name.as_str()).is_some() {
            return;
        }
        let place = self.places.at(field);
        crate::lab::unknown(findings, Broken::UnknownMachine, &place, name, self.inventory.machines.keys(), "machines");
    }
}

fn invariants(checking: &Checking<'_>, findings: &mut Findings) {
    reference::names(checking, findings);
    address::check(checking, findings);
    balancing::check(checking, findings);
    outside::check(checking, findings);
    cluster::check(checking, findings);
    storage::check(checking, findings);
    capacity::check(checking, findings);
    // What the balancer itself would say, when nothing above explains it.
    if !findings.refused() {
        balancing::balancer_agrees(checking, findings);
    }
}
