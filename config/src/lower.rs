//! From what was typed to what it means: defaults filled in, names resolved, every rule of two or more fields checked.

mod admin;
mod backend;
mod check;
mod election;
mod family;
mod frontend;
mod limit;
mod name;
mod named;
mod node;
mod port;
mod preface;
mod protocol;
mod route;
mod track;
mod vip;

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic};
use crate::findings::{Findings, Located};
use crate::model::Config;
use crate::model::service::{Dns, Limits, Pair};
use crate::profile;
use crate::span_of_time;
use crate::toml::dns::RawDns;
use crate::toml::service::{RawLimits, RawPair};
use crate::toml::{self, RawConfig};

/// UDP port of the heartbeat: VRRP is IP protocol 112, and ports from 1024 on need no privilege.
const PAIR_PORT: NonZeroU16 = NonZeroU16::new(1112).expect("1112 is not 0");

/// The configuration that `source` means, unless something in it is wrong; and everything found.
pub(crate) fn read(source: &str) -> (Option<Config>, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let config = toml::read(source, &mut findings).map(|raw| config(&raw, &mut findings));
    let refused = findings.refused();
    (config.filter(|_| !refused), findings.into_list())
}

fn config(raw: &RawConfig, findings: &mut Findings) -> Config {
    let limits = limits(&raw.limits);
    let nodes = node::lower(&raw.nodes, findings);
    let vips = vip::lower(raw, &nodes, findings);
    let frontends = frontend::lower(raw, &vips, limits, findings);
    let backends = backend::lower(raw, &frontends, limits, findings);
    let admin = admin::lower(&raw.admin, &frontends, findings);
    let election = election::lower(&raw.election, findings);
    let dns = dns(&raw.dns, findings);
    let config = Config { nodes, election, vips, frontends, backends, dns, pair: pair(&raw.pair), admin, limits };
    family::report(raw, &config, findings);
    config
}

fn dns(raw: &RawDns, findings: &mut Findings) -> Dns {
    let or = |typed: &Option<Located<Duration>>, default| typed.as_ref().map_or(default, |typed| typed.value);
    let (min_ttl, max_ttl) = (or(&raw.min_ttl, profile::MIN_TTL), or(&raw.max_ttl, profile::MAX_TTL));
    if let Some(typed) = raw.max_ttl.as_ref().or(raw.min_ttl.as_ref()).filter(|_| min_ttl > max_ttl) {
        let (least, most) = (span_of_time::format(min_ttl), span_of_time::format(max_ttl));
        let problem = format!("min_ttl is {least} and max_ttl {most}: no answer could keep to both");
        findings.add(Code::DurationOutOfRange, &typed.place, problem, format!("write {least:?} or more as `max_ttl`"));
    }
    Dns { resolvers: raw.resolvers.clone(), min_ttl, max_ttl, hold: raw.hold.unwrap_or(None) }
}

fn pair(raw: &RawPair) -> Pair {
    Pair {
        port: raw.port.as_ref().map_or(PAIR_PORT, |port| port.value),
        key_file: raw.key_file.as_ref().map(|path| path.value.clone()),
    }
}

fn limits(raw: &RawLimits) -> Limits {
    Limits {
        max_connections: raw.max_connections.as_ref().map_or(profile::MAX_CONNECTIONS, |typed| typed.value),
        max_memory_mib: raw.max_memory_mib.as_ref().and_then(|typed| NonZeroU32::new(typed.value)),
        check_commands: raw.check_commands.as_ref().is_some_and(|typed| typed.value),
    }
}
