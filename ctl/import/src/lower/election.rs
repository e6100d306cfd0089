//! `[election]`: what Keepalived's virtual routers agree on, or ours where nobody needs theirs any more.

use std::time::Duration;

use super::span;
use crate::Wishes;
use crate::draft::Election;
use crate::keepalived::View;
use crate::keepalived::router::Router;
use crate::ledger::{Code, Ledger};

/// What Keepalived says when nothing is said (keepalived.conf(5): `vrrp_version`, `advert_int`).
const VERSION: u8 = 2;
const INTERVAL: Duration = Duration::from_secs(1);
/// Ours, in profile `standard`.
const STANDARD: Duration = Duration::from_millis(100);
/// The priority of ours that leaves three tiers apart.
const LOWEST: u8 = 9;

pub(super) fn lower(views: &[View], wishes: &Wishes, problems: &mut Vec<String>, ledger: &mut Ledger) -> Election {
    let mut election = Election::default();
    let routers: Vec<_> = views.iter().flat_map(|view| view.routers.iter().map(move |router| (view, router))).collect();
    let Some((view, first)) = routers.first() else { return election };
    for (_, router) in &routers {
        passwords(router, wishes, ledger);
        way_back(router, wishes, &mut election, ledger);
    }
    if routers.iter().any(|(_, router)| router.unicast.is_some()) {
        election.transport = Some("unicast");
    }
    if wishes.beside_keepalived {
        beside(view, first, &routers, &mut election, problems, ledger);
    } else {
        alone(&routers, ledger);
    }
    election
}

/// Of IPv6 there is version 3 alone.
fn version(view: &View, router: &Router) -> u8 {
    if router.addresses.first().is_some_and(|said| said.value.address.is_ipv6()) {
        return 3;
    }
    router.version.as_ref().or(view.version.as_ref()).map_or(VERSION, |said| said.value)
}

/// VRRPv2 counts in whole seconds.
fn interval(version: u8, router: &Router) -> Duration {
    let said = router.interval.as_ref().map_or(INTERVAL, |said| said.value);
    if version == 3 { said } else { Duration::from_secs(said.as_secs().max(1)) }
}

fn passwords(router: &Router, wishes: &Wishes, ledger: &mut Ledger) {
    let Some(password) = &router.password else { return };
    ledger.lint(
        Code::PasswordInClear,
        password.at,
        "auth_type PASS is sent in clear with each advert: everyone on the network reads it",
        "afterwards sign adverts: `fmc-lb keygen --adverts` and `auth_hmac` in [election]",
    );
    if wishes.beside_keepalived {
        ledger.kept(password.at, "password in [election], for as long as Keepalived runs");
    } else {
        ledger.dropped(
            password.at,
            "VRRPv3 has no password; heartbeats and adverts are signed with keys (`fmc-lb keygen`)",
        );
    }
}

/// When a preferred node takes an address back.
fn way_back(router: &Router, wishes: &Wishes, election: &mut Election, ledger: &mut Ledger) {
    if let Some(at) = router.no_preempt {
        ledger.kept(at, "failback = \"never\" in [election], which is the default");
    } else if let Some(delay) = router.preempt_delay.as_ref().filter(|delay| delay.value >= Duration::from_secs(1)) {
        let range = (Duration::from_secs(1), Duration::from_secs(86_400));
        let after = span::time_within(delay, range, "failback in [election]", ledger);
        // Beside Keepalived, whether an address is taken from it is what the trial changes.
        election.failback = (!wishes.beside_keepalived).then(|| format!("after {after}"));
    } else {
        let words = "an address goes back by itself only from a node that serves worse; `failback = \"always\"` in [election] for Keepalived's way";
        ledger.changed(router.at, words);
    }
}

/// The result runs without Keepalived: VRRPv3, ten adverts a second.
fn alone(routers: &[(&View, &Router)], ledger: &mut Ledger) {
    for (view, router) in routers {
        for said in router.version.iter().chain(&view.version) {
            match said.value {
                3 => ledger.kept(said.at, "VRRPv3"),
                _ => ledger.changed(said.at, "VRRPv3"),
            }
        }
        if let Some(interval) = &router.interval {
            ledger.changed(interval.at, "an advert each 100 ms; a silent owner is replaced after about three");
        }
    }
}

/// The result is heard by the Keepalived that still serves, and ranks below it.
fn beside(
    view: &View,
    first: &Router,
    routers: &[(&View, &Router)],
    election: &mut Election,
    problems: &mut Vec<String>,
    ledger: &mut Ledger,
) {
    for (view, router) in routers {
        router.version.iter().chain(&view.version).for_each(|said| ledger.kept(said.at, "as long as Keepalived runs"));
        router.interval.iter().for_each(|said| ledger.kept(said.at, "advertisement_interval in [election]"));
    }
    let interval = interval(version(view, first), first);
    let usual = if version(view, first) == 3 { STANDARD } else { INTERVAL };
    if version(view, first) != 3 {
        election.profile = Some("compat");
        election.password =
            first.password.as_ref().map(|said| said.value.clone()).filter(|password| !password.is_empty());
    }
    election.advertisement_interval = (interval != usual).then(|| span::text(interval));
    let lowest = routers.iter().map(|(_, router)| router.priority.value).min().unwrap_or(100);
    if lowest <= LOWEST {
        problems.push(format!("Keepalived has priority {lowest}, which leaves no room below it: raise all of its priorities above {LOWEST}"));
    }
    // A node of ours that took an address over on trial must also get it from a Keepalived that serves as well.
    election.priority = Some(lowest.saturating_sub(1).max(LOWEST));
}
