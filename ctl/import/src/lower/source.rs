//! Who may connect: the rules of `tcp-request` that ask for the client's address, as `allow` and `accept_proxy`.

use std::time::Duration;

use ipnet::IpNet;

use super::span;
use crate::haproxy::proxy::Settings;
use crate::haproxy::{Statement, milliseconds};
use crate::ledger::{Ledger, Said};

/// What the rules of a frontend come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// Empty: everyone.
    pub(super) allow: Vec<IpNet>,
    /// From here a PROXY header is expected.
    pub(super) accept_proxy: Vec<IpNet>,
    /// How long a ClientHello is waited for, where routes ask for it.
    pub(super) preface_timeout: Option<String>,
}

/// A condition on the client's address.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FromThese {
    networks: Vec<IpNet>,
    is_negated: bool,
}

/// What `rules` come to; `None`: one of them asks for what is not known here, and was refused. `waits`: for a ClientHello.
pub(super) fn read(settings: &Settings, waits: bool, ledger: &mut Ledger) -> Option<Sources> {
    let mut sources = Sources::default();
    let (mut accepted, mut whole) = (Vec::new(), true);
    for rule in &settings.rules {
        if waits && rule.word(1) == "inspect-delay" {
            sources.preface_timeout = preface_timeout(rule, ledger);
            continue;
        }
        whole &= one(rule, settings, &mut accepted, &mut sources, ledger);
    }
    whole.then_some(sources)
}

fn one(
    rule: &Statement,
    settings: &Settings,
    accepted: &mut Vec<IpNet>,
    sources: &mut Sources,
    ledger: &mut Ledger,
) -> bool {
    let at = rule.at;
    let is_plain = matches!(rule.word(1), "connection" | "session" | "content") && rule.word(0) == "tcp-request";
    let condition = rule.words.iter().position(|word| matches!(word.as_str(), "if" | "unless"));
    let from = condition.and_then(|condition| from_these(rule, condition, settings, ledger));
    match (rule.word(1), rule.word(2), condition, from) {
        ("inspect-delay", ..) => ledger.dropped(at, "nothing is waited for: no byte of the client's is looked at"),
        (_, "accept", condition, None) if is_plain && (condition.is_none() || says_hello(rule, settings)) => {
            ledger.dropped(at, "everybody is accepted who is not refused");
        }
        (_, "accept", Some(_), Some(from)) if is_plain && !from.is_negated => {
            accepted.extend(from.networks);
            ledger.kept(at, "allow of the frontend");
        }
        (_, "reject", None, _) if is_plain && !accepted.is_empty() => {
            sources.allow.append(accepted);
            ledger.kept(at, "allow of the frontend: all others are refused");
        }
        (_, "reject", Some(_), Some(from)) if is_plain && from.is_negated => {
            sources.allow.extend(from.networks);
            ledger.kept(at, "allow of the frontend");
        }
        (_, "expect-proxy", Some(_), Some(from)) if !from.is_negated => {
            sources.accept_proxy.extend(from.networks);
            ledger.kept(at, "accept_proxy of the frontend");
        }
        _ => {
            ledger.refuse(at, "is no rule that there is here: a frontend knows networks that may connect (`allow`), and bounds for one source (`per_source`)");
            return false;
        }
    }
    true
}

/// `inspect-delay` is the longest wait; here as there it ends with the ClientHello.
fn preface_timeout(rule: &Statement, ledger: &mut Ledger) -> Option<String> {
    let Some(value) = milliseconds(rule.word(2)) else {
        ledger.refuse(rule.at, format!("{:?} is no time", rule.word(2)));
        return None;
    };
    let bounds = (Duration::from_millis(500), Duration::from_secs(60));
    Some(span::time_within(&Said { at: rule.at, value }, bounds, "preface_timeout of the frontend", ledger))
}

/// The end of the usual wait for a ClientHello.
fn says_hello(rule: &Statement, settings: &Settings) -> bool {
    let mut words = rule.words.iter().chain(
        settings
            .acls
            .iter()
            .filter(|acl| rule.words.contains(&acl.words[acl.words.len().min(2) - 1]))
            .flat_map(|acl| &acl.words),
    );
    words.any(|word| matches!(word.as_str(), "req_ssl_hello_type" | "req.ssl_hello_type"))
}

fn from_these(rule: &Statement, condition: usize, settings: &Settings, ledger: &mut Ledger) -> Option<FromThese> {
    let unless = rule.word(condition) == "unless";
    let (mut words, mut negated) = (rule.from(condition + 1), unless);
    if let Some((first, rest)) = words.split_first()
        && first == "!"
    {
        (words, negated) = (rest, !negated);
    }
    if words.first().is_some_and(|word| word == "{") && words.last().is_some_and(|word| word == "}") {
        let networks = networks(&words[1..words.len() - 1])?;
        return Some(FromThese { networks, is_negated: negated });
    }
    let [name] = words else { return None };
    let (name, negated) = name.strip_prefix('!').map_or((name.as_str(), negated), |name| (name, !negated));
    let acls: Vec<_> = settings.acls.iter().filter(|acl| acl.word(1) == name).collect();
    let networks: Option<Vec<_>> = acls.iter().map(|acl| networks(acl.from(2))).collect();
    let networks: Vec<_> = networks?.into_iter().flatten().collect();
    acls.iter().for_each(|acl| ledger.kept(acl.at, "networks of the frontend"));
    (!networks.is_empty()).then_some(FromThese { networks, is_negated: negated })
}

/// `src NETWORK...`
pub(super) fn networks(words: &[String]) -> Option<Vec<IpNet>> {
    let (fetch, rest) = words.split_first()?;
    let network = |text: &String| match text.contains('/') {
        true => text.parse::<IpNet>().ok().map(|network| network.trunc()),
        false => text.parse::<std::net::IpAddr>().ok().map(IpNet::from),
    };
    if fetch != "src" || rest.is_empty() {
        return None;
    }
    rest.iter().filter(|word| *word != "--").map(network).collect()
}
