//! From what was typed to what it means: defaults filled in, names resolved, every rule of two or more fields checked.

mod admin;
mod backend;
mod check;
mod election;
mod family;
mod frontend;
mod limit;
mod name;
mod node;
mod port;
mod preface;
mod protocol;
mod route;
mod track;
mod vip;

use std::num::{NonZeroU16, NonZeroU32};

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::model::Config;
use crate::model::service::{Limits, Pair};
use crate::profile;
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
    let config = Config { nodes, election, vips, frontends, backends, pair: pair(&raw.pair), admin, limits };
    family::report(raw, &config, findings);
    config
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
