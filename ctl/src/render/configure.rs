//! What a configuration changes: `+` what comes, `-` what goes, `~` what is another.

use fmc_api::configure::{ConfigChange, ConfigureAnswer, ElectionChange};

use super::fact::connections;
use super::paint::Paint;

/// What would change.
pub(crate) fn answer(answer: &ConfigureAnswer, paint: Paint) -> String {
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
    format!("configuration {} is {}{cut}\n", answer.hash, paint.good("in force"))
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
    use fmc_api::Moment;

    use super::*;

    fn plan(changes: &[(&str, Option<&str>, Option<&str>)], election: ElectionChange, cut: u64) -> String {
        let change = |(field, before, after): &(&str, Option<&str>, Option<&str>)| ConfigChange {
            field: (*field).to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let answer = ConfigureAnswer {
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
        };
        super::answer(&answer, Paint::new(false, |_| None))
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
    fn a_plan_that_moves_addresses_says_so_and_what_it_cuts() {
        let text = plan(&[("vips.web.address", Some("a"), Some("b"))], ElectionChange::Anew, 7);
        assert!(text.contains("begins anew") && text.ends_with("7 connections cut\n"), "{text}");
    }
}
