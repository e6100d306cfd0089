//! `[dns]` as typed.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::table::{Table, Value};
use super::{address, scalar};
use crate::findings::{Findings, Located};

/// Below a second a resolver is asked more often than it can know anything new.
const TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
const HOLD: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);
/// Of DNS (RFC 1035 §4.2).
const PORT: u16 = 53;

/// `[dns]`.
#[derive(Debug, Default)]
pub(crate) struct RawDns {
    pub(crate) resolvers: Vec<SocketAddr>,
    pub(crate) min_ttl: Option<Located<Duration>>,
    pub(crate) max_ttl: Option<Located<Duration>>,
    pub(crate) hold: Option<Option<Duration>>,
}

impl RawDns {
    pub(crate) fn read(table: &Table<'_>, findings: &mut Findings) -> Self {
        let ttl = |key, findings: &mut Findings| table.take(key).and_then(|value| scalar::span(&value, TTL, findings));
        Self {
            resolvers: table.take("resolvers").map_or_else(Vec::new, |value| resolvers(&value, findings)),
            min_ttl: ttl("min_ttl", findings),
            max_ttl: ttl("max_ttl", findings),
            hold: table.take("hold").and_then(|value| scalar::span_or_never(&value, HOLD, findings)),
        }
    }
}

fn resolvers(value: &Value<'_>, findings: &mut Findings) -> Vec<SocketAddr> {
    let Some(items) = value.list("[\"10.17.4.1\"]", findings) else { return Vec::new() };
    let read = |item: &Value<'_>| {
        let (address, port): (Located<IpAddr>, _) = address::with_port(item, findings)?;
        Some(SocketAddr::new(address.value, port.map_or(PORT, |port| port.value.get())))
    };
    items.iter().filter_map(read).collect()
}
