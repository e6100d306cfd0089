//! What a configuration changes: `+` what comes, `-` what goes, `~` what is another.

use fmc_api::Elsewhere;
use fmc_api::configure::{ConfigChange, ConfigureAnswer, ConfirmAnswer, ElectionChange};

use super::fact::connections;
use super::others;
use super::paint::Paint;

/// What would change, here and on the other nodes.
pub(crate) fn answer(answer: &ConfigureAnswer, paint: Paint) -> String {
    let others = others::lines(&answer.others, paint, |there| elsewhere(answer, there, paint));
    here(answer, paint) + &others
}

fn here(answer: &ConfigureAnswer, paint: Paint) -> String {
    if answer.changes.is_empty() && answer.election == ElectionChange::Nothing {
        return format!("nothing to change: configuration {} is in force\n", answer.hash);
    }
    let changes: String = answer.changes.iter().map(|change| line(change, paint)).collect();
    let consequences: String = answer.consequences.iter().map(|said| format!("{said}\n")).collect();
    changes + &consequences + &election(answer.election, paint) + &cut(answer, paint)
}

/// What has changed, after the plan was shown.
pub(crate) fn done(answer: &ConfigureAnswer, paint: Paint) -> String {
    let cut = match answer.connections_cut {
        0 => String::new(),
        cut => format!(", {} cut", connections(cut)),
    };
    let everywhere = everywhere(answer);
    let others = answer.others.iter().filter(|other| other.done().is_none()).cloned().collect::<Vec<_>>();
    format!("configuration {} is {}{everywhere}{cut}\n", answer.hash, paint.good("in force"))
        + &others::lines(&others, paint, |_| None)
}

/// Where it is in force, when that is not here alone.
fn everywhere(answer: &ConfigureAnswer) -> String {
    let done = answer.others.iter().filter(|other| other.done().is_some());
    let nodes: Vec<&str> = done.map(|other| other.node.as_str()).collect();
    match nodes.len() {
        0 => String::new(),
        all if all == answer.others.len() => " on all nodes".to_owned(),
        _ => format!(" here and on {}", nodes.join(", ")),
    }
}

/// What it does on another node, when that is not what it does here.
fn elsewhere(here: &ConfigureAnswer, there: &ConfigureAnswer, paint: Paint) -> Option<String> {
    let apart = (there.hash_before != here.hash_before).then(|| match there.hash_before == there.hash {
        true => "has it in force already".to_owned(),
        false => format!("{} changes from another configuration", there.changes.len()),
    });
    let election = (there.election != here.election).then(|| election(there.election, paint).trim_end().to_owned());
    let cut = (there.connections_cut > 0).then(|| paint.bad(&format!("{} cut", connections(there.connections_cut))));
    let said: Vec<String> = [apart, election, cut].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// A trial whose configuration stays.
pub(crate) fn confirmed(answer: &ConfirmAnswer, paint: Paint) -> String {
    format!("configuration {} {}\n", answer.hash, paint.good("stays")) + &ended(&answer.others, answer, paint)
}

/// A trial whose configuration is gone.
pub(crate) fn rolled_back(answer: &ConfirmAnswer, paint: Paint) -> String {
    format!("configuration {} is in force again\n", answer.hash) + &ended(&answer.others, answer, paint)
}

fn ended(all: &[Elsewhere<ConfirmAnswer>], here: &ConfirmAnswer, paint: Paint) -> String {
    others::lines(all, paint, |there| {
        (there.hash != here.hash).then(|| paint.warn(&format!("has {} in force", there.hash)))
    })
}

fn line(change: &ConfigChange, paint: Paint) -> String {
    let ConfigChange { field, before, after } = change;
    match (before, after) {
        (None, Some(after)) => format!("{} {field} = {after}\n", paint.good("+")),
        (Some(before), None) => format!("{} {field} = {before}\n", paint.bad("-")),
        (before, after) => {
            let side = |side: &Option<String>| side.clone().unwrap_or_default();
            format!("{} {field} = {} (was {})\n", paint.warn("~"), side(after), side(before))
        }
    }
}

fn election(change: ElectionChange, paint: Paint) -> String {
    match change {
        ElectionChange::Nothing => "the election does not notice; no address moves\n".to_owned(),
        ElectionChange::InPlace => "the election takes it over in place; no address moves\n".to_owned(),
        ElectionChange::Anew => {
            format!("the election {}: what this node owns moves to another node first\n", paint.warn("begins anew"))
        }
    }
}

fn cut(answer: &ConfigureAnswer, paint: Paint) -> String {
    match answer.connections_cut {
        0 => "no connection is cut\n".to_owned(),
        cut => format!("{} cut\n", paint.bad(&connections(cut))),
    }
}

#[cfg(test)]
mod tests {
    use fmc_api::{Moment, Outcome};

    use super::*;

    fn plan(changes: &[(&str, Option<&str>, Option<&str>)], election: ElectionChange, cut: u64) -> String {
        super::answer(&with(changes, election, cut), Paint::new(false, |_| None))
    }

    fn with(changes: &[(&str, Option<&str>, Option<&str>)], election: ElectionChange, cut: u64) -> ConfigureAnswer {
        let change = |(field, before, after): &(&str, Option<&str>, Option<&str>)| ConfigChange {
            field: (*field).to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        ConfigureAnswer {
            now: Moment::from_unix_ms(0),
            dry_run: true,
            changes: changes.iter().map(change).collect(),
            election,
            consequences: vec![
                "masters/master3 gets nothing new where it was; 4 connections go on to their end".to_owned(),
            ],
            connections_cut: cut,
            hash_before: "1".to_owned(),
            hash: "2".to_owned(),
            unsaved: None,
            others: Vec::new(),
        }
    }

    #[test]
    fn a_plan_shows_what_comes_what_goes_and_what_is_another() {
        let changes = [
            ("backends.masters.servers.master4", None, Some("{ address = \"10.17.4.29\" }")),
            ("backends.masters.servers.master3", Some("{ address = \"10.17.4.23\" }"), None),
            ("backends.masters.balance", Some("\"first\""), Some("\"round-robin\"")),
        ];
        assert_eq!(
            plan(&changes, ElectionChange::Nothing, 0),
            "+ backends.masters.servers.master4 = { address = \"10.17.4.29\" }\n\
             - backends.masters.servers.master3 = { address = \"10.17.4.23\" }\n\
             ~ backends.masters.balance = \"round-robin\" (was \"first\")\n\
             masters/master3 gets nothing new where it was; 4 connections go on to their end\n\
             the election does not notice; no address moves\n\
             no connection is cut\n"
        );
    }

    #[test]
    fn what_is_in_force_is_said_of_the_nodes_that_have_said_so_and_of_no_other() {
        let there = with(&[], ElectionChange::Nothing, 0);
        let other = |node: &str, outcome| Elsewhere { node: node.parse().unwrap(), outcome };
        let agrees = other("loadbalancer2", Outcome::Done(there.clone()));
        let silent = other("k8s-api-lb", Outcome::Later("no answer".to_owned()));
        let said = |others| done(&ConfigureAnswer { others, ..there.clone() }, Paint::new(false, |_| None));
        assert_eq!(said(vec![agrees.clone()]), "configuration 2 is in force on all nodes\n");
        assert_eq!(
            said(vec![agrees, silent.clone()]),
            "configuration 2 is in force here and on loadbalancer2\n\
             k8s-api-lb will do it once it is reached: no answer\n"
        );
        assert!(said(vec![silent]).starts_with("configuration 2 is in force\n"));
    }

    #[test]
    fn a_plan_that_moves_addresses_says_so_and_what_it_cuts() {
        let text = plan(&[("vips.web.address", Some("a"), Some("b"))], ElectionChange::Anew, 7);
        assert!(text.contains("begins anew") && text.ends_with("7 connections cut\n"), "{text}");
    }
}
