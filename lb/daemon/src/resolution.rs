//! What is known of the names of servers, and when each is asked again. [core]
//!
//! An answer is good for its TTL, within bounds. Whoever gives none, or a bad one, changes nothing: what was known last is kept, and asked for again
//! soon. The order of an answer means nothing: resolvers rotate it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use fmc_config::model::Config;
use fmc_config::model::backend::{NamedServer, Records};
use fmc_config::model::name::HostName;
use fmc_config::model::service::Dns;

/// Between the first two questions of which the first got no answer; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A resolver that is back is found after this at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a resolver said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ttl: Duration,
}

/// The addresses of a name are others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) host: HostName,
    pub(crate) before: BTreeSet<IpAddr>,
    pub(crate) after: BTreeSet<IpAddr>,
}

/// Every name of the configuration, and what is known of it.
#[derive(Debug)]
pub(crate) struct Resolution {
    rules: Dns,
    /// Whose addresses are never servers: connections would come back.
    vips: BTreeSet<IpAddr>,
    names: BTreeMap<HostName, Known>,
}

/// What is known of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Of the last good answer.
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// When that came; `None`: there was none, or it was given up.
    pub(crate) answered_at: Option<Instant>,
    /// Nobody has given an answer since then.
    pub(crate) failing: Option<Failing>,
    /// The address of those who want one alone: kept as long as it is among them.
    first: Option<IpAddr>,
    due: Instant,
    /// A question is under way.
    asked: bool,
}

/// Questions that got no good answer, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) since: Instant,
    pub(crate) why: String,
    times: u32,
}

impl Resolution {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let mut resolution = Self { rules: config.dns.clone(), vips: BTreeSet::new(), names: BTreeMap::new() };
        resolution.reconfigure(config, now);
        resolution
    }

    /// Goes over to another configuration; what is known of names that stay, stays. All are asked at once when somebody else is to be asked.
    pub(crate) fn reconfigure(&mut self, config: &Config, now: Instant) {
        let others = self.rules.resolvers != config.dns.resolvers;
        self.rules = config.dns.clone();
        self.vips = config.vips.iter().map(|vip| vip.address).collect();
        let mut before = std::mem::take(&mut self.names);
        for host in config.host_names() {
            let mut known = before.remove(&host).unwrap_or_else(|| Known::nothing(now));
            if others {
                known.due = now;
            }
            self.names.insert(host, known);
        }
    }

    /// The names to ask for now; each once, until [`Resolution::hear`] was told what became of it.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<HostName> {
        let due = self.names.iter_mut().filter(|(_, known)| !known.asked && now >= known.due);
        let ask = |(host, known): (&HostName, &mut Known)| {
            known.asked = true;
            host.clone()
        };
        due.map(ask).collect()
    }

    /// Takes an answer in, or why there is none; `Some`: the addresses are others now.
    pub(crate) fn hear(&mut self, host: &HostName, outcome: Result<Answer, String>, now: Instant) -> Option<Change> {
        let (rules, vips) = (self.rules.clone(), &self.vips);
        let known = self.names.get_mut(host)?;
        known.asked = false;
        let is_server = |address: &IpAddr| is_reachable(*address) && !vips.contains(address);
        let usable = outcome.and_then(|answer| {
            let addresses: BTreeSet<IpAddr> = answer.addresses.into_iter().filter(is_server).collect();
            if addresses.is_empty() {
                Err("no address that a server can have".to_owned())
            } else {
                Ok((addresses, answer.ttl))
            }
        });
        match usable {
            Ok((addresses, ttl)) => {
                known.due = now + ttl.clamp(rules.min_ttl, rules.max_ttl);
                (known.answered_at, known.failing) = (Some(now), None);
                known.replace(host, addresses)
            }
            Err(why) => {
                known.fail(why, now);
                None
            }
        }
    }

    /// Gives up what nobody has confirmed for longer than it is held.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Change> {
        let Some(hold) = self.rules.hold else { return Vec::new() };
        let is_over = |known: &Known| known.failing.as_ref().is_some_and(|failing| now >= failing.since + hold);
        let over = self.names.iter_mut().filter(|(_, known)| is_over(known));
        let give_up = |(host, known): (&HostName, &mut Known)| {
            known.answered_at = None;
            known.replace(host, BTreeSet::new())
        };
        over.filter_map(give_up).collect()
    }

    /// The addresses that are servers of `named`. Of more than may be it is the lowest: every node takes the same.
    pub(crate) fn addresses(&self, named: &NamedServer) -> Vec<IpAddr> {
        let Some(known) = self.names.get(&named.host) else { return Vec::new() };
        match named.records {
            Records::First => known.first.into_iter().collect(),
            Records::Each(most) => known.addresses.iter().copied().take(most.get().into()).collect(),
        }
    }

    /// True while nobody has answered a question after the name, nor failed to.
    pub(crate) fn is_awaited(&self, host: &HostName) -> bool {
        self.names.get(host).is_some_and(|known| known.answered_at.is_none() && known.failing.is_none())
    }

    pub(crate) fn of(&self, host: &HostName) -> Option<&Known> {
        self.names.get(host)
    }

    /// Every name, in alphabetical order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HostName, &Known)> {
        self.names.iter()
    }

    /// How they are to be asked.
    pub(crate) fn rules(&self) -> &Dns {
        &self.rules
    }
}

impl Known {
    fn nothing(now: Instant) -> Self {
        Self { addresses: BTreeSet::new(), answered_at: None, failing: None, first: None, due: now, asked: false }
    }

    fn replace(&mut self, host: &HostName, addresses: BTreeSet<IpAddr>) -> Option<Change> {
        if addresses == self.addresses {
            return None;
        }
        self.first = self.first.filter(|first| addresses.contains(first)).or_else(|| addresses.first().copied());
        let before = std::mem::replace(&mut self.addresses, addresses);
        Some(Change { host: host.clone(), before, after: self.addresses.clone() })
    }

    fn fail(&mut self, why: String, now: Instant) {
        let (since, times) = self.failing.take().map_or((now, 0), |failing| (failing.since, failing.times + 1));
        self.due = now + FIRST_PAUSE.saturating_mul(1 << times.min(10)).min(LONGEST_PAUSE);
        self.failing = Some(Failing { since, why, times });
    }
}

/// As for an address that is typed: what another machine, or this one, can be asked at.
fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !matches!(address.octets()[0], 0 | 224..=255),
        IpAddr::V6(v6) => {
            !v6.is_unspecified() && !v6.is_multicast() && !v6.is_unicast_link_local() && v6.to_ipv4_mapped().is_none()
        }
    }
}

#[cfg(test)]
mod tests;
