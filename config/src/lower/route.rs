//! The routes of a frontend: each with a condition, none behind one that leaves it nothing.

use super::name;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::route::{NamePattern, Route};
use crate::toml::RawConfig;
use crate::toml::frontends::RawFrontend;
use crate::toml::routes::RawRoute;

/// In the order typed.
pub(super) fn lower(frontend: &RawFrontend, all: &RawConfig, findings: &mut Findings) -> Vec<Route> {
    for (place, route) in frontend.routes.iter().enumerate() {
        report_no_condition(route, findings);
        report_never_taken(&frontend.routes[..place], route, findings);
    }
    frontend.routes.iter().filter_map(|route| one(route, all, findings)).collect()
}

fn one(raw: &RawRoute, all: &RawConfig, findings: &mut Findings) -> Option<Route> {
    let backend = raw.backend.as_ref()?;
    name::resolve(backend, &all.backends, |backend| &backend.name, (Code::UnknownBackend, "backends"), findings);
    Some(Route {
        server_names: raw.server_names.iter().map(|name| name.value.clone()).collect(),
        alpn: raw.alpn.clone(),
        sources: raw.sources.clone(),
        backend: backend.value.parse().ok()?,
    })
}

fn report_no_condition(route: &RawRoute, findings: &mut Findings) {
    if !route.is_conditional {
        let problem = "every connection fits this route, so none reaches what stands after it";
        let fix = "add `server_names`, `alpn` or `sources`, or write its backend as the frontend's own `backend`";
        findings.add(Code::RouteWithoutCondition, &route.place, problem, fix);
    }
}

fn report_never_taken(earlier: &[RawRoute], route: &RawRoute, findings: &mut Findings) {
    for name in &route.server_names {
        if let Some(first) = earlier.iter().find_map(|before| taken_by(before, &name.value)) {
            let problem = format!("{} never comes this far: {} stands in front", name.value, first.value);
            let fix = "move this route up, or remove the name from one of the two";
            findings.add(Code::RouteNeverTaken, &name.place, problem, fix);
            findings.because(&first.place, "taken here");
        }
    }
}

/// The name of `route` that leaves nothing of `name`, if names are all that it asks for.
fn taken_by<'r>(route: &'r RawRoute, name: &NamePattern) -> Option<&'r Located<NamePattern>> {
    let asks_more = !route.alpn.is_empty() || !route.sources.is_empty();
    route.server_names.iter().find(|before| !asks_more && before.value.covers(name))
}
