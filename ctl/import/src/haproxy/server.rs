//! A `server` line (configuration.txt 5.2): its address and its options, above those of `default-server`.

use std::time::Duration;

use super::milliseconds;
use super::section::Statement;
use crate::ledger::{At, Fate};

/// A server, with what `default-server` said before it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) at: At,
    pub(crate) name: String,
    /// As typed.
    pub(crate) address: String,
    pub(crate) options: Options,
}

/// Options of a server; `None`: not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) check: bool,
    pub(crate) check_ssl: bool,
    pub(crate) check_sni: Option<String>,
    pub(crate) backup: bool,
    pub(crate) disabled: bool,
    pub(crate) weight: Option<u16>,
    pub(crate) max_connections: Option<u32>,
    pub(crate) interval: Option<Duration>,
    pub(crate) fast_interval: Option<Duration>,
    pub(crate) rise: Option<u8>,
    pub(crate) fall: Option<u8>,
    pub(crate) check_port: Option<u16>,
    pub(crate) check_address: Option<String>,
    pub(crate) agent: bool,
    pub(crate) agent_port: Option<u16>,
    pub(crate) agent_interval: Option<Duration>,
    pub(crate) slow_start: Option<Duration>,
    pub(crate) observe: bool,
    pub(crate) error_limit: Option<u32>,
    pub(crate) proxy_protocol: Option<u8>,
    pub(crate) track: Option<String>,
    /// What cannot be as it says, in words.
    pub(crate) remarks: Vec<(Fate, String)>,
}

impl Options {
    /// Reads the words from `index` on over what is there.
    pub(crate) fn read(&mut self, statement: &Statement, index: usize) {
        let mut words = statement.from(index).iter().map(String::as_str);
        while let Some(word) = words.next() {
            self.one(word, &mut words);
        }
    }

    fn remark(&mut self, fate: Fate, words: impl Into<String>) {
        let remark = (fate, words.into());
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    fn one(&mut self, word: &str, rest: &mut dyn Iterator<Item = &str>) {
        match word {
            "check" => self.check = true,
            "no-check" => self.check = false,
            "check-ssl" => self.check_ssl = true,
            "no-check-ssl" => self.check_ssl = false,
            "backup" => self.backup = true,
            "no-backup" => self.backup = false,
            "disabled" => self.disabled = true,
            "enabled" => self.disabled = false,
            "agent-check" => self.agent = true,
            "no-agent-check" => self.agent = false,
            "send-proxy" => self.proxy_protocol = Some(1),
            "send-proxy-v2" => self.proxy_protocol = Some(2),
            "no-send-proxy" | "no-send-proxy-v2" => self.proxy_protocol = None,
            "weight" => self.weight = self.number(word, rest),
            "maxconn" => self.max_connections = self.number(word, rest).filter(|limit| *limit > 0),
            "rise" => self.rise = self.number(word, rest),
            "fall" => self.fall = self.number(word, rest),
            "port" => self.check_port = self.number(word, rest),
            "agent-port" => self.agent_port = self.number(word, rest),
            "error-limit" => self.error_limit = self.number(word, rest),
            "inter" => self.interval = self.span(word, rest),
            "fastinter" => self.fast_interval = self.span(word, rest),
            "agent-inter" => self.agent_interval = self.span(word, rest),
            "slowstart" => self.slow_start = self.span(word, rest),
            "addr" => self.check_address = rest.next().map(str::to_owned),
            "check-sni" => self.check_sni = rest.next().map(str::to_owned),
            "track" => self.track = rest.next().map(str::to_owned),
            "observe" => self.observe(rest.next().unwrap_or_default()),
            _ => self.without_place(word, rest),
        }
    }

    fn observe(&mut self, what: &str) {
        match what {
            "layer4" => self.observe = true,
            other => self.remark(Fate::Dropped, format!("observe {other} looks at HTTP")),
        }
    }

    /// Options that have no word of their own here.
    fn without_place(&mut self, word: &str, rest: &mut dyn Iterator<Item = &str>) {
        let told = match word {
            "ssl" | "no-ssl" => (0, Fate::Refused, "TLS to a server is the client's: nothing is encrypted here"),
            "verify" | "ca-file" | "crt" | "sni" | "verifyhost" | "ciphers" | "alpn" | "ssl-min-ver"
            | "ssl-max-ver" | "crl-file" | "ca-verify-file" | "check-alpn" | "npn" | "ciphersuites" | "curves" => (
                1,
                Fate::Dropped,
                "says how TLS is spoken to the server; only checks speak TLS here, with any certificate",
            ),
            "downinter" => (1, Fate::Dropped, "a server that is down is asked at the interval"),
            "on-marked-down" => {
                (1, Fate::Changed, "relays to a server that is gone are reset; a failing check alone cuts nothing")
            }
            "on-marked-up" => {
                (1, Fate::Dropped, "a backup keeps the connections it has; nothing is cut when the others return")
            }
            "on-error" => (1, Fate::Changed, "a failure asks for a check at once; `observe` puts a server out"),
            "send-proxy-v2-ssl" | "send-proxy-v2-ssl-cn" => {
                self.proxy_protocol = Some(2);
                (0, Fate::Changed, "version 2 without the TLS fields: TLS is not ended here")
            }
            "proxy-v2-options" | "set-proxy-v2-tlv-fmt" => {
                (1, Fate::Dropped, "the header says who the client is, and no more")
            }
            "check-send-proxy" => (0, Fate::Dropped, "checks send no PROXY header"),
            "check-proto" | "proto" => (1, Fate::Dropped, "is of HTTP"),
            "cookie" | "ws" => (1, Fate::Dropped, "is of HTTP"),
            "minconn" => (1, Fate::Dropped, "servers have one limit: max_connections"),
            "maxqueue" => (1, Fate::Dropped, "the queue is the backend's: `queue`"),
            "source" => (
                1,
                Fate::Changed,
                "the kernel chooses the address by the route to the server; both nodes have the same file",
            ),
            "usesrc" => (
                1,
                Fate::Refused,
                "servers see this node's address: tell them the client's with `proxy_protocol = \"v2\"`",
            ),
            "interface" => (1, Fate::Refused, "connections to servers follow the routes"),
            "resolvers" | "resolve-prefer" | "resolve-opts" | "resolve-net" | "init-addr" | "init-state"
            | "hash-key" | "id" | "guid" | "log-proto" | "tcp-ut" | "namespace" | "error-page" | "agent-addr"
            | "pool-max-conn" | "pool-purge-delay" | "pool-low-conn" | "max-reuse" | "shard" | "cc" => (
                1,
                Fate::Dropped,
                "has no place here; servers are addresses, and silent ones are reset (`user_timeout`)",
            ),
            "agent-send" => (1, Fate::Dropped, "an agent is sent nothing"),
            "redir" => (1, Fate::Dropped, "is of HTTP"),
            "socks4" => (1, Fate::Refused, "servers are reached directly"),
            "tfo" | "non-stick" | "stick" | "no-tfo" | "check-via-socks4" | "allow-0rtt" | "no-verifyhost"
            | "no-sslv3" | "no-tlsv10" | "no-tlsv11" | "no-tlsv12" | "no-tlsv13" | "no-ssl-reuse" | "force-tlsv12"
            | "force-tlsv13" | "force-sslv3" | "force-tlsv10" | "force-tlsv11" | "no-tls-tickets"
            | "check-reuse-pool" => (0, Fate::Dropped, "has no effect on who gets a connection"),
            _ => return self.remark(Fate::Refused, format!("{word} is no option of a server that this import knows")),
        };
        let (arguments, fate, words) = told;
        for _ in 0..arguments {
            rest.next();
        }
        self.remark(fate, format!("{word}: {words}"));
    }

    fn number<N: std::str::FromStr>(&mut self, word: &str, rest: &mut dyn Iterator<Item = &str>) -> Option<N> {
        let text = rest.next().unwrap_or_default();
        let number = text.parse().ok();
        if number.is_none() {
            self.remark(Fate::Refused, format!("{word} {text:?} is no number in its range"));
        }
        number
    }

    fn span(&mut self, word: &str, rest: &mut dyn Iterator<Item = &str>) -> Option<Duration> {
        let text = rest.next().unwrap_or_default();
        let span = milliseconds(text);
        if span.is_none() {
            self.remark(Fate::Refused, format!("{word} {text:?} is no time"));
        }
        span
    }
}

/// The server of a `server` line.
pub(super) fn read(statement: &Statement, defaults: &Options) -> Server {
    let mut options = Options { remarks: Vec::new(), ..defaults.clone() };
    options.read(statement, 3);
    let (name, address) = (statement.word(1).to_owned(), statement.word(2).to_owned());
    Server { at: statement.at, name, address, options }
}
