//! Backends that take their verdicts from another's servers.

use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::backend::Backend;
use crate::model::health_check::HealthCheck;
use crate::suggest;
use crate::toml::RawConfig;
use crate::toml::backends::RawBackend;

/// Gives each tracking backend the check of the one that is asked in the end, and reports what cannot be tracked.
pub(super) fn resolve(raw: &RawConfig, backends: &mut [Backend], findings: &mut Findings) {
    for follower in &raw.backends {
        let Some(track) = &follower.check.track else { continue };
        report_unused(follower, track, findings);
        let Some(leader) = leader(raw, follower, track, findings) else { continue };
        report_strangers(follower, leader, track, findings);
        let asked = backends.iter().find(|backend| backend.name.as_str() == leader.name.value);
        match asked.map(|backend| (backend.name.clone(), backend.check.clone())) {
            Some((name, check)) => follow(backends, follower, HealthCheck { track: Some(name), ..check }),
            None => report_unchecked(raw, leader, track, findings),
        }
    }
}

fn follow(backends: &mut [Backend], follower: &RawBackend, check: HealthCheck) {
    if let Some(backend) = backends.iter_mut().find(|backend| backend.name.as_str() == follower.name.value) {
        backend.check = check;
    }
}

/// The end of the chain that starts at `follower`; `None`: there is none, and that is reported.
fn leader<'r>(
    raw: &'r RawConfig,
    follower: &RawBackend,
    track: &Located<String>,
    findings: &mut Findings,
) -> Option<&'r RawBackend> {
    let named = |name: &str| raw.backends.iter().find(|backend| backend.name.value == name);
    let Some(mut at) = named(&track.value) else {
        let known =
            raw.backends.iter().map(|backend| backend.name.value.as_str()).filter(|n| *n != follower.name.value);
        let problem = format!("there is no backend {:?}", track.value);
        findings.add(Code::UnknownBackend, &track.place, problem, suggest::fix(&track.value, known));
        return None;
    };
    for _ in 0..raw.backends.len() {
        match &at.check.track {
            Some(_) if at.name.value == follower.name.value => break,
            Some(next) => at = named(&next.value)?,
            None => return Some(at),
        }
    }
    let problem = format!("the verdicts of {} would come from itself", follower.name.value);
    let fix = "name a backend that is asked, or remove `track` from one of them";
    findings.add(Code::TrackCycle, &track.place, problem, fix);
    None
}

/// Nothing is asked here, so nothing else in the table has an effect.
fn report_unused(follower: &RawBackend, track: &Located<String>, findings: &mut Findings) {
    for (option, place) in follower.check.typed.iter().filter(|(option, _)| *option != "track") {
        let problem = format!("`{option}` has no effect: the verdicts come from {}", track.value);
        let fix = format!("remove it, or write it in backends.{}.check", track.value);
        findings.add(Code::CheckOptionUnused, place, problem, fix);
        findings.because(&track.place, "tracked here");
    }
}

fn report_strangers(follower: &RawBackend, leader: &RawBackend, track: &Located<String>, findings: &mut Findings) {
    let (Some(servers), Some(asked)) = (&follower.servers, &leader.servers) else { return };
    for server in &servers.list {
        if !asked.list.iter().any(|namesake| namesake.name.value == server.name.value) {
            let problem =
                format!("backends.{} has no server {:?} to take a verdict from", leader.name.value, server.name.value);
            let names = asked.list.iter().map(|server| server.name.value.as_str());
            findings.add(Code::TrackNoNamesake, &server.name.place, problem, suggest::fix(&server.name.value, names));
            findings.because(&track.place, "tracked here");
        }
    }
}

/// A backend without a frontend is left out of the model; one that is wrong is reported elsewhere.
fn report_unchecked(raw: &RawConfig, leader: &RawBackend, track: &Located<String>, findings: &mut Findings) {
    let used =
        raw.frontends.iter().any(|frontend| frontend.backends().any(|backend| backend.value == leader.name.value));
    if !used {
        let problem = format!("no frontend leads to {}, so its servers are not checked", leader.name.value);
        let fix = "track a backend that a frontend leads to, or write the check here";
        findings.add(Code::TrackUnchecked, &track.place, problem, fix);
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Config;

    const FILE: &str = r#"
        [nodes]
        lb1 = "10.0.0.1"
        [vips]
        web = "10.0.0.100"
        [frontends]
        a = { vip = "web", port = 1, backend = "first" }
        b = { vip = "web", port = 2, backend = "second" }
        c = { vip = "web", port = 3, backend = "third" }
        [backends]
        first = { servers = { w1 = "10.0.1.1" }, check = { track = "second" } }
        second = { servers = { w1 = "10.0.1.1" }, check = { track = "third" } }
        third = { servers = { w1 = "10.0.1.1" }, check = { type = "tls", interval = "5s" } }
    "#;

    #[test]
    fn a_chain_ends_at_the_backend_that_is_asked_and_takes_its_check() {
        let config = Config::parse(FILE, "test").unwrap();
        let tracked: Vec<_> =
            config.backends.iter().map(|b| b.check.track.as_ref().map(|name| name.as_str())).collect();
        assert_eq!(tracked, [Some("third"), Some("third"), None]);
        assert_eq!(config.backends[0].check.probe, config.backends[2].check.probe);
        assert_eq!(Config::parse(&config.effective(), "effective").unwrap(), config);
    }

    #[test]
    fn a_cycle_of_any_length_is_refused_at_each_of_its_members() {
        for (end, members) in [("first", 3), ("second", 3), ("third", 3)] {
            let source = FILE.replace(r#"type = "tls", interval = "5s""#, &format!("track = {end:?}"));
            let found = Config::parse(&source, "test").unwrap_err();
            assert_eq!(found.iter().filter(|found| found.code.as_str() == "track-cycle").count(), members, "{found}");
        }
    }
}
