//! Names at Cloudflare that follow the public address: what there should be, and what has to change for it. [core]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::lab::Lab;

/// A record as Cloudflare has it, <https://developers.cloudflare.com/api/resources/dns/subresources/records/>.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Record {
    /// Cloudflare's own name for it.
    pub id: String,
    /// The domain name.
    pub name: String,
    /// `A`, `AAAA` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// The address.
    pub content: String,
    /// Visitors meet Cloudflare instead of the address.
    #[serde(default)]
    pub proxied: bool,
}

/// A record as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wanted {
    /// The domain name.
    pub name: String,
    /// `A` or `AAAA`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The address.
    pub content: IpAddr,
    /// Visitors meet Cloudflare instead of the address.
    pub proxied: bool,
    /// Seconds; 1 leaves it to Cloudflare, which takes nothing else for what is proxied.
    pub ttl: u32,
}

/// What has to be done about one name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is as it should be.
    Nothing(Wanted),
    /// There is none.
    Create(Wanted),
    /// There is another one.
    Update {
        /// Which one.
        record: Record,
        /// What it becomes.
        to: Wanted,
    },
}

/// Where the Internet finds the lab, when that is known without asking: a gateway with an address of its own.
pub fn fixed_address(lab: &Lab) -> Option<Ipv4Addr> {
    let (_, way) = lab.way.as_ref()?;
    let peer = lab.vpn.as_ref()?.peers.get(way.gateway.as_ref()?)?;
    peer.endpoint.as_ref().map(|address| address.get())
}

/// Whether a name of the inventory wants an IPv6 address.
pub fn wants_ipv6(lab: &Lab) -> bool {
    lab.cloudflare.iter().flat_map(|cloudflare| cloudflare.names.values()).any(|name| name.ipv6)
}

/// Every record of the inventory at these addresses. One whose address is not known is left as it is.
pub fn wanted(lab: &Lab, v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>) -> Vec<Wanted> {
    let names = lab.cloudflare.iter().flat_map(|cloudflare| &cloudflare.names);
    let of_name = |(name, told): (&crate::inventory::scalar::Domain, &crate::inventory::CloudflareName)| {
        let record = |kind, content| Wanted { name: name.to_string(), kind, content, proxied: told.proxied, ttl: 1 };
        let v6 = v6.filter(|_| told.ipv6);
        [v4.map(|v4| record("A", v4.into())), v6.map(|v6| record("AAAA", v6.into()))]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    };
    names.flat_map(of_name).collect()
}

/// What one record needs, of those that are there. Of several the first is taken; the others are somebody's and stay.
pub fn change(wanted: Wanted, there: &[Record]) -> Change {
    let mut same = there.iter().filter(|record| record.name == wanted.name && record.kind == wanted.kind);
    let is_right = |record: &Record| record.content.parse() == Ok(wanted.content) && record.proxied == wanted.proxied;
    if same.clone().any(is_right) {
        return Change::Nothing(wanted);
    }
    match same.next() {
        Some(record) => Change::Update { record: record.clone(), to: wanted },
        None => Change::Create(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, kind: &str, content: &str, proxied: bool) -> Record {
        let [name, kind, content] = [name, kind, content].map(str::to_owned);
        Record { id: format!("{name}-{kind}"), name, kind, content, proxied }
    }

    fn www(content: &str) -> Wanted {
        let content: IpAddr = content.parse().unwrap();
        let kind = if content.is_ipv4() { "A" } else { "AAAA" };
        Wanted { name: "www.lab".to_owned(), kind, content, proxied: true, ttl: 1 }
    }

    #[test]
    fn what_is_right_is_left_and_what_is_not_is_changed_or_made() {
        let there = [record("www.lab", "A", "203.0.113.7", true), record("www.lab", "MX", "mail.lab", false)];
        assert_eq!(change(www("203.0.113.7"), &there), Change::Nothing(www("203.0.113.7")));
        let moved = change(www("203.0.113.8"), &there);
        assert_eq!(moved, Change::Update { record: there[0].clone(), to: www("203.0.113.8") });
        assert_eq!(change(www("2001:db8::7"), &there), Change::Create(www("2001:db8::7")));
        let unproxied = [record("www.lab", "A", "203.0.113.7", false)];
        assert!(matches!(change(www("203.0.113.7"), &unproxied), Change::Update { .. }));
    }

    #[test]
    fn of_several_records_one_that_is_right_is_enough() {
        let there = [record("www.lab", "A", "198.51.100.1", true), record("www.lab", "A", "203.0.113.7", true)];
        assert_eq!(change(www("203.0.113.7"), &there), Change::Nothing(www("203.0.113.7")));
    }

    #[test]
    fn an_address_is_compared_as_an_address() {
        let there = [record("www.lab", "AAAA", "2001:0db8:0:0::0007", true)];
        assert_eq!(change(www("2001:db8::7"), &there), Change::Nothing(www("2001:db8::7")));
    }
}
