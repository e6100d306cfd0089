//! What the rules that `iptables-save -t filter`, or ip6tables-save, prints do with a packet (iptables(8), iptables-extensions(8)). [core]
//!
//! For machines whose iptables is the old one in the kernel: the newer one's rules are in nftables.

use std::net::IpAddr;

use ipnet::IpNet;

use super::packet::{Answer, Fate, Maybe, Packet, is_interface, protocol_number};

/// Chains that jump deeper than this are a loop.
const DEEPEST: usize = 32;

/// What the filter table does with the packet on its way in.
pub(crate) fn fate(saved: &str, packet: &Packet) -> Fate {
    let mut maybe = Maybe::default();
    let policy = saved.lines().find_map(|line| line.strip_prefix(":INPUT ")).unwrap_or("ACCEPT");
    match walk(saved, "INPUT", packet, &mut maybe, 0) {
        Some(Verdict::Drop(rule)) => maybe.dropped(rule),
        Some(Verdict::Accept) => maybe.passes(),
        Some(Verdict::Return) | None if policy.starts_with("DROP") => {
            maybe.dropped("the policy of the iptables chain INPUT".to_owned())
        }
        Some(Verdict::Return) | None => maybe.passes(),
    }
}

enum Verdict {
    Accept,
    Drop(String),
    Return,
}

fn walk(saved: &str, chain: &str, packet: &Packet, maybe: &mut Maybe, depth: usize) -> Option<Verdict> {
    let start = format!("-A {chain} ");
    for rule in saved.lines().filter(|line| depth <= DEEPEST && line.starts_with(&start)) {
        let words: Vec<&str> = rule.split(' ').collect();
        let certain = match matches(&words[2..], packet) {
            Some(false) => continue,
            answer => answer.is_some(),
        };
        let target = words.iter().position(|word| *word == "-j" || *word == "-g").and_then(|at| words.get(at + 1));
        let verdict = match target.copied() {
            None | Some("LOG" | "NFLOG" | "MARK" | "CT") => continue,
            Some("ACCEPT") => Verdict::Accept,
            Some("DROP" | "REJECT") => Verdict::Drop(format!("the iptables rule {rule:?}")),
            Some("RETURN") => Verdict::Return,
            Some(other) => match walk(saved, other, packet, maybe, depth + 1) {
                None | Some(Verdict::Return) => continue,
                Some(verdict) => verdict,
            },
        };
        match (verdict, certain) {
            (verdict, true) => return Some(verdict),
            (Verdict::Accept, false) => maybe.accept(&format!("the iptables rule {rule:?}")),
            (Verdict::Drop(rule), false) => maybe.drop(&rule),
            (Verdict::Return, false) => {
                maybe.accept(&format!("the iptables rule {rule:?}"));
                maybe.drop(&format!("the iptables rule {rule:?}"));
            }
        }
    }
    None
}

/// Whether every condition of a rule holds.
fn matches(words: &[&str], packet: &Packet) -> Answer {
    let (mut words, mut negated, mut sure) = (words.iter().copied(), false, true);
    while let Some(word) = words.next() {
        let answer = match word {
            "!" => {
                negated = true;
                continue;
            }
            "-j" | "-g" => break,
            "-m" => {
                words.next();
                Some(true)
            }
            "-p" => words.next().and_then(protocol_number).map(|number| number == packet.protocol),
            "-i" => words.next().map(|name| is_interface(name, '+', &packet.interface)),
            "-s" => words.next().and_then(|network| is_in(network, packet.from)),
            "-d" => words.next().and_then(|network| is_in(network, packet.to)),
            "--dport" | "--dports" => words.next().map(|ports| packet.port.is_some_and(|port| is_among(ports, port))),
            "--ctstate" | "--state" => {
                words.next().map(|states| states.split(',').any(|state| state == "NEW" || state == "UNTRACKED"))
            }
            "--comment" => skip_quoted(&mut words),
            _ => None,
        };
        match answer.map(|answer| answer != std::mem::take(&mut negated)) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => sure = false,
        }
    }
    sure.then_some(true)
}

fn skip_quoted<'a>(words: &mut impl Iterator<Item = &'a str>) -> Answer {
    let first = words.next()?;
    if first.starts_with('"') && !(first.len() > 1 && first.ends_with('"')) {
        words.find(|word| word.ends_with('"'));
    }
    Some(true)
}

fn is_in(network: &str, address: IpAddr) -> Answer {
    let network = network.parse::<IpNet>().ok().or_else(|| network.parse::<IpAddr>().ok().map(IpNet::from));
    Some(network?.contains(&address))
}

fn is_among(ports: &str, port: u16) -> bool {
    ports.split(',').any(|one| match one.split_once(':') {
        Some((from, to)) => (from.parse().unwrap_or(0)..=to.parse().unwrap_or(u16::MAX)).contains(&port),
        None => one.parse() == Ok(port),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, port: Option<u16>) -> Packet {
        let (from, to) = ([192, 168, 0, 31].into(), [224, 0, 0, 18].into());
        Packet { interface: "eth0".to_owned(), from, to, protocol, port }
    }

    const CLOSED: &str = ":INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n";

    #[test]
    fn a_closed_policy_lets_in_what_a_rule_names() {
        let vrrp = packet(112, None);
        assert_eq!(fate("", &vrrp), Fate::Passes);
        assert_eq!(fate(CLOSED, &vrrp), Fate::Dropped("the policy of the iptables chain INPUT".to_owned()));
        for (rule, passes) in [
            ("-A INPUT -p vrrp -j ACCEPT", true),
            ("-A INPUT -s 192.168.0.0/24 -p 112 -m comment --comment \"the other node\" -j ACCEPT", true),
            ("-A INPUT ! -i eth0 -p vrrp -j ACCEPT", false),
            ("-A INPUT -i eth+ -j ours\n-A ours -p vrrp -j ACCEPT", true),
        ] {
            assert_eq!(fate(&format!("{CLOSED}{rule}\n"), &vrrp) == Fate::Passes, passes, "{rule}");
        }
    }

    #[test]
    fn ports_stand_alone_in_lists_and_in_ranges() {
        for (ports, passes) in
            [("--dport 443", true), ("-m multiport --dports 80,400:500", true), ("--dport 444", false)]
        {
            let rules = format!("{CLOSED}-A INPUT -p tcp -m tcp {ports} -j ACCEPT\n");
            assert_eq!(fate(&rules, &packet(6, Some(443))) == Fate::Passes, passes, "{ports}");
        }
    }

    #[test]
    fn a_match_that_is_not_known_here_is_said() {
        let rules = ":INPUT ACCEPT [0:0]\n-A INPUT -m recent --rcheck --name bad -j DROP\n";
        assert!(matches!(fate(rules, &packet(112, None)), Fate::Unsure(rule) if rule.contains("--rcheck")));
    }
}
