//! The parameters of a virtual router: what a file may say of it, and what is refused (RFC 9568 §6.1, RFC 3768 §6.1).

use std::net::IpAddr;

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

/// Proves V-07.
#[test]
fn virtual_routers_of_two_families_may_have_one_identifier() {
    let both = "[vips.api6]\naddress = \"fd00::32\"\nvirtual_router_id = 32";
    let config = read(&format!("{VIP}\n{both}"), "").unwrap();
    assert_eq!(config.vips[0].virtual_router_id, config.vips[1].virtual_router_id);
    let third = format!("{both}\n[vips.web6]\naddress = \"fd00::33\"\nvirtual_router_id = 32");
    assert_eq!(read(&format!("{VIP}\n{third}"), "").unwrap_err(), [Code::VirtualRouterIdTaken]);
}

#[test]
fn the_identifier_of_an_ipv6_address_is_its_last_octet_which_must_not_be_0() {
    let id = |address: &str| {
        read(&format!("address = \"{address}\""), "").map(|config| config.vips[0].virtual_router_id.get())
    };
    assert_eq!((id("fd00::32"), id("fd00::1:ff")), (Ok(0x32), Ok(0xff)));
    assert_eq!(id("fd00::100").unwrap_err(), [Code::VirtualRouterIdNeeded]);
}

/// Proves V-08.
#[test]
fn an_ipv6_virtual_router_begins_with_a_link_local_address_when_it_is_given_one() {
    let vip = "address = \"fe80::32\"\ninterface = \"eth0\"\n[vips.web]\naddress = \"fd00::32\"\nfollows = \"api\"";
    let served = |text: String| text.replace("vip = \"api\"", "vip = \"web\"");
    let (config, warnings) = Config::parse_with_warnings(&served(file(vip, "")), "fmc-lb.toml").unwrap();
    let elected: Vec<_> = config.elected_with(&config.vips[0].name).map(|vip| vip.address.to_string()).collect();
    assert_eq!(
        (elected, warnings.is_empty()),
        (vec!["fe80::32".to_owned(), "fd00::32".to_owned()], true),
        "{warnings}"
    );
    assert!(read("address = \"fd00::32\"", "").is_ok(), "it need not");
    let anywhere = file(&vip.replace("interface = \"eth0\"\n", ""), "");
    let refused = Config::parse(&served(anywhere), "fmc-lb.toml").unwrap_err();
    assert!(refused.iter().all(|found| found.code == Code::LinkLocalWithoutInterface), "{refused}");
}

/// Proves V-09+, V-09-, V-10+, V-10-, V-28-.
#[test]
fn a_virtual_router_has_one_address_of_one_family() {
    assert_eq!(read(VIP, "").unwrap().vips[0].address, IpAddr::from([192, 168, 0, 32]));
    let list = read("address = [\"192.168.0.32\", \"fd00::32\"]", "");
    assert_eq!(list.unwrap_err(), [Code::WrongType]);
    let none = read("virtual_router_id = 32", "");
    assert_eq!(none.unwrap_err(), [Code::MissingKey]);
}

/// Proves V-09+, V-10+.
#[test]
fn a_vip_that_follows_another_is_elected_by_the_virtual_router_of_that_one() {
    let both = |web: &str| read(&format!("{VIP}\n[vips.web]\naddress = \"192.168.0.33\"\n{web}"), "");
    let config = both("follows = \"api\"").unwrap();
    let [api, web] = &config.vips[..] else { panic!("{:?}", config.vips) };
    assert_eq!(web.virtual_router_id, api.virtual_router_id);
    assert_eq!((api.elected_as(), web.elected_as()), (&api.name, &api.name));
    let together: Vec<_> = config.elected_with(&web.name).map(|vip| vip.name.as_str()).collect();
    assert_eq!(together, ["api", "web"]);
    assert_eq!(both("").unwrap().elected_with(&web.name).count(), 1);
    assert_eq!(both("follows = \"web\"").unwrap_err(), [Code::FollowChain]);
    assert_eq!(both("follows = \"apo\"").unwrap_err(), [Code::UnknownVip]);
    assert_eq!(both("follows = \"api\"\nvirtual_router_id = 9").unwrap_err(), [Code::EitherOr]);
}

/// Proves V-40, V-64, V-80.
#[test]
fn a_virtual_address_that_a_node_owns_as_its_own_is_refused() {
    let own = file("address = \"192.168.0.30\"", "");
    let found = Config::parse(&own, "fmc-lb.toml").unwrap_err();
    assert!(found.iter().any(|diagnostic| diagnostic.code == Code::VipIsNode), "{found}");
}

/// Proves V-23-.
#[test]
fn the_mac_address_is_that_of_the_card_unless_the_virtual_one_is_asked_for() {
    assert!(!read(VIP, "").unwrap().vips[0].virtual_mac);
    for (typed, meant) in [("true", true), ("false", false)] {
        let config = read(&format!("{VIP}\nvirtual_mac = {typed}"), "").unwrap();
        assert_eq!(config.vips[0].virtual_mac, meant);
        assert_eq!(Config::parse(&config.effective(), "effective.toml").unwrap().vips, config.vips);
    }
    let ipv6 = read("address = \"fd00::32\"\ninterface = \"eth0\"\nvirtual_mac = true", "").map(|read| read.vips);
    assert!(ipv6.as_ref().is_ok_and(|vips| vips[0].virtual_mac), "{ipv6:?}");
}
