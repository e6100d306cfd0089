//! The reading half of the admin API: every `GET`.

pub(super) mod backends;
mod explain;
mod failovers;
pub(super) mod history;
mod observed;
mod pair;
mod sessions;
pub(super) mod status;

use std::time::SystemTime;

use fmc_api::configure::ConfigurationText;
use fmc_api::events::{EventList, EventQuery};
use fmc_api::pair::PairQuery;
use fmc_api::query::QueryError;
use fmc_api::sessions::SessionQuery;
use fmc_api::status::VipList;
use fmc_api::{Moment, Refusal, RefusalKind, path};
use hyper::Uri;

use super::response::{Answer, refuse};
use super::{Caller, exposition, is_command, live, page};
use crate::proxy::appliance::{Appliance, Shared};

pub(crate) use backends::{admin_state, health_of};
pub(crate) use sessions::session;

/// Why `path` is not for `caller`, on whichever node: to those outside it does not exist.
pub(super) fn refusal(path: &str, caller: &Caller) -> Option<Refusal> {
    let is_within = [path::PAIR, path::PAIR_ADMINISTRATIVE, path::CONFIGURATION].contains(&path);
    (is_within && !caller.is_within()).then(|| nothing_at(path))
}

fn nothing_at(path: &str) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("there is no {path}"), "see docs/reference/api.md for what there is")
}

/// Answers one request target.
pub(crate) fn answer(uri: &Uri, shared: &Shared) -> Answer {
    let appliance = shared.borrow();
    let query = uri.query().unwrap_or_default();
    match uri.path() {
        "/" => page::answer(),
        "/metrics" => exposition::answer(&appliance),
        "/healthz" => Answer::probe(true, "alive"),
        "/readyz" => ready(&appliance),
        path::STATUS => Answer::json(&status::status(&appliance)),
        path::VIPS => {
            Answer::json(&VipList { now: now(), node: appliance.node.name.clone(), vips: status::vips(&appliance) })
        }
        path::BACKENDS => Answer::json(&backends::list(&appliance)),
        path::HISTORY => Answer::json(&history::list(&appliance)),
        path::LIVE => live::answer(shared),
        path::SESSIONS => {
            SessionQuery::parse(query).map_or_else(bad_query, |query| Answer::json(&sessions::list(&appliance, &query)))
        }
        path::EVENTS => {
            EventQuery::parse(query).map_or_else(bad_query, |query| Answer::json(&events(&appliance, query)))
        }
        path::FAILOVERS => Answer::json(&failovers::list(&appliance)),
        path::OBSERVED => observed::answer(&appliance),
        path::PAIR => {
            PairQuery::parse(query).map_or_else(bad_query, |query| Answer::json(&pair::report(&appliance, query)))
        }
        path::PAIR_ADMINISTRATIVE => pair::record(&appliance),
        path::CONFIGURATION => Answer::json(&ConfigurationText {
            now: now(),
            file: appliance.file.clone(),
            text: appliance.text.to_string(),
        }),
        command if is_command(command) => refuse(
            RefusalKind::BadRequest,
            format!("{command} is a command"),
            "send it with POST, on the unix socket or to [admin.remote]",
        ),
        other => explain::answer(other, &appliance).unwrap_or_else(|| nothing_at(other).into()),
    }
}

/// This node's clock, as answers carry it.
pub(crate) fn now() -> Moment {
    Moment::from(SystemTime::now())
}

/// Ready: could own every VIP now.
fn ready(appliance: &Appliance) -> Answer {
    use fmc_vrrp::tier::Tier;
    let unready = appliance.vips.iter().find_map(|state| match &state.judgement {
        None => Some(format!("{}: the first health checks are still out", state.vip.name)),
        Some(judgement) if judgement.tier == Tier::Unfit => Some(format!("{}: {}", state.vip.name, judgement.reason)),
        Some(_) => None,
    });
    let unready = unready.or_else(|| appliance.snapshot.is_none().then(|| "the keeper is not running".to_owned()));
    unready.map_or_else(|| Answer::probe(true, "ready"), |why| Answer::probe(false, &why))
}

/// What the status page shows of the events.
pub(super) fn events_of_the_page(appliance: &Appliance) -> EventList {
    let mut list = events(appliance, EventQuery::default());
    let older = list.events.len().saturating_sub(ON_THE_PAGE);
    list.events.drain(..older);
    list
}

/// The newest are what a person looks for; the rest is behind `fmc-lbctl events`.
const ON_THE_PAGE: usize = 40;

fn events(appliance: &Appliance, query: EventQuery) -> EventList {
    let since = appliance.events.since(query.after);
    EventList {
        now: now(),
        node: appliance.node.name.clone(),
        epoch: since.epoch,
        last: since.last,
        missed: since.missed,
        events: since.events,
    }
}

fn bad_query(error: QueryError) -> Answer {
    Refusal::new(RefusalKind::BadRequest, error.to_string(), "correct the part of the path after '?'").into()
}
