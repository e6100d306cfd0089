//! `lab plan` and `lab apply`: look, plan, ask, do it step by step, look again.

use std::collections::BTreeSet;
use std::io::IsTerminal;

use fmc_provision::Checked;
use fmc_provision::apply::{look, perform};
use fmc_provision::lab::Lab;
use fmc_provision::plan::observed::Observed;
use fmc_provision::plan::{self, Plan};

use super::journal::Journal;
use super::reach::Places;
use crate::cli::lab::{LabApply, LabPlan, Reach};
use crate::command::confirm;
use crate::exit::Exit;
use crate::render::{Output, Paint, lab_plan};

pub(super) fn plan(asked: &LabPlan, output: &mut Output) -> anyhow::Result<Exit> {
    let Some(checked) = super::read(&asked.reach.inventory)? else { return Ok(Exit::No) };
    let plan = match &asked.to {
        Some(to) => between(&checked, &asked.reach, to)?,
        None => {
            let lab = chosen(&checked, &asked.reach, asked.reach.plan.as_deref())?;
            let mut places = reach(&checked, &asked.reach, &lab, true)?;
            planned(&lab, &look(&lab, &mut places), &asked.reach)?
        }
    };
    output.answer(&plan, text)?;
    Ok(Exit::Done)
}

/// What changes between two address plans, without asking anybody.
fn between(checked: &Checked, reach: &Reach, to: &str) -> anyhow::Result<Plan> {
    let (before, after) = (chosen(checked, reach, reach.from.as_deref())?, chosen(checked, reach, Some(to))?);
    let observed = Observed::fulfilled(&plan::objects(&before), &plan::objects(&after));
    let mut plan = planned(&after, &observed, reach)?;
    plan.notes.extend(plan::handovers(&before, &after));
    Ok(plan)
}

pub(super) fn apply(asked: &LabApply, output: &mut Output) -> anyhow::Result<Exit> {
    let LabApply { reach: asked_reach, yes, journal } = asked;
    let Some(checked) = super::read(&asked_reach.inventory)? else { return Ok(Exit::No) };
    let lab = chosen(&checked, asked_reach, asked_reach.plan.as_deref())?;
    let mut places = reach(&checked, asked_reach, &lab, *yes)?;
    let mut plan = planned(&lab, &look(&lab, &mut places), asked_reach)?;
    if let Some(from) = &asked_reach.from {
        plan.notes.extend(plan::handovers(&chosen(&checked, asked_reach, Some(from))?, &lab));
    }
    output.say(&plan, text)?;
    if let Some(refusal) = refusal(&lab, &plan) {
        output.note(&refusal)?;
        return Ok(Exit::No);
    }
    if plan.steps.is_empty() {
        return Ok(Exit::Done);
    }
    if !yes && !std::io::stdin().is_terminal() {
        output.note("nothing has changed: without a terminal, --yes says that it shall be done")?;
        return Ok(Exit::No);
    }
    if !confirm::go_on(true, *yes, output)? {
        output.note("nothing has changed")?;
        return Ok(Exit::No);
    }
    perform(&mut places, &plan, &mut Journal::open(journal, output)?)?;
    let left = planned(&lab, &look(&lab, &mut places), asked_reach)?;
    output.answer(&left, text)?;
    Ok(Exit::Done.and(left.steps.is_empty()))
}

/// Why nothing at all is done.
fn refusal(lab: &Lab, plan: &Plan) -> Option<String> {
    if !plan.refused.is_empty() {
        let names: Vec<_> = plan.refused.iter().map(|name| format!("--allow-destroy {name}")).collect();
        return Some(format!("nothing has changed: say what may be lost for good, {}", names.join(" ")));
    }
    let blind =
        |note: &&String| note.starts_with("libvirt was not") || note.starts_with(&format!("{} was not", lab.host.name));
    plan.notes.iter().find(blind).map(|note| format!("nothing has changed: {note}"))
}

fn planned(lab: &Lab, observed: &Observed, reach: &Reach) -> anyhow::Result<Plan> {
    let allowed: BTreeSet<String> = reach.allow_destroy.iter().cloned().collect();
    plan::plan(lab, observed, &allowed)
        .map_err(|stuck| anyhow::anyhow!("these wait for one another: {}", stuck.join(", ")))
}

fn chosen(checked: &Checked, reach: &Reach, plan: Option<&str>) -> anyhow::Result<Lab> {
    checked.lab(plan, reach.way.as_deref()).map_err(anyhow::Error::msg)
}

fn reach(checked: &Checked, reach: &Reach, lab: &Lab, unasked: bool) -> anyhow::Result<Places> {
    let before = reach.from.as_deref().map(|from| chosen(checked, reach, Some(from))).transpose()?;
    Ok(Places::new(lab, before.as_ref(), reach, unasked))
}

fn text(plan: &Plan, paint: Paint) -> String {
    lab_plan::text(plan, paint)
}
