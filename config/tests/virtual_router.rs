//! The parameters of a virtual router: what a file may say of it, and what is refused (RFC 9568 §6.1, RFC 3768 §6.1).

use fmc_config::diagnostic::{Code, Rule};
use fmc_config::model::Config;
use fmc_config::model::election::AuthMode;
use fmc_config::model::vip::VirtualRouterId;

/// The smallest file, with its VIP as given and these lines of `[election]`.
fn file(vip: &str, election: &str) -> String {
    let minimal = include_str!("../examples/minimal.toml");
    let typed = "[vips]\napi = \"192.168.0.32\"\n";
    assert!(minimal.contains(typed), "the example no longer says {typed}");
    format!("{}\n[election]\n{election}\n", minimal.replace(typed, &format!("[vips.api]\n{vip}\n")))
}

fn read(vip: &str, election: &str) -> Result<Config, Vec<Rule>> {
    let found = Config::parse(&file(vip, election), "fmc-lb.toml");
    found.map_err(|found| found.iter().map(|diagnostic| diagnostic.code).collect())
}

const VIP: &str = "address = \"192.168.0.32\"";

/// Proves V-01+, V-01-.
#[test]
fn an_identifier_is_1_to_255() {
    for id in [1, 32, 255] {
        let config = read(&format!("{VIP}\nvirtual_router_id = {id}"), "").unwrap();
        assert_eq!(config.vips[0].virtual_router_id, VirtualRouterId::new(id).unwrap());
    }
    for id in ["0", "256", "-1"] {
        let refused = read(&format!("{VIP}\nvirtual_router_id = {id}"), "");
        assert_eq!(refused.unwrap_err(), [Code::NumberOutOfRange], "{id}");
    }
    assert_eq!(VirtualRouterId::new(0), None);
}

/// Proves V-02+, V-02-.
#[test]
fn a_priority_is_9_to_254_and_254_when_nothing_is_said() {
    assert_eq!(read(VIP, "").unwrap().election.priority, 254);
    for priority in [9, 100, 254] {
        assert_eq!(read(VIP, &format!("priority = {priority}")).unwrap().election.priority, priority);
    }
    for priority in [0, 8, 255] {
        assert_eq!(read(VIP, &format!("priority = {priority}")).unwrap_err(), [Code::PriorityOutOfRange]);
    }
}

/// Proves V-03+, V-03-.
#[test]
fn an_interval_is_1_to_4095_hundredths_of_a_second() {
    let interval = |typed: &str| read(VIP, &format!("advertisement_interval = \"{typed}\""));
    for (typed, hundredths) in [("10ms", 1), ("1s", 100), ("40.95s", 4095)] {
        assert_eq!(interval(typed).unwrap().election.interval.get(), hundredths);
    }
    for typed in ["0s", "40960ms"] {
        assert_eq!(interval(typed).unwrap_err(), [Code::DurationOutOfRange], "{typed}");
    }
    assert_eq!(interval("15ms").unwrap_err(), [Code::DurationTooFine]);
}

/// Proves V-04+, V-04-.
#[test]
fn an_interval_of_version_2_is_whole_seconds() {
    let interval = |typed: &str| read(VIP, &format!("profile = \"compat\"\nadvertisement_interval = \"{typed}\""));
    for (typed, hundredths) in [("1s", 100), ("40s", 4000)] {
        assert_eq!(interval(typed).unwrap().election.interval.get(), hundredths);
    }
    for typed in ["500ms", "1500ms", "40.95s"] {
        assert_eq!(interval(typed).unwrap_err(), [Code::DurationTooFine], "{typed}");
    }
    assert_eq!(interval("0s").unwrap_err(), [Code::DurationOutOfRange]);
}

/// Proves V-102+, V-102-.
#[test]
fn advertisements_are_signed_or_have_a_password_and_not_both() {
    let auth = "auth_hmac = { key_file = \"/etc/fmc-lb/adverts.key\" }";
    for profile in ["", "profile = \"compat\"\n"] {
        let signed = read(VIP, &format!("{profile}{auth}")).unwrap().election.auth_hmac.unwrap();
        assert_eq!(signed.mode, AuthMode::Enforce, "the mode that protects is the one without a word");
    }
    let both = read(VIP, &format!("profile = \"compat\"\npassword = \"labpair\"\n{auth}"));
    assert!(both.unwrap_err().contains(&Code::EitherOr.into()));
    assert_eq!(read(VIP, "auth_hmac = { mode = \"enforce\" }").unwrap_err(), [Code::MissingKey]);
}

/// Proves V-06+, V-06-.
#[test]
fn there_is_no_accept_mode_to_turn_off() {
    assert!(read(VIP, "").is_ok());
    assert_eq!(read(VIP, "accept_mode = false").unwrap_err(), [Code::UnknownKey]);
}

/// Proves V-07, V-08, V-17, V-22, V-87, V-90.
#[test]
fn an_ipv6_address_is_refused_by_name_link_local_or_not() {
    for address in ["fd00::32", "fe80::32"] {
        assert_eq!(read(&format!("address = \"{address}\""), "").unwrap_err(), [Code::Ipv6NotBuilt], "{address}");
    }
}

/// Proves V-09+, V-09-, V-10+, V-10-, V-28-.
#[test]
fn a_virtual_router_has_one_address_of_one_family() {
    assert_eq!(read(VIP, "").unwrap().vips[0].address.octets(), [192, 168, 0, 32]);
    let list = read("address = [\"192.168.0.32\", \"fd00::32\"]", "");
    assert_eq!(list.unwrap_err(), [Code::WrongType]);
    let none = read("virtual_router_id = 32", "");
    assert_eq!(none.unwrap_err(), [Code::MissingKey]);
}

/// Proves V-40, V-64, V-80.
#[test]
fn a_virtual_address_that_a_node_owns_as_its_own_is_refused() {
    let own = file("address = \"192.168.0.30\"", "");
    let found = Config::parse(&own, "fmc-lb.toml").unwrap_err();
    assert!(found.iter().any(|diagnostic| diagnostic.code == Code::VipIsNode), "{found}");
}
