//! The tables of the file and their keys: the whole vocabulary, in one place.

/// One table of the file.
#[derive(Debug)]
pub(crate) struct Shape {
    /// As an operator writes it; `NAME` stands for a name of his own.
    pub(crate) name: &'static str,
    /// Every key it may have.
    pub(crate) keys: &'static [&'static str],
}

pub(crate) static ROOT: Shape = Shape {
    name: "the file",
    keys: &["nodes", "election", "vips", "frontends", "backends", "dns", "pair", "admin", "limits"],
};

pub(crate) static NODE: Shape = Shape { name: "nodes.NAME", keys: &["address", "interface", "other_addresses"] };

pub(crate) static ELECTION: Shape = Shape {
    name: "election",
    keys: &[
        "profile",
        "advertisement_interval",
        "failback",
        "priority",
        "checksum",
        "password",
        "transport",
        "auth_hmac",
    ],
};

pub(crate) static AUTH_HMAC: Shape = Shape { name: "election.auth_hmac", keys: &["key_file", "mode"] };

pub(crate) static VIP: Shape =
    Shape { name: "vips.NAME", keys: &["address", "virtual_router_id", "virtual_mac", "follows", "interface"] };

pub(crate) static FRONTEND: Shape = Shape {
    name: "frontends.NAME",
    keys: &[
        "vip",
        "protocol",
        "port",
        "ports",
        "profile",
        "allow",
        "accept_proxy",
        "preface_timeout",
        "routes",
        "backend",
        "max_connections",
        "max_per_second",
        "per_source",
        "bandwidth",
        "bandwidth_per_connection",
        "flow_idle",
        "idle_timeout",
        "max_age",
        "record_every",
        "half_close_timeout",
        "keepalive",
        "user_timeout",
        "client_user_timeout",
        "when_no_server",
    ],
};

pub(crate) static KEEPALIVE: Shape = Shape { name: "frontends.NAME.keepalive", keys: &["idle", "interval", "count"] };

pub(crate) static ROUTE: Shape =
    Shape { name: "frontends.NAME.routes", keys: &["server_names", "alpn", "sources", "backend"] };

pub(crate) static PER_SOURCE: Shape =
    Shape { name: "frontends.NAME.per_source", keys: &["max_connections", "max_per_second", "exempt"] };

pub(crate) static BACKEND: Shape = Shape {
    name: "backends.NAME",
    keys: &[
        "profile",
        "servers",
        "balance",
        "proxy_protocol",
        "connect_timeout",
        "hedge_after",
        "attempts",
        "slow_start",
        "queue",
        "queue_timeout",
        "observe",
        "agent",
        "check",
    ],
};

pub(crate) static AGENT: Shape = Shape { name: "backends.NAME.agent", keys: &["port", "interval", "timeout"] };

pub(crate) static OBSERVE: Shape = Shape { name: "backends.NAME.observe", keys: &["failures", "within", "out_for"] };

pub(crate) static SERVER: Shape = Shape {
    name: "backends.NAME.servers.NAME",
    keys: &["address", "records", "port", "weight", "max_connections", "backup", "check_address"],
};

pub(crate) static CHECK: Shape = Shape {
    name: "backends.NAME.check",
    keys: &[
        "track",
        "type",
        "port",
        "path",
        "expect",
        "server_name",
        "ca_file",
        "token_file",
        "client_cert_file",
        "client_key_file",
        "send",
        "send_hex",
        "reply",
        "reply_hex",
        "command",
        "interval",
        "fast_interval",
        "timeout",
        "rise",
        "fall",
    ],
};

pub(crate) static DNS: Shape = Shape { name: "dns", keys: &["resolvers", "min_ttl", "max_ttl", "hold"] };

pub(crate) static PAIR: Shape = Shape { name: "pair", keys: &["port", "key_file"] };

pub(crate) static ADMIN: Shape = Shape { name: "admin", keys: &["listen", "allow", "remote"] };

pub(crate) static ADMIN_REMOTE: Shape =
    Shape { name: "admin.remote", keys: &["listen", "cert_file", "key_file", "token_file", "client_ca_file", "allow"] };

pub(crate) static LIMITS: Shape =
    Shape { name: "limits", keys: &["max_connections", "max_memory_mib", "check_commands"] };

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../../docs/reference/configuration.md");
    const TABLES: [&Shape; 18] = [
        &ROOT,
        &NODE,
        &ELECTION,
        &VIP,
        &FRONTEND,
        &KEEPALIVE,
        &PER_SOURCE,
        &ROUTE,
        &BACKEND,
        &OBSERVE,
        &AGENT,
        &SERVER,
        &CHECK,
        &DNS,
        &PAIR,
        &ADMIN,
        &ADMIN_REMOTE,
        &LIMITS,
    ];

    /// The part of the page under a table's own heading.
    fn section(name: &str) -> &'static str {
        let heading = format!("## `{name}`\n");
        let (_, rest) = PAGE.split_once(&heading).unwrap_or_else(|| panic!("the page has no heading `{name}`"));
        rest.split("\n## ").next().unwrap()
    }

    #[test]
    fn the_reference_page_names_each_key_under_its_table() {
        for table in TABLES {
            for key in table.keys {
                let row = format!("\n| `{key}` |");
                assert!(section(table.name).contains(&row), "{} has no row for {key}", table.name);
            }
        }
    }

    #[test]
    fn the_reference_page_names_no_key_that_does_not_exist() {
        for table in TABLES {
            let rows = section(table.name).lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
            for row in rows {
                assert!(table.keys.contains(&row), "{} has no key {row}", table.name);
            }
        }
    }

    #[test]
    fn the_reference_page_names_every_rule() {
        for code in crate::diagnostic::Code::ALL {
            assert!(PAGE.contains(&format!("`{}`", code.as_str())), "{}", code.as_str());
        }
    }
}
