//! One step: what, where, why, what it costs, and how it is taken back.

use std::time::Duration;

use serde::Serialize;

use super::difference::{Line, Sign, texts};
use super::object::{Content, File, Guard, Kind, Libvirt, Object, Thing};
use super::observed::{FileSeen, Known, Observed, Seen};
use super::{script, tree};

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The object's name, the one that `--allow-destroy` takes.
    pub object: String,
    /// Where.
    pub place: String,
    /// What is done.
    pub what: String,
    /// Why: what differs.
    pub why: Vec<Line>,
    /// What it costs.
    pub effect: Effect,
    /// How it is taken back.
    pub back: String,
    /// How it is done.
    #[serde(skip)]
    pub act: Act,
}

/// What a step costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "what")]
pub enum Effect {
    /// Nobody notices.
    Quiet,
    /// Somebody waits.
    Interrupts(String),
    /// Something is gone for good.
    Destroys(String),
}

/// How a step is done.
#[derive(Debug, Clone)]
pub enum Act {
    /// A script, once.
    Run {
        /// For sh(1).
        script: String,
        /// Its standard input.
        stdin: Vec<u8>,
    },
    /// A script that is repeated until it succeeds.
    Await {
        /// For sh(1).
        script: String,
        /// For how long.
        within: Duration,
    },
    /// Contact is made anew, then a script runs once.
    Confirm {
        /// For sh(1).
        script: String,
    },
}

/// Of steps after which nothing is otherwise.
pub(super) const NOTHING: &str = "nothing to take back";

/// How long a rollback waits for somebody to confirm.
pub const ROLLBACK: Duration = Duration::from_secs(60);
/// A first boot fetches packages.
const BOOT: Duration = Duration::from_secs(900);

/// What turns what is seen into what is wanted.
pub(super) struct Steps<'a> {
    pub(super) observed: &'a Observed,
    /// Names of objects that have a step, in their order.
    pub(super) steps: Vec<Step>,
}

impl Steps<'_> {
    fn seen(&self, place: &str) -> Option<&Seen> {
        self.observed.places.get(place)?.as_ref().ok()
    }

    fn has(&self, id: &str) -> bool {
        self.steps.iter().any(|step| step.object == id)
    }

    /// Adds the step of an object, if it needs one.
    pub(super) fn consider(&mut self, object: &Object) {
        let step = match &object.thing {
            Thing::File(file) => {
                self.seen(&object.place).and_then(|seen| write(object, file, seen.files.get(&file.path)))
            }
            Thing::Reaction(reaction) => {
                let owed = self.seen(&object.place).is_some_and(|seen| seen.owed.contains(&reaction.name));
                let due = owed || object.after.iter().any(|id| self.has(id)) && self.runs_already(&reaction.name);
                due.then(|| react(object, reaction, owed))
            }
            Thing::Firewall(path) => self.seen(&object.place).and_then(|seen| self.filter(object, path, seen)),
            Thing::Unit(name) => self.seen(&object.place).filter(|seen| !seen.units.contains(name)).map(|_| {
                let why = vec![Line::new(Sign::Added, format!("{name} is enabled and runs"))];
                let back = format!("systemctl disable --now {name}");
                Step { back, ..run(object, format!("enable {name}"), why, script::unit(name), Vec::new()) }
            }),
            Thing::Image { path, sha256 } => {
                let missing = self.seen(&object.place).is_some_and(|seen| !seen.files.contains_key(path));
                missing.then(|| image(object, path, sha256))
            }
            Thing::Libvirt(it) => self.libvirt(object, it),
            Thing::Running(machine) => self.running(object, machine),
            Thing::Arm(_) | Thing::Confirm(_) | Thing::Gate(_) => None,
        };
        self.steps.extend(step);
    }

    /// A machine that does not run has nothing to start again.
    fn runs_already(&self, reaction: &str) -> bool {
        let Some(machine) = reaction.strip_prefix("restart-") else { return true };
        self.known(Kind::Domain, machine).is_some_and(|known| known.active)
    }

    fn known(&self, kind: Kind, name: &str) -> Option<&Known> {
        self.observed.libvirt.as_ref()?.as_ref().ok()?.get(&(kind, name.to_owned()))
    }

    fn filter(&self, object: &Object, path: &str, seen: &Seen) -> Option<Step> {
        let file = object.after.iter().any(|id| self.has(id));
        let why = match (seen.firewall.same, file) {
            (true, _) => return None,
            // The step before it shows how.
            (false, true) => Vec::new(),
            (false, false) => texts(&seen.firewall.live, &seen.firewall.wanted),
        };
        let effect = Effect::Interrupts("connections that the new rules refuse end".to_owned());
        let back = back_by_itself();
        Some(Step {
            effect,
            back,
            ..run(object, "load the packet filter".to_owned(), why, script::firewall(path), Vec::new())
        })
    }

    fn running(&self, object: &Object, machine: &str) -> Option<Step> {
        self.observed.libvirt.as_ref()?.as_ref().ok()?;
        if self.known(Kind::Domain, machine).is_some_and(|known| known.active) {
            return None;
        }
        let why = vec![Line::new(Sign::Added, format!("{machine} runs"))];
        let back = format!("virsh shutdown {machine}");
        Some(Step { back, ..run(object, format!("start {machine}"), why, script::run(machine), Vec::new()) })
    }

    fn libvirt(&self, object: &Object, it: &Libvirt) -> Option<Step> {
        self.observed.libvirt.as_ref()?.as_ref().ok()?;
        let kind = it.kind.word();
        let Some(known) = self.known(it.kind, &it.name) else {
            let why = tree::parse(&it.xml)
                .map(|root| tree::differences(&tree::Element::default(), &root))
                .unwrap_or_default();
            let back =
                format!("{kind} {} is removed with --allow-destroy once the inventory does not name it", it.name);
            let what = format!("make {kind} {}", it.name);
            return Some(Step {
                back,
                ..run(object, what, why, script::define(it, false, false), it.xml.clone().into_bytes())
            });
        };
        let owed = self.seen(&object.place).is_some_and(|seen| seen.owed.contains(&format!("{kind}-{}", it.name)));
        let (Ok(seen), Ok(wanted)) = (tree::parse(&known.xml), tree::parse(&it.xml)) else { return None };
        let why = tree::differences(&seen, &wanted);
        if !why.is_empty() {
            return Some(change(object, it, known, &seen, &wanted, why));
        }
        let stopped = it.kind != Kind::Volume && (!known.autostart || it.kind != Kind::Domain && !known.active);
        if !stopped && !owed {
            return None;
        }
        let why = vec![Line::new(Sign::Changed, format!("{kind} {} runs, and starts with the hypervisor", it.name))];
        Some(run(object, format!("start {kind} {}", it.name), why, script::start(it), Vec::new()))
    }

    /// Guards around what they cover, and gates behind what has changed, once everything else is known.
    pub(super) fn guard(&mut self, object: &Object, objects: &[Object]) -> Option<Step> {
        match &object.thing {
            Thing::Arm(guard) => {
                let armed = self.seen(&object.place).is_some_and(|seen| seen.armed.contains(&guard.name));
                (armed || self.covers(object, guard, objects)).then(|| arm(object, guard, armed))
            }
            Thing::Confirm(guard) => {
                self.has(&format!("arm:{}:{}", object.place, guard.name)).then(|| confirm(object, guard))
            }
            Thing::Gate(gate) => {
                let machine = object.id.split_once(':').map_or("", |(_, machine)| machine);
                let started = [format!("running:{machine}")];
                let restarted =
                    self.steps.iter().any(|step| step.object.ends_with(&format!(":after:restart-{machine}")));
                let changed = self.steps.iter().any(|step| step.place == machine);
                let due = self.has(&started[0]) || restarted || changed && object.id.starts_with("healthy:");
                due.then(|| wait(object, &gate.what, &gate.script))
            }
            Thing::File(_)
            | Thing::Reaction(_)
            | Thing::Firewall(_)
            | Thing::Unit(_)
            | Thing::Image { .. }
            | Thing::Libvirt(_)
            | Thing::Running(_) => None,
        }
    }

    /// Whether anything between a guard and its confirmation has a step.
    fn covers(&self, arm: &Object, guard: &Guard, objects: &[Object]) -> bool {
        let from = objects.iter().position(|object| object.id == arm.id).unwrap_or_default();
        let until = format!("confirm:{}:{}", arm.place, guard.name);
        objects[from + 1..].iter().take_while(|object| object.id != until).any(|object| self.has(&object.id))
    }
}

fn run(object: &Object, what: String, why: Vec<Line>, script: String, stdin: Vec<u8>) -> Step {
    let (object, place) = (object.id.clone(), object.place.clone());
    let back = "apply the inventory of before".to_owned();
    Step { object, place, what, why, effect: Effect::Quiet, back, act: Act::Run { script, stdin } }
}

fn back_by_itself() -> String {
    format!("comes back by itself after {} s without contact", ROLLBACK.as_secs())
}

fn write(object: &Object, file: &File, seen: Option<&FileSeen>) -> Option<Step> {
    let wanted = file.sha256();
    if seen.is_some_and(|seen| seen.sha256 == wanted && seen.mode == file.mode) {
        return None;
    }
    let mut why = Vec::new();
    if let Some(seen) = seen.filter(|seen| seen.mode != file.mode) {
        why.push(Line::new(Sign::Changed, format!("mode: {:04o} -> {:04o}", seen.mode, file.mode)));
    }
    match (seen, file.text()) {
        (None, _) => why.push(Line::new(Sign::Added, format!("{}: {}", file.path, file.purpose))),
        (Some(seen), Some(text)) if seen.sha256 != wanted && seen.text.is_some() && text.len() < LONG => {
            why.extend(texts(seen.text.as_deref().unwrap_or_default(), text));
        }
        (Some(seen), _) if seen.sha256 != wanted => {
            why.push(Line::new(Sign::Changed, format!("sha256: {} -> {}", short(&seen.sha256), short(&wanted))));
        }
        (Some(_), _) => {}
    }
    let stdin = match &file.content {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Download { .. } => Vec::new(),
    };
    let guarded = super::reaction::may_cut_off(&file.path) || file.path == crate::render::host::firewall::PATH;
    let back = match guarded {
        true => back_by_itself(),
        false => "apply the inventory of before".to_owned(),
    };
    Some(Step { back, ..run(object, format!("write {}", file.path), why, script::write(file), stdin) })
}

/// What a machine reads at its first start holds all its files over again: those show what differs.
const LONG: usize = 20_000;

fn short(digits: &str) -> &str {
    digits.get(..12).unwrap_or(digits)
}

fn react(object: &Object, reaction: &super::object::Reaction, owed: bool) -> Step {
    let why = match owed {
        true => vec![Line::new(Sign::Changed, "an earlier run ended before this")],
        false => Vec::new(),
    };
    let what = reaction.name.strip_prefix("restart-").map(|machine| format!("restart {machine}"));
    let what = what.unwrap_or_else(|| reaction.script.clone());
    let effect = reaction.interrupts.clone().map_or(Effect::Quiet, Effect::Interrupts);
    let back = NOTHING.to_owned();
    Step { effect, back, ..run(object, what, why, script::react(reaction), Vec::new()) }
}

fn image(object: &Object, path: &str, sha256: &str) -> Step {
    let why = vec![Line::new(Sign::Added, format!("{path}, sha256 {}: put it there yourself", short(sha256)))];
    let back = NOTHING.to_owned();
    Step { back, ..run(object, "look at the base image".to_owned(), why, script::image(path, sha256), Vec::new()) }
}

fn change(
    object: &Object,
    it: &Libvirt,
    known: &Known,
    seen: &tree::Element,
    wanted: &tree::Element,
    why: Vec<Line>,
) -> Step {
    let (kind, name) = (it.kind.word(), &it.name);
    let stdin = it.xml.clone().into_bytes();
    let foreign = seen.text_of("uuid") != wanted.text_of("uuid");
    let make = |effect, back: &str, script| Step {
        effect,
        back: back.to_owned(),
        ..run(object, format!("change {kind} {name}"), why.clone(), script, stdin.clone())
    };
    match it.kind {
        Kind::Volume => match growth(&why, wanted) {
            Some(bytes) => make(Effect::Quiet, "cannot be taken back: a volume only grows", script::grow(it, bytes)),
            None => make(
                Effect::Destroys(format!("all that is on volume {name}")),
                "cannot be taken back",
                script::define(it, true, true),
            ),
        },
        Kind::Domain if foreign => make(
            Effect::Destroys(format!("the definition of another machine that is called {name}; its disks stay")),
            "cannot be taken back",
            script::define(it, known.active, true),
        ),
        Kind::Domain => make(Effect::Quiet, "apply the inventory of before", script::define(it, known.active, false)),
        Kind::Network => {
            let effect = match known.active {
                true => Effect::Interrupts(format!("machines in network {name}, for a second or two")),
                false => Effect::Quiet,
            };
            make(effect, "apply the inventory of before", script::define(it, known.active, foreign))
        }
        Kind::Pool => make(Effect::Quiet, "apply the inventory of before", script::define(it, known.active, false)),
    }
}

/// The new size, when nothing else differs and it is larger.
fn growth(why: &[Line], wanted: &tree::Element) -> Option<u64> {
    let [Line { text, .. }] = why else { return None };
    let before: u64 = text.strip_prefix("capacity: ")?.split(' ').next()?.parse().ok()?;
    let after: u64 = wanted.text_of("capacity")?.parse().ok()?;
    (after > before).then_some(after)
}

fn arm(object: &Object, guard: &Guard, again: bool) -> Step {
    let what = format!("keep the {} as it is, to come back after {} s", guard.name, ROLLBACK.as_secs());
    let why = match again {
        true => vec![Line::new(Sign::Changed, "it is kept already: an earlier run has not confirmed")],
        false => Vec::new(),
    };
    let back = NOTHING.to_owned();
    Step { back, ..run(object, what, why, script::arm(guard, ROLLBACK.as_secs(), again), Vec::new()) }
}

fn confirm(object: &Object, guard: &Guard) -> Step {
    let what = format!("make contact anew, and confirm the {}", guard.name);
    let act = Act::Confirm { script: script::confirm(guard) };
    let back = "apply the inventory of before".to_owned();
    Step { act, back, ..run(object, what, Vec::new(), String::new(), Vec::new()) }
}

fn wait(object: &Object, what: &str, script: &str) -> Step {
    let act = Act::Await { script: script.to_owned(), within: BOOT };
    let back = NOTHING.to_owned();
    Step { act, back, ..run(object, format!("wait: {what}"), Vec::new(), String::new(), Vec::new()) }
}

/// Something of libvirt's that is the lab's by its identity and not by the inventory.
pub(super) fn forget(host: &str, kind: Kind, name: &str) -> Step {
    let object = Object {
        id: format!("{}:{name}", kind.word()),
        place: host.to_owned(),
        thing: Thing::Running(String::new()),
        after: Vec::new(),
    };
    let what = format!("remove {} {name}", kind.word());
    let lost = match kind {
        Kind::Domain => format!("the definition of machine {name}; its disks stay"),
        Kind::Volume => format!("all that is on volume {name}"),
        Kind::Network | Kind::Pool => format!("{} {name}", kind.word()),
    };
    let why = vec![Line::new(Sign::Removed, "the inventory does not name it")];
    Step {
        effect: Effect::Destroys(lost),
        back: "cannot be taken back".to_owned(),
        ..run(&object, what, why, script::forget(kind, name), Vec::new())
    }
}

/// A file that an earlier run wrote and the inventory does not have.
pub(super) fn remove(place: &str, path: &str) -> Step {
    let object = Object {
        id: format!("{place}:{path}"),
        place: place.to_owned(),
        thing: Thing::Running(String::new()),
        after: Vec::new(),
    };
    let why = vec![Line::new(Sign::Removed, "an earlier run wrote it, and the inventory has it no more")];
    run(&object, format!("remove {path}"), why, script::remove(path), Vec::new())
}
