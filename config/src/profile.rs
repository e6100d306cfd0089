//! The defaults of each profile, with the reason above each. An operator overrides any of them in the file.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::backend::{Balance, Observe, Queue};
use crate::model::frontend::{Keepalive, Profile, WhenNoServer};
use crate::words::CheckKind;

/// What a frontend is when nothing else is typed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrontendDefaults {
    pub(crate) max_connections: u32,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) half_close_timeout: Duration,
    pub(crate) keepalive: Keepalive,
    pub(crate) user_timeout: Duration,
    pub(crate) client_user_timeout: Duration,
    pub(crate) when_no_server: WhenNoServer,
}

/// What a backend is when nothing else is typed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BackendDefaults {
    pub(crate) balance: Balance,
    pub(crate) connect_timeout: Duration,
    pub(crate) check: CheckKind,
    pub(crate) interval: Duration,
    pub(crate) fast_interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) rise: u8,
    pub(crate) fall: u8,
}

/// Where clients wait for a server with room. A burst passes within some seconds; whoever waits longer had better be told, and a
/// queue that is longer than what the servers end in that time only makes everybody wait.
pub(crate) const QUEUE: Queue = Queue { length: 100, timeout: Duration::from_secs(5) };

/// A connection in a LAN opens in a millisecond: after this many nobody is near any more, and a second server costs the client less than what
/// is left of `connect_timeout`.
pub(crate) const HEDGE_AFTER: Duration = Duration::from_millis(250);

/// An agent speaks of load, which changes within seconds and not faster.
pub(crate) const AGENT_INTERVAL: Duration = Duration::from_secs(5);
/// It answers from memory.
pub(crate) const AGENT_TIMEOUT: Duration = Duration::from_secs(1);

/// What `observe = {}` means: more than an accident, in a time that a person would call "just now", and out for long enough that
/// somebody sees it.
pub(crate) const OBSERVE: Observe = Observe {
    failures: NonZeroU32::new(10).expect("10 is not 0"),
    within: Duration::from_secs(10),
    out_for: Duration::from_secs(30),
};

/// What a client or a proxy says first comes with its first packets. A lost one comes again after one second, and once more after three
/// (RFC 6298 §2); HAProxy's manual suggests five for the same.
pub(crate) const PREFACE_TIMEOUT: Duration = Duration::from_secs(5);

/// A flow has no end that could be seen. Longer than the keepalives that keep one open through NAT (WireGuard's 25 s, QUIC's 30 s), and what Envoy
/// and Sozu have; a query of DNS is over in a second.
pub(crate) const FLOW_IDLE: Duration = Duration::from_secs(60);

/// A connection that lasts is seen in the journal of each hour: one line among thousands, and a watch of a week is no secret.
pub(crate) const RECORD_EVERY: Duration = Duration::from_secs(3600);

/// The defaults of a frontend of `profile`.
pub(crate) const fn frontend(profile: Profile) -> FrontendDefaults {
    match profile {
        Profile::K8sApi => FrontendDefaults {
            // Kubelets, controllers and people hold some hundred watches; the room that is left keeps a runaway client from
            // taking the descriptors of the whole process, and `traefik-web` fills the rest: the Web cannot starve the API.
            max_connections: 2_000,
            // A watch, `kubectl exec` or `logs -f` may be silent for hours and must not be cut (kubernetes/kubeadm#2227).
            // Dead peers are found by keepalive instead.
            idle_timeout: None,
            // HTTP/2 has no use for a half-open connection; what still drains does so within this.
            half_close_timeout: Duration::from_secs(30),
            ..COMMON
        },
        Profile::TraefikWeb => FrontendDefaults {
            // Browsers and a CDN hold many idle connections; each costs little, and together with the API they fill the process.
            max_connections: 8_000,
            // Traefik ends an idle HTTP connection itself after 180 s. Longer than that, so that the side that knows HTTP
            // closes first and no request races with our end; WebSockets ping more often than this.
            idle_timeout: Some(Duration::from_secs(5 * 60)),
            // A client that sent all and closed may still be downloading; a minute without an end is a lost one.
            half_close_timeout: Duration::from_secs(60),
            ..COMMON
        },
        Profile::Tcp => FrontendDefaults {
            max_connections: 2_000,
            // Nothing is known of the protocol. An hour is longer than connection pools keep a connection (30 minutes is
            // usual), and still ends what a live but forgetful client leaks. Envoy's choice too.
            idle_timeout: Some(Duration::from_secs(3600)),
            // `send all, close, then read the answer` is a protocol of its own, and the answer may be long in coming.
            half_close_timeout: Duration::from_secs(5 * 60),
            ..COMMON
        },
    }
}

/// What the profiles share.
const COMMON: FrontendDefaults = FrontendDefaults {
    max_connections: 2_000,
    idle_timeout: None,
    half_close_timeout: Duration::from_secs(60),
    // A peer that vanished without a word is found in one minute, while an idle connection costs two packets in 30 s. Below
    // the 5 minutes after which common NAT routers forget a connection.
    keepalive: Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), count: 3 },
    // Unacknowledged data for 30 s: the kernel would go on for 15 minutes (kubernetes/kubernetes#44557). Servers read what they
    // asked for, so a window closed that long is a server that hangs.
    user_timeout: Duration::from_secs(30),
    // A living client that reads no further, as behind a pager, looks the same to the kernel as a dead one; it gets the time
    // that the kernel itself would take (net.ipv4.tcp_retries2).
    client_user_timeout: Duration::from_secs(15 * 60),
    // A client that is refused tries again; an end of stream could be read as an empty but complete answer.
    when_no_server: WhenNoServer::Reset,
};

/// The defaults of a backend of `profile`.
pub(crate) const fn backend(profile: Profile) -> BackendDefaults {
    match profile {
        // Watches live for hours: in turn, a master that came back would stay empty until they end.
        // The ladder never leaves `TLS handshake error: EOF` in the API server's log.
        Profile::K8sApi => {
            BackendDefaults { balance: Balance::LeastConnections, check: CheckKind::K3sApi, ..BACKEND_COMMON }
        }
        // Short exchanges: the fewest connections would pour everything on a worker that came back, or on one that accepts
        // and breaks at once. A port check, because what lies behind it is Traefik's to know.
        Profile::TraefikWeb => {
            BackendDefaults { balance: Balance::RoundRobin, check: CheckKind::Tcp, ..BACKEND_COMMON }
        }
        // Unknown protocols behind a plain TCP frontend are mostly databases and queues: long-lived.
        Profile::Tcp => BackendDefaults { balance: Balance::LeastConnections, check: CheckKind::Tcp, ..BACKEND_COMMON },
    }
}

/// What the profiles share.
const BACKEND_COMMON: BackendDefaults = BackendDefaults {
    balance: Balance::LeastConnections,
    // Two silent servers in a row still cost a new client under a second. A connection in a LAN opens in a millisecond, and
    // waiting for the first retransmission of a SYN (1 s, RFC 6298 §2) would be too late for that.
    connect_timeout: Duration::from_millis(400),
    check: CheckKind::Tcp,
    // A settled server costs half a probe a second; with the two below a dead one is out after 2 s + 3 x 1 s + 2 x 0.3 s at
    // the worst (jitter aside), and a failed connection of a client asks at once.
    interval: Duration::from_secs(2),
    fast_interval: Duration::from_millis(300),
    // An API server under load answers late; later than this it is of no use to a new client.
    timeout: Duration::from_secs(1),
    // One lucky answer is not a recovery, and one lost packet is not a death.
    rise: 2,
    fall: 3,
};

/// A resolver is not asked more often for one name, whatever it says.
pub(crate) const MIN_TTL: Duration = Duration::from_secs(5);

/// A server that moved is found after this long, whatever was said before.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(300);

/// All relays of the process. Each needs up to six descriptors and, busy, its buffers: what 512 MB carry with room to spare.
pub(crate) const MAX_CONNECTIONS: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span_of_time::format as span;
    use crate::words::{self, word};

    const PAGE: &str = include_str!("../../docs/reference/configuration.md");
    const PROFILES: [Profile; 3] = [Profile::K8sApi, Profile::TraefikWeb, Profile::Tcp];

    fn row(key: &str, value: impl Fn(FrontendDefaults, BackendDefaults) -> String) -> String {
        let values = PROFILES.map(|profile| value(frontend(profile), backend(profile)));
        format!("\n| `{key}` | {} |\n", values.join(" | "))
    }

    #[test]
    fn the_reference_page_shows_the_profiles_as_they_are() {
        for row in [
            row("max_connections", |frontend, _| frontend.max_connections.to_string()),
            row("idle_timeout", |frontend, _| frontend.idle_timeout.map_or("never".to_owned(), span)),
            row("half_close_timeout", |frontend, _| span(frontend.half_close_timeout)),
            row("balance", |_, backend| word(words::BALANCE, backend.balance).to_owned()),
            row("check.type", |_, backend| word(words::CHECK_KIND, backend.check).to_owned()),
        ] {
            assert!(PAGE.contains(&row), "the page has no row {row}");
        }
    }

    #[test]
    fn the_reference_page_shows_the_defaults_that_profiles_share() {
        for profile in PROFILES {
            let (frontend, backend) = (frontend(profile), backend(profile));
            for (key, default) in [
                ("user_timeout", span(frontend.user_timeout)),
                ("client_user_timeout", span(frontend.client_user_timeout)),
                ("idle", span(frontend.keepalive.idle)),
                ("interval", span(frontend.keepalive.interval)),
                ("connect_timeout", span(backend.connect_timeout)),
                ("interval", span(backend.interval)),
                ("fast_interval", span(backend.fast_interval)),
                ("timeout", span(backend.timeout)),
            ] {
                assert!(PAGE.contains(&format!("\n| `{key}` | `\"{default}\"`")), "{key} is not {default} on the page");
            }
            let count = frontend.keepalive.count;
            assert!(PAGE.contains(&format!("\n| `count` | `{count}` |")), "count is not {count} on the page");
        }
        assert!(PAGE.contains(&format!("\n| `max_connections` | `{MAX_CONNECTIONS}` |")));
        assert!(PAGE.contains(&format!("\n| `hedge_after` | `\"{}\"` |", span(HEDGE_AFTER))));
    }
}
