use fmc_api::Moment;
use fmc_config::model::Config;

use super::record::RecordError;
use super::*;

const FILE: &str = r#"
[nodes]
loadbalancer1 = "192.168.0.30"
loadbalancer2 = "192.168.0.31"
[vips.api]
address = "192.168.0.32"
[frontends.k8s-api]
vip = "api"
port = 6443
profile = "k8s-api"
backend = "masters"
[backends.masters]
servers = { master1 = "10.17.4.21:6443", master2 = "10.17.4.22:6443" }
"#;

fn config() -> Config {
    Config::parse(FILE, "test.toml").unwrap()
}

fn config_with(old: &str, new: &str) -> Config {
    assert!(FILE.contains(old));
    Config::parse(&FILE.replace(old, new), "test.toml").unwrap()
}

fn at(minute: u64, uid: u32) -> Asked {
    Asked { at: Moment::from_unix_ms(1_795_230_000_000 + minute * 60_000), uid }
}

fn node() -> NodeName {
    "loadbalancer1".parse().unwrap()
}

fn server(name: &str) -> Subject {
    Subject::Server("masters".parse().unwrap(), name.parse().unwrap())
}

fn state_of(name: &str, state: AdminState) -> Effect {
    Effect::State("masters".parse().unwrap(), name.parse().unwrap(), state)
}

fn weight_of(name: &str, weight: u16) -> Effect {
    Effect::Weight("masters".parse().unwrap(), name.parse().unwrap(), Weight::new(weight).unwrap())
}

impl Administrative {
    fn ask(&mut self, wanted: Wanted, subject: Subject, minute: u64) -> Vec<Effect> {
        self.apply(wanted, &[subject], format!("act of minute {minute}"), at(minute, 0), &config())
    }

    fn drain(&mut self, name: &str, minute: u64) -> Vec<Effect> {
        self.ask(Wanted::State(AdminState::Drain), server(name), minute)
    }

    fn weigh(&mut self, name: &str, weight: u16, minute: u64) -> Vec<Effect> {
        self.ask(Wanted::Weight(Weight::new(weight).unwrap()), server(name), minute)
    }

    fn take_back(&mut self) -> Vec<Effect> {
        self.undo(&config(), &node()).expect("an act").effects
    }
}

#[test]
fn a_state_stands_until_it_is_taken_back_by_ready() {
    let mut layer = Administrative::default();
    assert_eq!(layer.drain("master1", 1), [state_of("master1", AdminState::Drain)]);
    assert_eq!(layer.in_force(), [state_of("master1", AdminState::Drain)]);
    layer.ask(Wanted::State(AdminState::Ready), server("master1"), 2);
    assert_eq!(layer.in_force(), []);
}

#[test]
fn what_is_asked_again_acts_again_but_is_no_new_act_and_keeps_its_first_signature() {
    let mut layer = Administrative::default();
    layer.drain("master1", 1);
    assert_eq!(layer.drain("master1", 9), [state_of("master1", AdminState::Drain)]);
    let standing = layer.server(&"masters".parse().unwrap(), &"master1".parse().unwrap()).unwrap();
    assert_eq!(standing.state_asked(), Some(at(1, 0)));
    assert_eq!(layer.last_act().unwrap().number, 1);
}

#[test]
fn acts_are_taken_back_in_reverse_until_none_is_left() {
    let mut layer = Administrative::default();
    layer.drain("master1", 1);
    layer.weigh("master1", 50, 2);
    layer.ask(Wanted::State(AdminState::Maint), server("master1"), 3);
    assert_eq!(layer.take_back(), [state_of("master1", AdminState::Drain)]);
    assert_eq!(layer.take_back(), [weight_of("master1", 1)]);
    assert_eq!(layer.take_back(), [state_of("master1", AdminState::Ready)]);
    assert_eq!(layer.undo(&config(), &node()), None);
    assert_eq!(layer.in_force(), []);
}

#[test]
fn a_node_that_was_made_ready_is_drained_again_by_undo() {
    let mut layer = Administrative::default();
    layer.ask(Wanted::State(AdminState::Maint), Subject::Node(node()), 1);
    assert_eq!((layer.node(), layer.node_asked()), (AdminState::Maint, Some(at(1, 0))));
    layer.ask(Wanted::State(AdminState::Ready), Subject::Node(node()), 2);
    assert_eq!((layer.node(), layer.node_asked()), (AdminState::Ready, None));
    assert_eq!(layer.take_back(), [Effect::Node(AdminState::Maint)]);
    assert_eq!(layer.node_asked(), Some(at(1, 0)), "it is as old as when it was asked");
}

#[test]
fn one_command_to_many_servers_is_one_act() {
    let mut layer = Administrative::default();
    layer.drain("master2", 1);
    let both = [server("master1"), server("master2")];
    layer.apply(Wanted::State(AdminState::Drain), &both, "drain all".to_owned(), at(2, 0), &config());
    assert_eq!(layer.take_back(), [state_of("master1", AdminState::Ready)], "master2 was drained before");
}

#[test]
fn a_weight_equal_to_the_configured_one_is_not_kept() {
    let mut layer = Administrative::default();
    layer.weigh("master1", 0, 1);
    assert_eq!(layer.weigh("master1", 1, 2), [weight_of("master1", 1)]);
    assert_eq!(layer.in_force(), []);
}

#[test]
fn a_weight_that_the_file_changed_since_is_dropped_and_said_and_the_drain_stays() {
    let mut layer = Administrative::default();
    layer.weigh("master1", 50, 1);
    layer.drain("master1", 2);
    let heavier =
        config_with("master1 = \"10.17.4.21:6443\"", "master1 = { address = \"10.17.4.21:6443\", weight = 200 }");
    let stale = layer.reconcile(&heavier, &node());
    assert_eq!(stale.len(), 1);
    assert_eq!(stale[0].of, server("master1"));
    assert_eq!(
        stale[0].text,
        "no longer in force: weight 50, asked by uid 0 at 2026-11-21T03:01:00.000Z; the configuration says 200 now and said 1"
    );
    assert_eq!(layer.in_force(), [state_of("master1", AdminState::Drain)]);
    assert_eq!(layer.reconcile(&heavier, &node()), [], "it is said once");
}

#[test]
fn a_server_that_is_gone_or_elsewhere_or_another_node_takes_its_entry_along() {
    let mut layer = Administrative::default();
    layer.drain("master1", 1);
    layer.drain("master2", 2);
    layer.ask(Wanted::State(AdminState::Maint), Subject::Node(node()), 3);
    let moved =
        config_with("master1 = \"10.17.4.21:6443\", master2 = \"10.17.4.22:6443\"", "master1 = \"10.17.4.29:6443\"");
    let said: Vec<String> =
        layer.reconcile(&moved, &"loadbalancer2".parse().unwrap()).into_iter().map(|stale| stale.text).collect();
    assert!(
        said[0].ends_with("the server of that name is at 10.17.4.29:6443 now and was at 10.17.4.21:6443"),
        "{said:?}"
    );
    assert!(said[1].ends_with("the configuration has no such server"), "{said:?}");
    assert!(said[2].ends_with("this is loadbalancer2"), "{said:?}");
    assert_eq!((layer.in_force(), layer.node()), (Vec::new(), AdminState::Ready));
}

#[test]
fn undo_never_brings_back_what_the_configuration_has_replaced() {
    let mut layer = Administrative::default();
    layer.drain("master2", 1);
    layer.ask(Wanted::State(AdminState::Ready), server("master2"), 2);
    let without = config_with(", master2 = \"10.17.4.22:6443\"", "");
    let undone = layer.undo(&without, &node()).expect("an act");
    assert_eq!((undone.act.number, undone.effects), (2, Vec::new()));
    assert_eq!(layer.in_force(), []);
}

#[test]
fn the_journal_is_bounded_and_its_numbers_go_on() {
    let mut layer = Administrative::default();
    for minute in 0..50 {
        layer.weigh("master1", 10 + u16::try_from(minute).unwrap(), minute);
    }
    let taken: Vec<u64> =
        std::iter::from_fn(|| layer.undo(&config(), &node())).map(|undone| undone.act.number).collect();
    assert_eq!((taken.len(), taken.first(), taken.last()), (32, Some(&50), Some(&19)));
}

#[test]
fn a_record_comes_back_as_it_was_and_can_be_read_by_a_person() {
    let mut layer = Administrative::default();
    layer.drain("master1", 1);
    layer.weigh("master1", 50, 2);
    layer.ask(Wanted::State(AdminState::Maint), Subject::Node(node()), 3);
    let text = layer.to_record().unwrap();
    assert_eq!(Administrative::from_record(&text).unwrap(), layer);
    let head: Vec<&str> = text.lines().skip(2).take(10).collect();
    let expected = [
        "version = 1",
        "acts_done = 3",
        "",
        "[[standing]]",
        "of = \"masters/master1\"",
        "place = \"10.17.4.21:6443\"",
        "",
        "[standing.state]",
        "is = \"drain\"",
        "at = \"2026-11-21T03:01:00.000Z\"",
    ];
    assert_eq!(head, expected, "{text}");
}

#[test]
fn an_empty_layer_comes_back_empty() {
    let text = Administrative::default().to_record().unwrap();
    assert_eq!(Administrative::from_record(&text).unwrap(), Administrative::default());
}

#[test]
fn a_record_of_the_future_is_told_from_a_broken_one() {
    let future = Administrative::from_record("version = 2\n[[pins]]\nvip = \"api\"\n").unwrap_err();
    assert!(matches!(future, RecordError::Version(2)), "{future}");
    for broken in ["", "version = 1", "\u{0}\u{0}", "version = 1\nacts_done = 0\nsurprise = 1"] {
        let error = Administrative::from_record(broken).unwrap_err();
        assert!(matches!(error, RecordError::Malformed(_)), "{broken:?}: {error}");
    }
}

#[test]
fn a_weight_that_is_none_and_a_server_without_a_backend_are_refused() {
    let mut layer = Administrative::default();
    layer.weigh("master1", 50, 1);
    let text = layer.to_record().unwrap();
    for (old, new) in [("is = 50", "is = 257"), ("masters/master1", "master1")] {
        assert!(Administrative::from_record(&text.replace(old, new)).is_err(), "{new}");
    }
}
