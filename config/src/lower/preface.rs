//! What a connection begins with: whose PROXY headers are believed, and for how long anything is waited for.

use std::time::Duration;

use crate::diagnostic::Code;
use crate::findings::Findings;
use crate::profile;
use crate::toml::frontends::RawFrontend;
use crate::toml::routes::RawRoute;

/// How long the beginning of a connection is waited for, and what is strange about waiting for it.
pub(super) fn timeout(raw: &RawFrontend, findings: &mut Findings) -> Duration {
    report_anyone(raw, findings);
    let Some(typed) = &raw.preface_timeout else { return profile::PREFACE_TIMEOUT };
    if raw.accept_proxy.is_empty() && !raw.routes.iter().any(RawRoute::is_of_tls) {
        let problem = "nothing that a connection begins with is looked at here, so nobody waits for it";
        findings.add(
            Code::PrefaceUnused,
            &typed.place,
            problem,
            "remove it, or add `accept_proxy`, or `routes` by name",
        );
        return profile::PREFACE_TIMEOUT;
    }
    typed.value
}

/// A header decides what allow lists, bounds and logs take for the client's address.
fn report_anyone(raw: &RawFrontend, findings: &mut Findings) {
    for typed in raw.accept_proxy.iter().filter(|typed| typed.value.prefix_len() == 0) {
        let problem =
            "whoever can connect may say that he is anybody, and `allow`, `per_source` and the log believe it";
        let fix = "name the addresses of the proxies, for example \"10.8.0.1\"";
        findings.add(Code::ProxyFromAnyone, &typed.place, problem, fix);
    }
}
