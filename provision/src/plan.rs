//! [core] What shall be and what is there, as the steps from the one to the other: each with its reason, its price and its way back, in an order in which
//! nothing comes before what it needs.
//!
//! ```text
//! object      what a lab is made of
//! wanted      a lab -> objects, each with those before it
//! observed    what was read back
//! graph       the order
//! tree        documents of libvirt, compared
//! difference  texts, compared
//! reaction    which program reads a file again
//! gate        when a machine is well
//! script      what is done, for sh(1)
//! step        an object and what is seen of it -> a step
//! ```

pub mod difference;
pub mod graph;
pub mod object;
pub mod observed;
pub mod step;

mod gate;
mod reaction;
pub(crate) mod script;
mod tree;
mod wanted;

pub use wanted::objects;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use self::object::{Kind, Object, Thing};
use self::observed::Observed;
use self::step::{Effect, Step, Steps};
use crate::lab::Lab;

/// What is to be done.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// In their order.
    pub steps: Vec<Step>,
    /// Objects that lose something for good and were not allowed to: while there is one, nothing is done.
    pub refused: Vec<String>,
    /// What a person should know: places that could not be looked at, leftovers that stay.
    pub notes: Vec<String>,
}

/// The plan of a lab; `allowed` names what may be destroyed.
///
/// # Errors
///
/// Objects that wait for one another; a checked inventory has none.
pub fn plan(lab: &Lab, observed: &Observed, allowed: &BTreeSet<String>) -> Result<Plan, Vec<String>> {
    let objects = ordered(objects(lab))?;
    let mut steps = Steps { observed, steps: Vec::new() };
    objects.iter().for_each(|object| steps.consider(object));
    let mut plan = Plan { steps: in_order(&objects, &mut steps), ..Plan::default() };
    let destroys = |step: &&Step| matches!(step.effect, Effect::Destroys(_)) && !allowed.contains(&step.object);
    plan.refused = plan.steps.iter().filter(destroys).map(|step| step.object.clone()).collect();
    leftover_files(&objects, observed, &mut plan);
    leftovers(lab, &objects, observed, allowed, &mut plan);
    notes(observed, &mut plan);
    Ok(plan)
}

impl fmt::Display for Plan {
    /// For a person: numbered steps, below each what differs (`+ ~ -`), whom it costs what (`!`), and the way back (`<`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Step { object, place, what, why, effect, back, .. }) in self.steps.iter().enumerate() {
            writeln!(f, "{:>3}  {place}: {what}", at + 1)?;
            for line in why {
                writeln!(f, "{}", format!("       {} {}", line.sign.mark(), line.text).trim_end())?;
            }
            match effect {
                Effect::Quiet => {}
                Effect::Interrupts(whom) => writeln!(f, "       ! interrupts: {whom}")?,
                Effect::Destroys(what) => writeln!(f, "       ! destroys: {what}; --allow-destroy {object}")?,
            }
            if back != step::NOTHING {
                writeln!(f, "       < {back}")?;
            }
        }
        let count = |kind: fn(&Effect) -> bool| self.steps.iter().filter(|step| kind(&step.effect)).count();
        let interrupt = count(|effect| matches!(effect, Effect::Interrupts(_)));
        let destroy = count(|effect| matches!(effect, Effect::Destroys(_)));
        match self.steps.len() {
            0 => writeln!(f, "nothing to do")?,
            all => writeln!(f, "{all} steps, of which {interrupt} interrupt and {destroy} destroy")?,
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

/// Addresses that pass from one machine to another whose turn comes first: for a while both have it.
pub fn handovers(before: &Lab, after: &Lab) -> Vec<String> {
    let order: Vec<_> = object::in_order(after).into_iter().map(|machine| &machine.name).collect();
    let turn = |name| order.iter().position(|other| *other == name);
    let taken = after.machines.iter().flat_map(|taker| {
        let giver = before.machines.iter().find(|giver| giver.address() == taker.address() && giver.name != taker.name);
        giver.map(|giver| (giver, taker))
    });
    let early = taken.filter(|(giver, taker)| turn(&giver.name).is_none_or(|giver| turn(&taker.name) < Some(giver)));
    let note = |(giver, taker): (&crate::lab::Machine, &crate::lab::Machine)| {
        format!(
            "{} gets {} before {} gives it up: shut {} down first (virsh shutdown)",
            taker.name,
            taker.address(),
            giver.name,
            giver.name
        )
    };
    early.map(note).collect()
}

fn ordered(mut objects: Vec<Object>) -> Result<Vec<Object>, Vec<String>> {
    let nodes: Vec<_> = objects.iter().map(|object| (object.id.as_str(), object.after.as_slice())).collect();
    let order = graph::order(&nodes)?;
    let mut places: Vec<Option<Object>> = objects.drain(..).map(Some).collect();
    Ok(order.into_iter().filter_map(|at| places[at].take()).collect())
}

/// Steps in the order of their objects.
fn in_order(objects: &[Object], steps: &mut Steps<'_>) -> Vec<Step> {
    for object in objects {
        if let Some(step) = steps.guard(object, objects) {
            steps.steps.push(step);
        }
    }
    let mut all = std::mem::take(&mut steps.steps);
    all.sort_by_key(|step| objects.iter().position(|object| object.id == step.object));
    all
}

/// Files that an earlier run wrote and the lab has no more. How the place is reached is left to a person.
fn leftover_files(objects: &[Object], observed: &Observed, plan: &mut Plan) {
    let wanted: BTreeSet<(&str, &str)> = objects
        .iter()
        .filter_map(|object| match &object.thing {
            Thing::File(file) => Some((object.place.as_str(), file.path.as_str())),
            _ => None,
        })
        .collect();
    let seen = observed.places.iter().filter_map(|(place, seen)| Some((place.as_str(), seen.as_ref().ok()?)));
    let written = seen.flat_map(|(place, seen)| seen.written.iter().map(move |path| (place, path.as_str())));
    for (place, path) in written.filter(|file| !wanted.contains(file)) {
        if reaction::may_cut_off(path) {
            plan.notes
                .push(format!("{place}:{path} is no part of the lab, and stays: it may be how {place} is reached"));
        } else {
            plan.steps.push(step::remove(place, path));
        }
    }
}

/// What is the lab's by its identity, or lies in the lab's pool, and the inventory does not name.
fn leftovers(lab: &Lab, objects: &[Object], observed: &Observed, allowed: &BTreeSet<String>, plan: &mut Plan) {
    let Some(Ok(known)) = &observed.libvirt else { return };
    for ((kind, name), document) in known {
        let id = format!("{}:{name}", kind.word());
        if objects.iter().any(|object| object.id == id) || !is_ours(lab, *kind, name, &document.xml) {
            continue;
        }
        if allowed.contains(&id) {
            plan.steps.push(step::forget(lab.host.name.as_str(), *kind, name));
        } else {
            plan.notes.push(format!("{id} is no part of the lab, and stays; --allow-destroy {id} removes it"));
        }
    }
}

fn is_ours(lab: &Lab, kind: Kind, name: &str, xml: &str) -> bool {
    match kind {
        Kind::Volume => name.ends_with(".qcow2"),
        Kind::Pool => false,
        Kind::Network | Kind::Domain => {
            let uuid = lab.uuid(kind.word(), name).to_string();
            tree::parse(xml).is_ok_and(|root| root.text_of("uuid") == Some(uuid.as_str()))
        }
    }
}

fn notes(observed: &Observed, plan: &mut Plan) {
    for (place, seen) in &observed.places {
        if let Err(why) = seen {
            plan.notes.push(format!("{place} was not looked at: {why}"));
        }
    }
    if let Some(Err(why)) = &observed.libvirt {
        plan.notes.push(format!("libvirt was not looked at: {why}"));
    }
}
