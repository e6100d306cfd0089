//! What becomes of a keyword whatever it says, where that is so.

use crate::ledger::Fate;

/// Words that say something about HTTP, so that nothing of them acts in `mode tcp`. For `*` see [`says`].
const HTTP: [&str; 44] = [
    "option http-server-close",
    "option httpclose",
    "option forceclose",
    "option http-keep-alive",
    "option forwardfor",
    "option forwarded",
    "option originalto",
    "option httplog",
    "option httpslog",
    "option http-*",
    "option accept-*",
    "option h1-*",
    "option h2-*",
    "option disable-h2-upgrade",
    "option checkcache",
    "errorfile",
    "errorfiles",
    "errorloc*",
    "http-request",
    "http-response",
    "http-after-response",
    "http-reuse",
    "http-error",
    "http-send-name-header",
    "cookie",
    "capture",
    "compression",
    "timeout http-request",
    "timeout http-keep-alive",
    "timeout tarpit",
    "redirect",
    "monitor-uri",
    "monitor-net",
    "monitor",
    "req*",
    "rsp*",
    "appsession",
    "filter",
    "max-keep-alive-queue",
    "unique-id-format",
    "unique-id-header",
    "option ignore-persist",
    "force-persist",
    "ignore-persist",
];

/// Words that act in `mode tcp`, and what stands in their place here.
const TCP: [(&str, Fate, &str); 49] = [
    ("log", Fate::Dropped, "each connection is one line in the journal, with who ended it"),
    ("no log", Fate::Dropped, "each connection is one line in the journal"),
    ("option tcplog", Fate::Dropped, "each connection is one line in the journal, with who ended it"),
    ("option dontlog*", Fate::Dropped, "logging has no such choice; health checks of others are one quiet line each"),
    (
        "option logasap",
        Fate::Dropped,
        "a connection is logged at its end, and seen before it with `fmc-lbctl sessions`",
    ),
    ("option log-*", Fate::Dropped, "each connection is one line in the journal; changes of health are events"),
    ("log-format*", Fate::Dropped, "fields of the journal have names, and no format"),
    ("log-tag", Fate::Dropped, "the journal knows the unit"),
    ("error-log-format", Fate::Dropped, "fields of the journal have names, and no format"),
    ("option tcpka", Fate::Kept, "TCP keepalive is on, on both sides (`keepalive` of a frontend)"),
    ("option clitcpka", Fate::Kept, "TCP keepalive is on, on both sides (`keepalive` of a frontend)"),
    ("option srvtcpka", Fate::Kept, "TCP keepalive is on, on both sides (`keepalive` of a frontend)"),
    ("clitcpka-*", Fate::Changed, "30 s, then each 10 s, three times; say otherwise in `keepalive` of the frontend"),
    ("srvtcpka-*", Fate::Changed, "30 s, then each 10 s, three times; say otherwise in `keepalive` of the frontend"),
    ("option splice-*", Fate::Kept, "long streams are spliced in the kernel in any case"),
    ("option nolinger", Fate::Dropped, "ends are passed on as they came: a close as a close, a reset as a reset"),
    ("option tcp-smart-*", Fate::Dropped, "HAProxy's choice of packets at either end of a connection"),
    ("option contstats", Fate::Kept, "counters run while connections do"),
    ("option socket-stats", Fate::Kept, "counters are per port in any case"),
    ("option abortonclose", Fate::Kept, "who leaves the queue is out of it"),
    ("option prefer-last-server", Fate::Dropped, "has an effect on HTTP requests alone"),
    ("option persist", Fate::Dropped, "a server that is down gets nobody while another one is up"),
    ("option allbackups", Fate::Changed, "all backups share, as it says, by `balance`"),
    ("option external-check", Fate::Dropped, "see external-check command"),
    ("option independent-streams", Fate::Dropped, "silence counts in both directions together: `idle_timeout`"),
    ("option idle-close-on-response", Fate::Dropped, "has an effect on HTTP alone"),
    ("option redis-check", Fate::Kept, "see the check of the backend"),
    ("option transparent", Fate::Refused, "connections go to servers that are named; there is no transparent proxy"),
    (
        "stats",
        Fate::Dropped,
        "the status page is http://127.0.0.1:9109/ on each node; [admin] listen and allow open it to others",
    ),
    ("peers", Fate::Dropped, "a client has the same server on every node by hashing, without a table to send"),
    ("backlog", Fate::Dropped, "the listen queue is as long as the kernel allows (net.core.somaxconn)"),
    ("fullconn", Fate::Dropped, "only means something with minconn"),
    ("hash-type", Fate::Changed, "source-hash is consistent (Maglev) and weighted"),
    ("hash-balance-factor", Fate::Dropped, "a source stays with its server; bound servers with max_connections"),
    ("id", Fate::Dropped, "names are enough"),
    ("guid", Fate::Dropped, "names are enough"),
    ("description", Fate::Dropped, "only words"),
    ("bind-process", Fate::Dropped, "one process relays"),
    ("grace", Fate::Dropped, "a stop keeps serving until the other node has the address"),
    ("enabled", Fate::Kept, "in use"),
    ("declare", Fate::Dropped, "captures are of HTTP"),
    ("email-alert", Fate::Dropped, "alerts come from the metrics, or from the journal"),
    ("load-server-state-from-file", Fate::Kept, "what operators asked outlives a restart; health is asked anew"),
    ("server-state-file-name", Fate::Kept, "/var/lib/fmc-lb"),
    ("hash-preserve-affinity", Fate::Dropped, "a source stays with its server"),
    ("retry-on", Fate::Dropped, "a connection that failed is tried on another server; only HTTP can be sent twice"),
    ("use-server", Fate::Refused, "a rule of its own for one server; make it a backend, and let a frontend lead there"),
    ("dispatch", Fate::Refused, "an address without a name and a check; write it as a server"),
    (
        "external-check",
        Fate::Dropped,
        "a program checks with `type = \"command\"`, once `check_commands = true` in [limits]; its arguments are its own",
    ),
];

/// A keyword that means the same wherever it stands.
pub(super) fn of(words: &[String]) -> Option<(Fate, &'static str)> {
    let line = plain(words);
    TCP.iter().find(|(keyword, ..)| says(keyword, &line)).map(|(_, fate, words)| (*fate, *words))
}

/// It says something about HTTP.
pub(super) fn is_http(words: &[String]) -> bool {
    let line = plain(words);
    HTTP.iter().any(|keyword| says(keyword, &line)) && !line.starts_with("option http-use-htx ")
}

fn plain(words: &[String]) -> String {
    words.join(" ").trim_start_matches("no ").to_owned()
}

/// `name*` stands for every keyword that begins so, any other entry for itself alone, whatever follows it.
pub(super) fn says(keyword: &str, line: &str) -> bool {
    match keyword.strip_suffix('*') {
        Some(begin) => line.starts_with(begin),
        None => line.strip_prefix(keyword).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')),
    }
}

/// Sections that hold no proxy.
pub(super) fn of_section(kind: &str) -> Option<(Fate, &'static str)> {
    Some(match kind {
        "peers" => (Fate::Dropped, "a client has the same server on every node by hashing, without a table to send"),
        "resolvers" => (Fate::Dropped, "servers with a name are written by hand, and their resolvers in [dns]"),
        "mailers" => (Fate::Dropped, "alerts come from the metrics, or from the journal"),
        "userlist" => (Fate::Dropped, "users are of HTTP"),
        "program" => (Fate::Dropped, "a program of its own is a unit of its own"),
        "cache" | "http-errors" | "fcgi-app" => (Fate::Dropped, "is of HTTP"),
        "ring" | "log-profile" | "traces" => (Fate::Dropped, "logs go to the journal"),
        "log-forward" => (Fate::Refused, "this forwards TCP connections; rsyslog or journald forwards logs"),
        "crt-store" | "acme" => (Fate::Dropped, "TLS is not ended here"),
        "namespace_list" => (Fate::Refused, "servers in other network namespaces are not reached"),
        _ => return None,
    })
}
