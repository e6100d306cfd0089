//! "Did you mean": the word an operator was probably after.

/// The words of HAProxy and Keepalived for which this file has its own.
const OTHER_TONGUES: &[(&str, &str)] = &[
    ("vrid", "virtual_router_id"),
    ("advert_int", "advertisement_interval"),
    ("maxconn", "max_connections"),
    ("inter", "interval"),
    ("fastinter", "fast_interval"),
    ("bind", "port"),
    ("default_backend", "backend"),
    ("server", "servers"),
    ("node", "nodes"),
    ("send_proxy", "proxy_protocol"),
    ("timeout_connect", "connect_timeout"),
    ("timeout_tunnel", "idle_timeout"),
    ("leastconn", "least-connections"),
    ("roundrobin", "round-robin"),
    ("rst", "reset"),
    ("fin", "close"),
    ("vrrp", "election"),
    ("rfc9568", "message"),
];

/// The candidate nearest to `word`, when it is near enough to be a slip of the hand or a word of another tool.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = word.to_ascii_lowercase().replace('-', "_");
    let translated = OTHER_TONGUES.iter().find(|(other, _)| *other == plain).map(|(_, ours)| *ours);
    let mut best = None;
    for candidate in candidates {
        if translated == Some(candidate) {
            return Some(candidate);
        }
        let candidate_plain = candidate.to_ascii_lowercase().replace('-', "_");
        let begun = plain.len() >= 3 && candidate_plain.starts_with(&plain);
        let distance = if begun { 1 } else { strsim::damerau_levenshtein(&plain, &candidate_plain) };
        let tolerance = (plain.chars().count().max(candidate.len()) / 3).max(1);
        if distance <= tolerance && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The edit for an unknown word: the nearest one if there is one, else all of them.
pub fn fix<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let several = candidates.clone().into_iter().nth(1).is_some();
    match nearest(word, candidates.clone()).filter(|_| several) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("use {}", choice(candidates)),
    }
}

/// `a`, `b` or `c`.
pub fn choice<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut quoted: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match (quoted.pop(), quoted.is_empty()) {
        (None, _) => "nothing".to_owned(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} or {last}", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_a_stranger_finds_none() {
        assert_eq!(nearest("prot", ["port", "ports", "vip"]), Some("port"));
        assert_eq!(nearest("k8s", ["tcp", "k8s-api"]), Some("k8s-api"));
        assert_eq!(nearest("least_connections", ["least-connections"]), Some("least-connections"));
        assert_eq!(nearest("zebra", ["port", "vip"]), None);
    }

    #[test]
    fn a_word_of_haproxy_or_keepalived_is_understood() {
        assert_eq!(nearest("maxconn", ["max_connections", "vip"]), Some("max_connections"));
        assert_eq!(nearest("VRID", ["address", "virtual_router_id"]), Some("virtual_router_id"));
    }

    #[test]
    fn a_choice_reads_as_a_sentence() {
        assert_eq!(choice(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(choice(["a"]), "`a`");
    }
}
