//! What one probe found: a shape that counts, and words that a person reads.

use std::fmt;
use std::time::Duration;

/// What one probe of one server found, over all of its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What counts for the verdict.
    pub finding: Finding,
    /// From the first SYN to the answer that decided; of several ports the slowest.
    pub latency: Duration,
    /// A TCP handshake completed on at least one port. Fail-open sends clients to servers that fail their check but
    /// accept; it is *any* port, because the others may work although one does not.
    pub accepted: bool,
    /// Its host says that nothing listens there, on every port: a connection to it has nobody at its other end.
    /// Silence is not this: a busy server and a lost packet look the same.
    pub gone: bool,
    /// What happened, as an operator would say it: `connection refused`, `HTTP 503 from /readyz`.
    pub detail: String,
    /// How far the K3s ladder got; `None` for other kinds, and when no rung was reached.
    pub rung: Option<Rung>,
}

/// What a probe says about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// It answered as it should.
    Pass,
    /// It did not, and this is how.
    Fail(Failure),
    /// Nothing: the fault is on this node (no descriptors, an unreadable file, a paused machine). Keeps every verdict,
    /// so that a node in trouble does not declare all servers dead.
    Inconclusive,
}

/// How a server failed, by the layer that gave the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The host answers; nothing listens on the port.
    Refused,
    /// No way to the host: the router or this node's own tables said so.
    Unreachable,
    /// No answer by the deadline.
    Timeout,
    /// The connection was accepted, then reset.
    Reset,
    /// TCP works, the TLS handshake does not.
    Tls,
    /// TCP, and TLS where asked for, work; the HTTP answer is not the expected one, or is none.
    Http,
    /// The connection works; what came over it is not what is awaited.
    Reply,
    /// No probe found it: clients did.
    Clients,
}

/// The rungs of the K3s ladder, strongest proof first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// `/readyz` with a bearer token or a client certificate: the API server itself says that it is ready.
    Readyz,
    /// `/ping` without credentials: K3s answers.
    Ping,
    /// TLS completed and some HTTP status came, whichever: a server of HTTP is alive there.
    AnyStatus,
}

impl Outcome {
    /// What clients have found, and no probe.
    pub(crate) fn of_clients(detail: String) -> Self {
        let finding = Finding::Fail(Failure::Clients);
        Self { finding, latency: Duration::ZERO, accepted: true, gone: false, detail, rung: None }
    }

    /// Whether the server did what was asked of it.
    pub fn passed(&self) -> bool {
        self.finding == Finding::Pass
    }

    /// One outcome for a server from those of its ports: all must pass, and the first port that fails speaks for it.
    /// `None` when there is no port.
    pub fn of_all_ports(ports: Vec<(u16, Outcome)>) -> Option<Self> {
        let accepted = ports.iter().any(|(_, outcome)| outcome.accepted);
        let gone = ports.iter().all(|(_, outcome)| outcome.gone);
        let latency = ports.iter().map(|(_, outcome)| outcome.latency).max()?;
        let rung = ports.iter().filter_map(|(_, outcome)| outcome.rung).max();
        let several = ports.len() > 1;
        let (port, spokesman) = ports.into_iter().min_by_key(|(_, outcome)| outcome.finding.gravest_first())?;
        let detail = match several {
            true if spokesman.passed() => format!("{} (every port)", spokesman.detail),
            true => format!("port {port}: {}", spokesman.detail),
            false => spokesman.detail,
        };
        Some(Self { finding: spokesman.finding, latency, accepted, gone, detail, rung })
    }
}

impl Finding {
    /// Orders findings so that the one that must speak for several ports is the least.
    fn gravest_first(self) -> u8 {
        match self {
            Self::Fail(_) => 0,
            Self::Inconclusive => 1,
            Self::Pass => 2,
        }
    }

    /// One word from a closed set, for metric labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(failure) => failure.as_str(),
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl Failure {
    /// One word from a closed set, for metric labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Reply => "reply",
            Self::Clients => "clients",
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Readyz => "/readyz with credentials",
            Self::Ping => "/ping",
            Self::AnyStatus => "TLS and any HTTP status",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(finding: Finding, millis: u64, accepted: bool, detail: &str) -> Outcome {
        Outcome {
            finding,
            latency: Duration::from_millis(millis),
            accepted,
            gone: false,
            detail: detail.to_owned(),
            rung: None,
        }
    }

    #[test]
    fn one_failing_port_fails_the_server_and_is_named() {
        let web = outcome(Finding::Pass, 3, true, "connected");
        let tls = outcome(Finding::Fail(Failure::Refused), 1, false, "connection refused");
        let server = Outcome::of_all_ports(vec![(80, web), (443, tls)]).unwrap();
        assert_eq!(server.finding, Finding::Fail(Failure::Refused));
        assert_eq!(server.detail, "port 443: connection refused");
        assert_eq!((server.latency, server.accepted), (Duration::from_millis(3), true));
    }

    #[test]
    fn a_server_is_absent_only_when_every_port_is() {
        let absent = Outcome { gone: true, ..outcome(Finding::Fail(Failure::Refused), 1, false, "connection refused") };
        let web = outcome(Finding::Pass, 3, true, "connected");
        assert!(Outcome::of_all_ports(vec![(80, absent.clone()), (443, absent.clone())]).unwrap().gone);
        assert!(!Outcome::of_all_ports(vec![(80, web), (443, absent)]).unwrap().gone);
    }

    #[test]
    fn a_failure_outweighs_a_port_that_could_not_be_asked() {
        let unasked = outcome(Finding::Inconclusive, 0, false, "no descriptors");
        let silent = outcome(Finding::Fail(Failure::Timeout), 9, false, "no answer within 9ms");
        let pass = outcome(Finding::Pass, 1, true, "connected");
        let both = Outcome::of_all_ports(vec![(80, unasked.clone()), (443, silent)]).unwrap();
        assert_eq!(both.finding, Finding::Fail(Failure::Timeout));
        let one = Outcome::of_all_ports(vec![(80, pass), (443, unasked)]).unwrap();
        assert_eq!(one.finding, Finding::Inconclusive);
    }

    #[test]
    fn several_ports_pass_together_and_keep_the_weakest_rung() {
        let ready = Outcome { rung: Some(Rung::Readyz), ..outcome(Finding::Pass, 1, true, "HTTP 200 from /readyz") };
        let ping = Outcome { rung: Some(Rung::Ping), ..outcome(Finding::Pass, 2, true, "HTTP 200 from /ping") };
        let server = Outcome::of_all_ports(vec![(6443, ready), (6444, ping)]).unwrap();
        assert_eq!((server.passed(), server.rung), (true, Some(Rung::Ping)));
        assert_eq!(server.detail, "HTTP 200 from /readyz (every port)");
    }

    #[test]
    fn a_single_port_speaks_for_itself_and_no_port_says_nothing() {
        let pass = outcome(Finding::Pass, 1, true, "connected");
        assert_eq!(Outcome::of_all_ports(vec![(80, pass.clone())]), Some(pass));
        assert_eq!(Outcome::of_all_ports(Vec::new()), None);
    }
}
