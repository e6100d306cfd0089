//! Routers that are configured otherwise, as sentences: who they are, in what they differ, what follows, and the edit that mends it.

use std::fs;
use std::net::IpAddr;

use fmc_api::word::Severity;
use fmc_config::model::election::Version;
use fmc_config::model::name::VipName;
use fmc_vrrp::driver::{Difference, Mismatch};
use fmc_vrrp::packet::auth_hmac::SignatureFault;

use crate::proxy::appliance::Appliance;

/// What an operator reads of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) severity: Severity,
    pub(super) text: String,
    pub(super) fix: String,
}

/// Of every mismatch that stands.
pub(super) fn standing(appliance: &Appliance) -> Vec<Sentence> {
    let vips = appliance.snapshot.iter().flat_map(|snapshot| &snapshot.vips);
    let all = vips.flat_map(|vip| vip.mismatches.iter().map(move |mismatch| (vip, *mismatch)));
    let version = appliance.config.election.version;
    let say = |(vip, mismatch): (&fmc_vrrp::driver::VipSnapshot, Mismatch)| {
        let who = who(mismatch.source, &neighbours());
        sentence(&who, &vip.name, vip.virtual_router_id, mismatch.difference, version)
    };
    all.map(say).collect()
}

fn sentence(who: &str, vip: &VipName, id: u8, difference: Difference, version: Version) -> Sentence {
    let both_own = "and both may own the address";
    let of = |severity, text: String, fix: String| Sentence { severity, text, fix };
    match difference {
        Difference::Version { theirs, ours } => {
            let fix = match ours {
                3 => "have it speak VRRPv3 (Keepalived: vrrp_version 3), or write profile = \"compat\" in [election]",
                _ => "have it speak VRRPv2 (Keepalived: vrrp_version 2), or leave profile = \"compat\" in [election]",
            };
            let text = format!(
                "version: {who} speaks VRRPv{theirs} for {vip}, this node VRRPv{ours}: neither hears the other, {both_own}"
            );
            of(Severity::Error, text, fix.to_owned())
        }
        Difference::Interval { theirs, ours } => {
            let (theirs, ours) = (u32::from(theirs) * 10, u32::from(ours) * 10);
            let text =
                format!("advertisement_interval: {who} advertises {vip} each {theirs} ms, this node each {ours} ms");
            let fix = "give both the same (Keepalived: advert_int)".to_owned();
            match version {
                Version::V2(_) => of(Severity::Error, format!("{text}: VRRPv2 does not hear it, {both_own}"), fix),
                Version::V3(_) => {
                    of(Severity::Warning, format!("{text}: a dead owner is replaced after three of its own"), fix)
                }
            }
        }
        Difference::AuthenticationType { theirs, ours } => {
            let [theirs, ours] = [theirs, ours].map(authentication);
            let text = format!(
                "password: {who} advertises {vip} with {theirs}, this node has {ours}: its adverts are discarded, {both_own}"
            );
            let fix =
                "give both the same: password in [election], auth_type PASS and auth_pass in Keepalived".to_owned();
            of(Severity::Error, text, fix)
        }
        Difference::Password => {
            let text = format!(
                "password: {who} advertises {vip} with another password: its adverts are discarded, {both_own}"
            );
            let fix = "write its auth_pass as password in [election] on every node".to_owned();
            of(Severity::Error, text, fix)
        }
        Difference::Signature(fault) => {
            let (what, fix) = signature(fault);
            let text = format!("auth_hmac: {who} advertises {vip} {what}: its adverts are discarded, {both_own}");
            of(Severity::Error, text, fix.to_owned())
        }
        Difference::NotSignedYet => {
            let text = format!(
                "auth_hmac: {who} advertises {vip} unsigned, and is heard: with mode = \"enforce\" it would not be"
            );
            of(Severity::Warning, text, SIGN_THERE.to_owned())
        }
        Difference::AddressList { theirs } => {
            let text = format!(
                "virtual_router_id: {who} advertises {theirs} with identifier {id}, which is that of {vip} here: whichever ranks lower serves nobody"
            );
            let fix = format!("give {vip} another virtual_router_id on every node, or the other cluster");
            of(Severity::Error, text, fix)
        }
        Difference::AddressMissing { ours } => {
            let text = format!("follows: {who} advertises {vip} without {ours}: it may own {vip} and not have {ours}");
            let fix = format!("give every node the same VIPs (Keepalived: {ours} in virtual_ipaddress)");
            of(Severity::Error, text, fix)
        }
        Difference::Transport => {
            let text = format!(
                "transport: {who} advertises {vip} by multicast and this node by unicast, or the reverse: its adverts are discarded, {both_own}"
            );
            let fix = "give both the same transport in [election] (Keepalived: unicast_peer)".to_owned();
            of(Severity::Error, text, fix)
        }
        Difference::SamePriority(priority) => {
            let text = format!(
                "priority: {who} advertises {vip} with priority {priority} as this node does: the higher address wins"
            );
            of(Severity::Warning, text, "give it another priority".to_owned())
        }
        Difference::SameAddress => {
            let text = format!("address: somebody advertises {vip} from {who}, which is this node's own address");
            let fix = "take the address away from the other host, or find the loop in the network".to_owned();
            of(Severity::Error, text, fix)
        }
    }
}

const SIGN_THERE: &str = "have it sign with a key of this node's key file (Keepalived 2.4: auth_hmac), or this node with mode = \"permissive\" until it does";

fn signature(fault: SignatureFault) -> (String, &'static str) {
    let same_keys = "put the same election.auth_hmac.key_file on both (Keepalived: key in auth_hmac), then reload";
    match fault {
        SignatureFault::Missing => ("unsigned, and this node has mode = \"enforce\"".to_owned(), SIGN_THERE),
        SignatureFault::NotAwaited => (
            "signed, and this node has no auth_hmac".to_owned(),
            "give this node auth_hmac in [election] with its key, first with mode = \"receive-only\"",
        ),
        SignatureFault::UnknownKey(id) => (format!("signed with key {id}, which this node does not have"), same_keys),
        SignatureFault::Wrong | SignatureFault::Malformed | SignatureFault::Replayed => {
            ("with a signature that is wrong: another key, or a forgery".to_owned(), same_keys)
        }
    }
}

fn authentication(kind: u8) -> String {
    match kind {
        0 => "no password".to_owned(),
        1 => "a password".to_owned(),
        other => format!("authentication type {other}"),
    }
}

fn who(source: IpAddr, neighbours: &str) -> String {
    match hardware_address(source, neighbours) {
        Some(hardware) => format!("{source} ({hardware})"),
        None => source.to_string(),
    }
}

/// What the kernel knows of the hosts it has spoken to (proc_pid_net(5)); empty when it does not say.
fn neighbours() -> String {
    fs::read_to_string("/proc/self/net/arp").unwrap_or_default()
}

/// `IP address, HW type, Flags, HW address, ...`; an entry without an answer has flags 0x0.
fn hardware_address(address: IpAddr, neighbours: &str) -> Option<&str> {
    let rows = neighbours.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let known = rows.filter(|row| row.len() >= 4 && row[2] != "0x0");
    known.into_iter().find(|row| row[0].parse() == Ok(address)).map(|row| row[3])
}

#[cfg(test)]
mod tests {
    use fmc_config::model::election::ChecksumForm;

    use super::*;

    const V3: Version = Version::V3(ChecksumForm::PseudoHeader);
    const ARP: &str = "IP address       HW type     Flags       HW address            Mask     Device\n\
                       192.168.0.30     0x1         0x2         02:00:00:00:00:1e     *        eth0\n\
                       192.168.0.31     0x1         0x0         00:00:00:00:00:00     *        eth0\n";

    fn said(difference: Difference, version: Version) -> String {
        let who = who([192, 168, 0, 30].into(), ARP);
        let Sentence { severity, text, fix } = sentence(&who, &"api".parse().unwrap(), 32, difference, version);
        format!("{severity:?} {text}; {fix}")
    }

    #[test]
    fn a_sentence_names_the_field_who_it_is_what_follows_and_the_fix() {
        assert_eq!(
            said(Difference::Version { theirs: 2, ours: 3 }, V3),
            "Error version: 192.168.0.30 (02:00:00:00:00:1e) speaks VRRPv2 for api, this node VRRPv3: neither hears the other, and both \
             may own the address; have it speak VRRPv3 (Keepalived: vrrp_version 3), or write profile = \"compat\" in [election]"
        );
        assert_eq!(
            said(Difference::AddressList { theirs: [192, 168, 0, 77].into() }, V3),
            "Error virtual_router_id: 192.168.0.30 (02:00:00:00:00:1e) advertises 192.168.0.77 with identifier 32, which is that of api \
             here: whichever ranks lower serves nobody; give api another virtual_router_id on every node, or the other cluster"
        );
        assert_eq!(
            said(Difference::AddressMissing { ours: [192, 168, 0, 33].into() }, V3),
            "Error follows: 192.168.0.30 (02:00:00:00:00:1e) advertises api without 192.168.0.33: it may own api and not have 192.168.0.33; \
             give every node the same VIPs (Keepalived: 192.168.0.33 in virtual_ipaddress)"
        );
    }

    #[test]
    fn a_signature_that_is_missing_names_the_way_to_it_and_one_that_is_coming_is_no_error() {
        assert_eq!(
            said(Difference::Signature(SignatureFault::Missing), V3),
            "Error auth_hmac: 192.168.0.30 (02:00:00:00:00:1e) advertises api unsigned, and this node has mode = \"enforce\": its adverts \
             are discarded, and both may own the address; have it sign with a key of this node's key file (Keepalived 2.4: auth_hmac), \
             or this node with mode = \"permissive\" until it does"
        );
        assert!(said(Difference::NotSignedYet, V3).starts_with("Warning auth_hmac: "));
    }

    #[test]
    fn another_interval_makes_two_owners_in_version_2_only() {
        let differs = Difference::Interval { theirs: 200, ours: 100 };
        assert!(said(differs, V3).starts_with("Warning advertisement_interval: "), "{}", said(differs, V3));
        assert!(
            said(differs, Version::V2(None)).contains("both may own the address"),
            "{}",
            said(differs, Version::V2(None))
        );
    }

    #[test]
    fn a_host_that_never_answered_has_no_hardware_address() {
        assert_eq!(who([192, 168, 0, 31].into(), ARP), "192.168.0.31");
        assert_eq!(who([192, 168, 0, 99].into(), ""), "192.168.0.99");
    }
}
