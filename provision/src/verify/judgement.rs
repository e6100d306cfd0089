//! What was seen, held against what must be so.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Reach, What};

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// What became of a connection.
    Port(Port),
    /// The hardware addresses that answered for an address; `true`: this machine has it itself.
    Owners(Vec<String>, bool),
    /// The addresses of a name.
    Addresses(Vec<Ipv4Addr>),
    /// The names of an address, without the dot at the end.
    Names(Vec<String>),
    /// How far this machine's clock is from the server's, and whether it says that it has the time.
    Clock {
        /// Either way.
        offset: Duration,
        /// Its stratum is known (RFC 5905 §7.3).
        synchronised: bool,
    },
    /// The next hop of this machine's route, if there is one.
    Route(Option<Ipv4Addr>),
    /// The handshake was good.
    Trusted,
    /// How long a certificate is good.
    Lifetime(Lifetime),
    /// Whether a directory is shown.
    Export(bool),
    /// Whether a password was asked for.
    Database(bool),
    /// The question was answered by an error, or by nobody.
    Failed(String),
    /// The question could not be asked.
    Unasked(String),
}

/// What became of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// It was made, and stayed.
    Served,
    /// It was made, and closed at once.
    Closed,
    /// The other side answered with a reset.
    Refused,
    /// Nothing came back in time.
    Silent,
    /// The network says that nobody can be reached there.
    Unreachable(String),
}

/// How long a certificate is good; negative times are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Since when.
    pub age: Option<Duration>,
    /// For how long it is still good.
    pub left: Option<Duration>,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it is so.
    pub verdict: Verdict,
    /// What must be so, in words.
    pub expected: String,
    /// What was seen, in words.
    pub found: String,
}

/// Whether it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    True,
    /// It is not.
    False,
    /// It could not be judged from here.
    Unjudged,
}

/// A clock further off is wrong: tokens and certificates of the cluster are off by less (etcd warns at one second).
const CLOCK_OFF: Duration = Duration::from_millis(500);

/// A certificate with less left is not being renewed: ACME clients and K3s do it with weeks to spare.
const LEFT: Duration = Duration::from_secs(14 * DAY);
const DAY: u64 = 86_400;

/// Whether what was seen is what must be so.
pub fn judge(what: &What, seen: &Seen) -> Judgement {
    let verdict = match seen {
        Seen::Unasked(_) => Verdict::Unjudged,
        _ if holds(what, seen) => Verdict::True,
        _ => Verdict::False,
    };
    Judgement { verdict, expected: expected(what), found: found(what, seen) }
}

fn holds(what: &What, seen: &Seen) -> bool {
    match (what, seen) {
        (What::Port { reach, .. }, Seen::Port(port)) => match reach {
            Reach::Open => *port == Port::Served,
            Reach::Shut => matches!(port, Port::Silent | Port::Unreachable(_)),
            Reach::NotOffered => *port != Port::Served,
        },
        (What::Owner { balancers, .. }, Seen::Owners(heard, own)) => match (&heard[..], own) {
            ([one], false) => balancers.iter().any(|(mac, _)| mac == one),
            ([], true) => true,
            _ => false,
        },
        (What::Name { address, .. }, Seen::Addresses(found)) => found[..] == [*address],
        (What::Reverse { name, .. }, Seen::Names(found)) => found[..] == [name.clone()],
        (What::Clock { .. }, Seen::Clock { offset, synchronised }) => *synchronised && *offset <= CLOCK_OFF,
        (What::Route { via, .. }, Seen::Route(found)) => *found == Some(*via),
        (What::Api { .. }, Seen::Trusted) => true,
        (What::Certificate { .. }, Seen::Lifetime(it)) => it.age.is_some() && it.left.is_some_and(|left| left >= LEFT),
        (What::Export { shown, .. }, Seen::Export(found)) => shown == found,
        (What::Database { let_in, .. }, Seen::Database(found)) => let_in == found,
        // Whom an export is not for may be turned away before anything is said of it.
        (What::Export { shown: false, .. } | What::Database { let_in: false, .. }, Seen::Failed(_)) => true,
        _ => false,
    }
}

fn expected(what: &What) -> String {
    match what {
        What::Port { reach: Reach::Open, .. } => "open".to_owned(),
        What::Port { reach: Reach::Shut, .. } => "shut".to_owned(),
        What::Port { reach: Reach::NotOffered, .. } => "not offered".to_owned(),
        What::Owner { balancers, .. } => {
            let names: Vec<_> = balancers.iter().map(|(_, name)| name.to_string()).collect();
            format!("held by one of {}", names.join(", "))
        }
        What::Name { address, .. } => address.to_string(),
        What::Reverse { name, .. } => name.clone(),
        What::Clock { .. } => format!("within {} ms", CLOCK_OFF.as_millis()),
        What::Route { via, .. } => format!("via {via}"),
        What::Api { .. } => "a certificate of the cluster's CA".to_owned(),
        What::Certificate { .. } => format!("good for {} days", LEFT.as_secs() / DAY),
        What::Export { shown: true, .. } => "shown".to_owned(),
        What::Export { shown: false, .. } => "hidden".to_owned(),
        What::Database { let_in: true, .. } => "asks for the password".to_owned(),
        What::Database { let_in: false, .. } => "turned away".to_owned(),
    }
}

fn found(what: &What, seen: &Seen) -> String {
    match seen {
        Seen::Port(port) => port.to_string(),
        Seen::Owners(heard, own) => owners(what, heard, *own),
        Seen::Addresses(found) => listed(found, "no such name"),
        Seen::Names(found) => listed(found, "no name"),
        Seen::Clock { offset, synchronised: true } => format!("{} ms off", offset.as_millis()),
        Seen::Clock { synchronised: false, .. } => "it says that it has no time itself".to_owned(),
        Seen::Route(Some(via)) => format!("via {via}"),
        Seen::Route(None) => "no route".to_owned(),
        Seen::Trusted => "a certificate of the cluster's CA".to_owned(),
        Seen::Lifetime(Lifetime { age: None, .. }) => "not good yet: is this machine's clock right?".to_owned(),
        Seen::Lifetime(Lifetime { left: None, .. }) => "expired".to_owned(),
        Seen::Lifetime(Lifetime { age: Some(age), left: Some(left) }) => {
            format!("{} days old, good for {} more", age.as_secs() / DAY, left.as_secs() / DAY)
        }
        Seen::Export(true) => "shown".to_owned(),
        Seen::Export(false) => "hidden".to_owned(),
        Seen::Database(true) => "asks for the password".to_owned(),
        Seen::Database(false) => "turned away".to_owned(),
        Seen::Failed(why) | Seen::Unasked(why) => why.clone(),
    }
}

fn owners(what: &What, heard: &[String], own: bool) -> String {
    let What::Owner { balancers, .. } = what else { return heard.join(", ") };
    let name = |mac: &String| match balancers.iter().find(|(known, _)| known == mac) {
        Some((_, name)) => name.to_string(),
        None => format!("{mac}, which is no balancer"),
    };
    let names: Vec<_> = own.then(|| "this machine".to_owned()).into_iter().chain(heard.iter().map(name)).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(" and ") }
}

fn listed<T: ToString>(items: &[T], none: &str) -> String {
    let items: Vec<_> = items.iter().map(T::to_string).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Served => f.write_str("open"),
            Self::Closed => f.write_str("accepted, and closed at once"),
            Self::Refused => f.write_str("refused: the way is open, nobody listens"),
            Self::Silent => f.write_str("nothing comes back"),
            Self::Unreachable(why) => f.write_str(why),
        }
    }
}
