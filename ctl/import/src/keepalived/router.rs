//! Virtual routers: what `vrrp_instance` and `vrrp_script` say.

use std::net::IpAddr;
use std::time::Duration;

use fmc_config::model::family::Family;

use super::tree::Block;
use super::{Script, View, whole, word};
use crate::ledger::{At, Code, Fate, Ledger, Said};

/// A `vrrp_instance`.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    pub(crate) at: At,
    pub(crate) name: String,
    pub(crate) interface: Option<Said<String>>,
    pub(crate) id: Option<Said<u8>>,
    /// 100 when it is not said.
    pub(crate) priority: Said<u8>,
    pub(crate) interval: Option<Said<Duration>>,
    pub(crate) version: Option<Said<u8>>,
    pub(crate) password: Option<Said<String>>,
    pub(crate) addresses: Vec<Said<Address>>,
    pub(crate) excluded: Vec<Said<Address>>,
    pub(crate) source: Option<Said<IpAddr>>,
    pub(crate) unicast: Option<At>,
    /// To whom it speaks by unicast.
    pub(crate) peers: Vec<Said<IpAddr>>,
    pub(crate) no_preempt: Option<At>,
    pub(crate) virtual_mac: Option<At>,
    pub(crate) preempt_delay: Option<Said<Duration>>,
    /// The scripts it tracks, with the weight said beside the name.
    pub(crate) scripts: Vec<Said<(String, Option<i32>)>>,
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) address: IpAddr,
    pub(crate) prefix: Option<u8>,
    pub(crate) interface: Option<String>,
}

/// A statement or block of the file itself.
pub(super) fn top(view: &mut View, block: &Block, ledger: &mut Ledger) {
    match block.word(0) {
        "global_defs" => global(view, block, ledger),
        "vrrp_script" => script(view, block, ledger),
        "vrrp_instance" => view.routers.push(read(block, ledger)),
        "vrrp_sync_group" => told_whole(block, word::find(word::TOP, "vrrp_sync_group"), ledger),
        other => match word::find(word::TOP, other) {
            Some(told) => told_whole(block, Some(told), ledger),
            None => unknown(block, ledger),
        },
    }
}

fn told_whole(block: &Block, told: Option<(Fate, &'static str)>, ledger: &mut Ledger) {
    let Some((fate, words)) = told else { return };
    ledger.note(block.at, fate, words);
    for child in block.children() {
        whole(child, &mut |at| ledger.note(at, fate, format!("part of {}", block.word(0))));
    }
}

fn unknown(block: &Block, ledger: &mut Ledger) {
    let words = format!("Keepalived knows no {:?} and ignores it", block.word(0));
    ledger.dropped(block.at, words.clone());
    ledger.lint(
        Code::UnknownKeepalivedWord,
        block.at,
        words,
        "look it up in keepalived.conf(5); what was meant by it has never been in force",
    );
    block
        .children()
        .iter()
        .for_each(|child| whole(child, &mut |at| ledger.dropped(at, "part of what Keepalived ignores")));
}

fn global(view: &mut View, block: &Block, ledger: &mut Ledger) {
    ledger.kept(block.at, "[election]");
    for child in block.children() {
        match child.word(0) {
            "vrrp_version" => view.version = number(child, ledger),
            "router_id" if view.name.is_none() => {
                view.name = Some(child.word(1).to_owned());
                ledger.kept(child.at, "the name of the node");
            }
            other => match word::find(word::GLOBAL, other).or_else(|| word::of_process(other)) {
                Some(told) => told_whole(child, Some(told), ledger),
                None => unknown(child, ledger),
            },
        }
    }
}

fn script(view: &mut View, block: &Block, ledger: &mut Ledger) {
    let name = block.word(1).to_owned();
    let mut weight = 0;
    for child in block.children() {
        match child.word(0) {
            "weight" => weight = child.word(1).parse().unwrap_or(0),
            "script" | "interval" | "timeout" | "rise" | "fall" | "user" | "init_fail" => {}
            _ => {
                unknown(child, ledger);
                continue;
            }
        }
        ledger.dropped(child.at, "part of vrrp_script");
    }
    let words = "no script: whether this node serves is known in the process, and a failed proxy gives the address away at once";
    ledger.dropped(block.at, words);
    view.scripts.insert(name, Script { weight });
}

fn read(block: &Block, ledger: &mut Ledger) -> Router {
    let mut router = Router {
        at: block.at,
        name: block.word(1).to_owned(),
        interface: None,
        id: None,
        priority: Said { at: block.at, value: 100 },
        interval: None,
        version: None,
        password: None,
        addresses: Vec::new(),
        excluded: Vec::new(),
        source: None,
        unicast: None,
        peers: Vec::new(),
        no_preempt: None,
        virtual_mac: None,
        preempt_delay: None,
        scripts: Vec::new(),
    };
    for (index, child) in block.children().iter().enumerate() {
        if !one(&mut router, child, ledger) {
            unknown(child, ledger);
            if child.children.is_some() {
                lost(child, &block.children()[index + 1..], ledger);
                break;
            }
        }
    }
    router
}

/// Keepalived takes the `}` of a block it does not know for that of the block around it.
fn lost(unknown: &Block, rest: &[Block], ledger: &mut Ledger) {
    let problem = format!(
        "the }} of {:?} ends the vrrp_instance for Keepalived: {} lines after it have never been in force",
        unknown.word(0),
        rest.len()
    );
    ledger.lint(
        Code::UnknownKeepalivedWord,
        unknown.at,
        problem,
        "remove it; then what follows (often the check) acts for the first time",
    );
    for child in rest {
        whole(child, &mut |at| ledger.dropped(at, "lost: Keepalived ignores it, since a word above it is unknown"));
    }
}

/// Whether the word is one.
fn one(router: &mut Router, child: &Block, ledger: &mut Ledger) -> bool {
    let at = child.at;
    match child.word(0) {
        "state" => state(child, ledger),
        "interface" => router.interface = Some(Said { at, value: child.word(1).to_owned() }),
        "virtual_router_id" => router.id = number(child, ledger),
        "priority" => router.priority = number(child, ledger).unwrap_or(Said { at, value: 100 }),
        "version" => router.version = number(child, ledger),
        "advert_int" => router.interval = seconds(child, ledger),
        "authentication" => authentication(router, child, ledger),
        "virtual_ipaddress" => addresses(child, &mut router.addresses, ledger),
        "virtual_ipaddress_excluded" => addresses(child, &mut router.excluded, ledger),
        "unicast_src_ip" | "mcast_src_ip" => source(router, child, ledger),
        "unicast_peer" => unicast(router, child, ledger),
        "use_vmac" => router.virtual_mac = Some(at),
        "nopreempt" => router.no_preempt = Some(at),
        "preempt_delay" => router.preempt_delay = seconds(child, ledger),
        "track_script" => tracked(router, child, ledger),
        other => {
            let Some(told) = word::find(word::ROUTER, other) else { return false };
            told_whole(child, Some(told), ledger);
        }
    }
    true
}

fn state(child: &Block, ledger: &mut Ledger) {
    let words = match child.word(1) {
        "MASTER" => "no node is born owner: the order in [nodes] says who is preferred",
        _ => "every node begins by listening",
    };
    ledger.changed(child.at, words);
}

fn source(router: &mut Router, child: &Block, ledger: &mut Ledger) {
    match child.word(1).parse() {
        Ok(value) => {
            ledger.kept(child.at, "the node's own address in [nodes]");
            router.source = Some(Said { at: child.at, value });
        }
        Err(_) => ledger.refuse(child.at, format!("{:?} is no address", child.word(1))),
    }
}

fn unicast(router: &mut Router, child: &Block, ledger: &mut Ledger) {
    router.unicast = Some(child.at);
    ledger.kept(child.at, "transport = \"unicast\" in [election]: to each other node of [nodes]");
    for peer in child.children() {
        match peer.word(0).parse::<IpAddr>() {
            Ok(value) => router.peers.push(Said { at: peer.at, value }),
            Err(_) => ledger.refuse(peer.at, format!("{:?} is no address", peer.word(0))),
        }
    }
}

fn authentication(router: &mut Router, child: &Block, ledger: &mut Ledger) {
    let kind = child.children().iter().find(|line| line.word(0) == "auth_type").map_or("PASS", |line| line.word(1));
    if kind == "PASS" {
        ledger.kept(child.at, "see auth_pass");
    }
    for line in child.children() {
        if kind == "PASS" && line.word(0) == "auth_type" {
            ledger.kept(line.at, "see auth_pass");
        }
        if line.word(0) == "auth_pass" && kind == "PASS" {
            // Keepalived sends the first eight characters.
            let value = line.word(1).chars().take(8).collect();
            router.password = Some(Said { at: line.at, value });
        }
    }
    if kind != "PASS" {
        let words = "AH (protocol 51) is not spoken: beside this Keepalived neither hears the other, so it must stop before fmc-lb starts";
        whole(child, &mut |at| ledger.changed(at, words));
    }
}

fn addresses(block: &Block, into: &mut Vec<Said<Address>>, ledger: &mut Ledger) {
    ledger.kept(block.at, "[vips]");
    for line in block.children() {
        match address(line) {
            Ok(value) => into.push(Said { at: line.at, value }),
            Err(words) => ledger.refuse(line.at, words),
        }
    }
}

fn address(line: &Block) -> Result<Address, String> {
    let text = line.word(0);
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let wrong = || format!("{text:?} is no address");
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = Family::of(address).bits();
    let prefix =
        prefix.map(|prefix| prefix.parse::<u8>().ok().filter(|prefix| *prefix <= most)).map(|p| p.ok_or_else(wrong));
    let after = |word: &str| line.words.iter().position(|w| w == word).map(|at| line.word(at + 1).to_owned());
    Ok(Address { address, prefix: prefix.transpose()?, interface: after("dev") })
}

fn tracked(router: &mut Router, child: &Block, ledger: &mut Ledger) {
    ledger.dropped(child.at, "the election asks the proxy itself");
    for line in child.children() {
        ledger.dropped(line.at, "the election asks the proxy itself");
        let weight = line.words.iter().position(|word| word == "weight").and_then(|at| line.word(at + 1).parse().ok());
        router.scripts.push(Said { at: line.at, value: (line.word(0).to_owned(), weight) });
    }
}

fn number<N: std::str::FromStr>(child: &Block, ledger: &mut Ledger) -> Option<Said<N>> {
    let text = child.word(1);
    match text.parse() {
        Ok(value) => Some(Said { at: child.at, value }),
        Err(_) => {
            ledger.refuse(child.at, format!("{text:?} is no number in its range"));
            None
        }
    }
}

/// Seconds, also with a fraction.
fn seconds(child: &Block, ledger: &mut Ledger) -> Option<Said<Duration>> {
    let text = child.word(1);
    let span = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if span.is_none() {
        ledger.refuse(child.at, format!("{text:?} is no number of seconds"));
    }
    span.map(|value| Said { at: child.at, value })
}
