//! From text to inventory: the tree of the parser is walked along the schema, so that every error of form is shown at once and an
//! editor and this reader can never disagree.

mod form;
mod places;

use fmc_config::diagnostic::{Diagnostic, Diagnostics, Severity};
use fmc_config::findings::{Findings, Place};
use fmc_config::syntax;
use toml::de::DeTable;

pub(crate) use places::Places;

use crate::inventory::Inventory;
use crate::lab::{Choice, Lab};
use crate::{Outcome, check, schema};

/// An inventory without an error, under every plan and way.
#[derive(Debug, Clone)]
pub struct Checked {
    inventory: Inventory,
}

impl Checked {
    /// As typed.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The lab under the plan and way that the inventory calls live, or those given.
    ///
    /// # Errors
    ///
    /// The plan or way that does not exist, with those that do.
    pub fn lab(&self, plan: Option<&str>, way: Option<&str>) -> Result<Lab, String> {
        let choice = Choice::of(&self.inventory, plan, way)?;
        Ok(Lab::resolve(&self.inventory, &choice, &Places::default(), &mut Findings::default()))
    }
}

/// Reads and checks an inventory. `file_name` is only shown, never opened.
///
/// # Errors
///
/// All that is wrong with the file, found in one run: under every address plan and every way in from the Internet.
pub fn read(source: &str, file_name: &str) -> Outcome {
    let mut findings = Findings::default();
    let inventory = inventory(source, &mut findings);
    let refused = findings.refused();
    let diagnostics = Diagnostics::new(file_name, source, once(findings.into_list()));
    match inventory.filter(|_| !refused) {
        Some(inventory) => Ok((Checked { inventory }, diagnostics)),
        None => Err(diagnostics),
    }
}

fn inventory(source: &str, findings: &mut Findings) -> Option<Inventory> {
    let (document, errors) = DeTable::parse_recoverable(source);
    if !syntax::report(&errors, findings) {
        return None;
    }
    let places = form::walk(&document, &schema::value(), findings);
    if findings.refused() {
        return None;
    }
    match toml::from_str::<Inventory>(source) {
        Ok(inventory) => {
            check::every_plan(&inventory, &places, findings);
            Some(inventory)
        }
        // The walk along the schema and the types agree but for what a schema cannot say.
        Err(error) => {
            let place = Place { span: error.span().unwrap_or(0..0), field: String::new() };
            findings.add(
                fmc_config::diagnostic::Code::WrongType,
                &place,
                error.message().to_owned(),
                "write it as the reference has it",
            );
            None
        }
    }
}

/// What several plans have in common is said once.
fn once(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut kept: Vec<Diagnostic> = Vec::new();
    for diagnostic in found {
        let same = |other: &Diagnostic| other.code == diagnostic.code && other.field == diagnostic.field;
        if !kept.iter().any(same) {
            kept.push(diagnostic);
        }
    }
    debug_assert!(kept.iter().all(|diagnostic| diagnostic.severity() == Severity::Error || !diagnostic.fix.is_empty()));
    kept
}
