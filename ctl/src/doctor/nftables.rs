//! What `nft -j list ruleset` does with a packet (libnftables-json(5)). [core]
//!
//! Follows the base chains of the hooks that a packet for this machine meets, rule by rule, through jumps, sets and verdict maps. What a
//! rule asks that is not known here (a mark, a rate, a foreign match) makes the fate unsure and names the rule, instead of guessing.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::packet::{Answer, Fate, Maybe, Packet, is_interface, protocol_number};

/// Jumps deeper than this are a loop; the kernel takes 16 (NFT_JUMP_STACK_SIZE).
const DEEPEST: usize = 17;

/// What the ruleset does with the packet.
pub(crate) fn fate(ruleset: &Value, packet: &Packet) -> Fate {
    let rules = Ruleset::of(ruleset);
    let mut maybe = Maybe::default();
    for base in rules.base_chains(packet) {
        let chain = Chain::of(base);
        let verdict = rules.walk(&chain, packet, &mut maybe, 0);
        let policy_drops = base["policy"] == "drop";
        match verdict {
            Verdict::Drop(by) => return maybe.dropped(by),
            Verdict::Continue | Verdict::Return if policy_drops => {
                return maybe
                    .dropped(format!("the policy of chain {} of table {} {}", chain.name, chain.family, chain.table));
            }
            Verdict::Accept | Verdict::Continue | Verdict::Return => {}
        }
    }
    maybe.passes()
}

enum Verdict {
    Accept,
    Drop(String),
    Return,
    Continue,
}

struct Ruleset<'a>(Vec<&'a Value>);

#[derive(Clone, PartialEq)]
struct Chain {
    family: String,
    table: String,
    name: String,
}

impl Chain {
    fn of(object: &Value) -> Self {
        let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
        Self { family: text("family"), table: text("table"), name: text("name") }
    }

    fn sibling(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }
}

impl<'a> Ruleset<'a> {
    fn of(ruleset: &'a Value) -> Self {
        Self(ruleset["nftables"].as_array().map(|all| all.iter().collect()).unwrap_or_default())
    }

    fn objects(&self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().map(move |object| &object[kind]).filter(|object| object.is_object())
    }

    /// Those that a packet for this machine meets, in that order: prerouting before input, then by priority.
    fn base_chains(&self, packet: &Packet) -> Vec<&'a Value> {
        let family = if packet.to.is_ipv4() { "ip" } else { "ip6" };
        let meets = |chain: &&Value| {
            let hook = chain["hook"] == "prerouting" || chain["hook"] == "input";
            hook && chain["type"] == "filter" && (chain["family"] == family || chain["family"] == "inet")
        };
        let mut chains: Vec<&Value> = self.objects("chain").filter(meets).collect();
        chains.sort_by_key(|chain| (chain["hook"] == "input", chain["prio"].as_i64().unwrap_or_default()));
        chains
    }

    fn walk(&self, chain: &Chain, packet: &Packet, maybe: &mut Maybe, depth: usize) -> Verdict {
        if depth > DEEPEST {
            return Verdict::Continue;
        }
        let of_chain = |rule: &&Value| {
            let texts = (rule["family"].as_str(), rule["table"].as_str(), rule["chain"].as_str());
            texts == (Some(&chain.family), Some(&chain.table), Some(&chain.name))
        };
        for rule in self.objects("rule").filter(of_chain) {
            match self.apply(rule, chain, packet, maybe, depth) {
                Verdict::Continue => {}
                decided => return decided,
            }
        }
        Verdict::Continue
    }

    fn apply(&self, rule: &Value, chain: &Chain, packet: &Packet, maybe: &mut Maybe, depth: usize) -> Verdict {
        let name = format!("rule {} of chain {} of table {} {}", rule["handle"], chain.name, chain.family, chain.table);
        let mut certain = true;
        for part in rule["expr"].as_array().into_iter().flatten() {
            let Some((kind, body)) = part.as_object().and_then(|part| part.iter().next()) else { continue };
            let verdict = match kind.as_str() {
                "match" => {
                    match self.matches(body, chain, packet) {
                        Some(true) => continue,
                        Some(false) => return Verdict::Continue,
                        None => certain = false,
                    }
                    continue;
                }
                "limit" | "xt" | "quota" | "connlimit" | "ct count" => {
                    certain = false;
                    continue;
                }
                "vmap" => match self.mapped(body, chain, packet) {
                    Some(Some(verdict)) => self.verdict(verdict, &name, chain, packet, maybe, depth),
                    Some(None) => continue,
                    None => {
                        // Some element may drop or accept it.
                        maybe.accept(&name);
                        maybe.drop(&name);
                        continue;
                    }
                },
                _ => self.verdict(part, &name, chain, packet, maybe, depth),
            };
            match (verdict, certain) {
                (Verdict::Continue, _) => {}
                (decided, true) => return decided,
                (Verdict::Accept, false) => maybe.accept(&name),
                (Verdict::Drop(_), false) => maybe.drop(&name),
                // It might have gone on in the caller, which is not followed.
                (Verdict::Return, false) => {
                    maybe.accept(&name);
                    maybe.drop(&name);
                }
            }
        }
        Verdict::Continue
    }

    fn verdict(
        &self,
        statement: &Value,
        name: &str,
        chain: &Chain,
        packet: &Packet,
        maybe: &mut Maybe,
        depth: usize,
    ) -> Verdict {
        let Some((kind, body)) = statement.as_object().and_then(|statement| statement.iter().next()) else {
            return Verdict::Continue;
        };
        let target = || chain.sibling(body["target"].as_str().unwrap_or_default());
        match kind.as_str() {
            "accept" => Verdict::Accept,
            "drop" | "reject" => Verdict::Drop(name.to_owned()),
            "return" => Verdict::Return,
            "jump" => match self.walk(&target(), packet, maybe, depth + 1) {
                Verdict::Return => Verdict::Continue,
                other => other,
            },
            "goto" => match self.walk(&target(), packet, maybe, depth + 1) {
                Verdict::Continue => Verdict::Return,
                other => other,
            },
            _ => Verdict::Continue,
        }
    }

    /// The verdict of a map: `Some(None)`: it has none for this packet; `None`: not known here.
    fn mapped(&self, vmap: &'a Value, chain: &Chain, packet: &Packet) -> Option<Option<&'a Value>> {
        let left = &vmap["key"];
        for element in self.elements(&vmap["data"], chain)? {
            let (key, verdict) = (&element[0], &element[1]);
            if self.is(left, key, chain, packet)? {
                return Some(Some(verdict));
            }
        }
        Some(None)
    }

    fn matches(&self, body: &'a Value, chain: &Chain, packet: &Packet) -> Answer {
        let is = self.is(&body["left"], &body["right"], chain, packet);
        match body["op"].as_str() {
            Some("==" | "in") => is,
            Some("!=") => is.map(|is| !is),
            _ => None,
        }
    }

    /// The elements of an anonymous or a named set or map.
    fn elements(&self, right: &'a Value, chain: &Chain) -> Option<Vec<&'a Value>> {
        if let Some(name) = right.as_str().and_then(|name| name.strip_prefix('@')) {
            let is_it = |set: &&Value| (Chain::of(set)) == chain.sibling(name);
            let set = self.objects("set").chain(self.objects("map")).find(is_it)?;
            return Some(set["elem"].as_array().map(|all| all.iter().collect()).unwrap_or_default());
        }
        let list = right["set"].as_array().or_else(|| right.as_array())?;
        Some(list.iter().collect())
    }

    /// Whether what `left` reads from the packet is `right`, or among it.
    fn is(&self, left: &Value, right: &'a Value, chain: &Chain, packet: &Packet) -> Answer {
        if let Some(elements) = self.elements(right, chain) {
            let answers: Vec<Answer> =
                elements.into_iter().map(|element| self.is(left, element_value(element), chain, packet)).collect();
            let any = answers.contains(&Some(true));
            return if any || !answers.contains(&None) { Some(any) } else { None };
        }
        let field = |left: &Value, key: &str| left[key].as_str().unwrap_or_default().to_owned();
        if left["meta"].is_object() {
            return meta(&field(&left["meta"], "key"), right, packet);
        }
        if left["payload"].is_object() {
            return payload(&field(&left["payload"], "protocol"), &field(&left["payload"], "field"), right, packet);
        }
        // What is asked for is let in at its first packet.
        (left["ct"]["key"] == "state").then(|| right == "new" || right == "untracked")
    }
}

fn element_value(element: &Value) -> &Value {
    if element["elem"].is_object() { &element["elem"]["val"] } else { element }
}

fn meta(key: &str, right: &Value, packet: &Packet) -> Answer {
    match key {
        "l4proto" => Some(protocol(right)? == packet.protocol),
        "iifname" | "iif" => Some(is_interface(right.as_str()?, '*', &packet.interface)),
        "nfproto" => Some(right == if packet.to.is_ipv4() { "ipv4" } else { "ipv6" }),
        "protocol" => Some(right == if packet.to.is_ipv4() { "ip" } else { "ip6" }),
        _ => None,
    }
}

fn protocol(right: &Value) -> Option<u8> {
    right.as_u64().and_then(|number| u8::try_from(number).ok()).or_else(|| protocol_number(right.as_str()?))
}

fn payload(header: &str, field: &str, right: &Value, packet: &Packet) -> Answer {
    let of_protocol = match header {
        "tcp" => packet.protocol == 6,
        "udp" => packet.protocol == 17,
        "th" => true,
        "ip" => packet.to.is_ipv4(),
        "ip6" => packet.to.is_ipv6(),
        // Of another layer: this packet has none of it.
        "icmp" | "icmpv6" | "igmp" | "arp" => false,
        _ => return None,
    };
    match (of_protocol, field) {
        (false, _) => Some(false),
        (true, "protocol" | "nexthdr") => Some(protocol(right)? == packet.protocol),
        (true, "saddr") => address(right, packet.from),
        (true, "daddr") => address(right, packet.to),
        (true, "dport") => packet.port.map_or(Some(false), |port| number(right, port)),
        (true, _) => None,
    }
}

fn address(right: &Value, address: IpAddr) -> Answer {
    let parse = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
    if let Some(range) = right["range"].as_array() {
        let (from, to) = (parse(range.first()?)?, parse(range.get(1)?)?);
        return Some((from..=to).contains(&address));
    }
    if right["prefix"].is_object() {
        let (network, length) = (parse(&right["prefix"]["addr"])?, right["prefix"]["len"].as_u64()?);
        return Some(IpNet::new(network, u8::try_from(length).ok()?).ok()?.contains(&address));
    }
    Some(parse(right)? == address)
}

fn number(right: &Value, port: u16) -> Answer {
    let port = u64::from(port);
    if let Some(range) = right["range"].as_array() {
        return Some((range.first()?.as_u64()?..=range.get(1)?.as_u64()?).contains(&port));
    }
    Some(right.as_u64()? == port)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packet(protocol: u8, port: Option<u16>) -> Packet {
        let (from, to) = ([192, 168, 0, 31].into(), [192, 168, 0, 30].into());
        Packet { interface: "eth0".to_owned(), from, to, protocol, port }
    }

    fn ruleset(policy: &str, rules: Vec<Value>) -> Value {
        let chain = json!({"chain": {"family": "inet", "table": "filter", "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": policy}});
        let rules = rules.into_iter().enumerate().map(|(handle, expr)| {
            json!({"rule": {"family": "inet", "table": "filter", "chain": "input", "handle": handle, "expr": expr}})
        });
        let all: Vec<Value> = [chain].into_iter().chain(rules).collect();
        json!({"nftables": all})
    }

    fn l4(protocol: &str) -> Value {
        json!({"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": protocol}})
    }

    #[test]
    fn an_open_policy_lets_everything_in_and_a_closed_one_what_a_rule_names() {
        let vrrp = packet(112, None);
        assert_eq!(fate(&json!({"nftables": []}), &vrrp), Fate::Passes);
        assert_eq!(fate(&ruleset("accept", vec![]), &vrrp), Fate::Passes);
        let policy = "the policy of chain input of table inet filter".to_owned();
        assert_eq!(fate(&ruleset("drop", vec![]), &vrrp), Fate::Dropped(policy));
        assert_eq!(fate(&ruleset("drop", vec![json!([l4("vrrp"), {"accept": null}])]), &vrrp), Fate::Passes);
        let dropped = ruleset("accept", vec![json!([l4("vrrp"), {"counter": null}, {"drop": null}])]);
        assert_eq!(fate(&dropped, &vrrp), Fate::Dropped("rule 0 of chain input of table inet filter".to_owned()));
    }

    #[test]
    fn ports_are_found_in_sets_ranges_and_behind_jumps() {
        let dport = |right: Value| json!({"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": right}});
        for (right, passes) in [
            (json!({"set": [22, 443]}), true),
            (json!({"range": [400, 500]}), true),
            (json!({"set": [22, {"range": [80, 90]}]}), false),
            (json!("@web"), true),
        ] {
            let mut rules = ruleset("drop", vec![json!([{"jump": {"target": "in_public"}}])]);
            let all = rules["nftables"].as_array_mut().unwrap();
            all.push(json!({"rule": {"family": "inet", "table": "filter", "chain": "in_public", "handle": 9, "expr": [dport(right.clone()), {"accept": null}]}}));
            all.push(json!({"set": {"family": "inet", "table": "filter", "name": "web", "elem": [80, 443]}}));
            let is_let_in = fate(&rules, &packet(6, Some(443))) == Fate::Passes;
            assert_eq!(is_let_in, passes, "{right}");
            assert_ne!(fate(&rules, &packet(17, Some(443))), Fate::Passes, "UDP is not TCP");
        }
    }

    #[test]
    fn a_verdict_map_and_an_interface_lead_to_a_zone() {
        let mut rules = ruleset(
            "drop",
            vec![json!([{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": {"set": [
                ["lo", {"accept": null}], ["eth*", {"goto": {"target": "public"}}],
            ]}}}])],
        );
        let heartbeat = json!([{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["new", "untracked"]}},
            {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 1112}}, {"accept": null}]);
        let rule =
            json!({"rule": {"family": "inet", "table": "filter", "chain": "public", "handle": 9, "expr": heartbeat}});
        rules["nftables"].as_array_mut().unwrap().push(rule);
        assert_eq!(fate(&rules, &packet(17, Some(1112))), Fate::Passes);
        assert!(matches!(fate(&rules, &packet(17, Some(1113))), Fate::Dropped(by) if by.starts_with("the policy")));
    }

    #[test]
    fn what_is_not_known_here_is_said_and_not_guessed() {
        let marked = json!({"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 7}});
        let unsure = Fate::Unsure("rule 0 of chain input of table inet filter".to_owned());
        assert_eq!(fate(&ruleset("accept", vec![json!([marked, {"drop": null}])]), &packet(112, None)), unsure);
        let limited = json!([l4("vrrp"), {"limit": {"rate": 10, "per": "second"}}, {"accept": null}]);
        assert_eq!(fate(&ruleset("drop", vec![limited]), &packet(112, None)), unsure);
        let of_source = |addr: &str| json!([{"match": {"op": "!=", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": addr, "len": 24}}}}, {"drop": null}]);
        assert_eq!(fate(&ruleset("accept", vec![of_source("192.168.0.0")]), &packet(112, None)), Fate::Passes);
        assert_ne!(fate(&ruleset("accept", vec![of_source("10.0.0.0")]), &packet(112, None)), Fate::Passes);
    }
}
