use std::time::Duration;

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

/// A command asked on loadbalancer1.
fn order(layer: &mut Administrative, asked: Asked) -> Order {
    Order { asked, stamp: layer.next_stamp(&node()) }
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
        let order = order(self, at(minute, 0));
        self.apply(wanted, &[subject], format!("act of minute {minute}"), &order, &config())
    }

    fn drain(&mut self, name: &str, minute: u64) -> Vec<Effect> {
        self.ask(Wanted::State(AdminState::Drain), server(name), minute)
    }

    fn weigh(&mut self, name: &str, weight: u16, minute: u64) -> Vec<Effect> {
        self.ask(Wanted::Weight(Weight::new(weight).unwrap()), server(name), minute)
    }

    fn take_back(&mut self) -> Vec<Effect> {
        self.take_last_back(&config()).expect("an act").effects
    }

    fn take_last_back(&mut self, config: &Config) -> Option<Undone> {
        let order = order(self, at(59, 0));
        self.undo(&order, config)
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
    assert_eq!(layer.last_act().unwrap().stamp.count, 1);
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
    assert_eq!(layer.take_last_back(&config()), None);
    assert_eq!(layer.in_force(), []);
}

#[test]
fn a_node_that_was_made_ready_is_drained_again_by_undo() {
    let mut layer = Administrative::default();
    layer.ask(Wanted::State(AdminState::Maint), Subject::Node(node()), 1);
    assert_eq!((layer.node(&node()), layer.node_asked(&node())), (AdminState::Maint, Some(at(1, 0))));
    layer.ask(Wanted::State(AdminState::Ready), Subject::Node(node()), 2);
    assert_eq!((layer.node(&node()), layer.node_asked(&node())), (AdminState::Ready, None));
    assert_eq!(layer.take_back(), [Effect::Node(node(), AdminState::Maint)]);
    assert_eq!(layer.node_asked(&node()), Some(at(1, 0)), "it is as old as when it was asked");
}

#[test]
fn one_command_to_many_servers_is_one_act() {
    let mut layer = Administrative::default();
    layer.drain("master2", 1);
    let both = [server("master1"), server("master2")];
    let order = order(&mut layer, at(2, 0));
    layer.apply(Wanted::State(AdminState::Drain), &both, "drain all".to_owned(), &order, &config());
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
    let stale = layer.reconcile(&heavier);
    assert_eq!(stale.len(), 1);
    assert_eq!(stale[0].of, server("master1"));
    assert_eq!(
        stale[0].text,
        "no longer in force: weight 50, asked by uid 0 at 2026-11-21T03:01:00.000Z; the configuration says 200 now and said 1"
    );
    assert_eq!(layer.in_force(), [state_of("master1", AdminState::Drain)]);
    assert_eq!(layer.reconcile(&heavier), [], "it is said once");
}

#[test]
fn a_server_that_is_gone_or_elsewhere_and_a_node_that_is_gone_take_their_entries_along() {
    let mut layer = Administrative::default();
    layer.drain("master1", 1);
    layer.drain("master2", 2);
    layer.ask(Wanted::State(AdminState::Maint), Subject::Node(node()), 3);
    let moved =
        FILE.replace("master1 = \"10.17.4.21:6443\", master2 = \"10.17.4.22:6443\"", "master1 = \"10.17.4.29:6443\"");
    let moved = Config::parse(&moved.replace("loadbalancer1 =", "loadbalancer9 ="), "test.toml").unwrap();
    let said: Vec<String> = layer.reconcile(&moved).into_iter().map(|stale| stale.text).collect();
    assert!(said[0].ends_with("the configuration has no such node"), "{said:?}");
    assert!(
        said[1].ends_with("the server of that name is at 10.17.4.29:6443 now and was at 10.17.4.21:6443"),
        "{said:?}"
    );
    assert!(said[2].ends_with("the configuration has no such server"), "{said:?}");
    assert_eq!((layer.in_force(), layer.node(&node())), (Vec::new(), AdminState::Ready));
}

#[test]
fn undo_never_brings_back_what_the_configuration_has_replaced() {
    let mut layer = Administrative::default();
    layer.drain("master2", 1);
    layer.ask(Wanted::State(AdminState::Ready), server("master2"), 2);
    let without = config_with(", master2 = \"10.17.4.22:6443\"", "");
    let undone = layer.take_last_back(&without).expect("an act");
    assert_eq!((undone.act.stamp.count, undone.effects), (2, Vec::new()));
    assert_eq!(layer.in_force(), []);
}

#[test]
fn the_journal_is_bounded_and_its_numbers_go_on() {
    let mut layer = Administrative::default();
    for minute in 0..50 {
        layer.weigh("master1", 10 + u16::try_from(minute).unwrap(), minute);
    }
    let taken: Vec<u64> =
        std::iter::from_fn(|| layer.take_last_back(&config())).map(|undone| undone.act.stamp.count).collect();
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
    let head: Vec<&str> = text.lines().skip(2).skip_while(|line| !line.contains("masters/master1")).take(14).collect();
    let expected = [
        "of = \"masters/master1\"",
        "place = \"10.17.4.21:6443\"",
        "",
        "[standing.state_stamp]",
        "count = 1",
        "by = \"loadbalancer1\"",
        "",
        "[standing.weight_stamp]",
        "count = 2",
        "by = \"loadbalancer1\"",
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
    let future = Administrative::from_record("version = 3\n[[pins]]\nvip = \"api\"\n").unwrap_err();
    assert!(matches!(future, RecordError::Version(3)), "{future}");
    for broken in ["", "version = 2", "\u{0}\u{0}", "version = 2\ncount = 0\nsurprise = 1"] {
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

/// The layer of loadbalancer2 after it was asked for something.
fn elsewhere(layer: &mut Administrative, wanted: Wanted, subject: Subject, minute: u64) -> Vec<Effect> {
    let stamp = layer.next_stamp(&"loadbalancer2".parse().unwrap());
    let order = Order { asked: at(minute, 0), stamp };
    layer.apply(wanted, &[subject], format!("act of minute {minute} elsewhere"), &order, &config())
}

#[test]
fn two_orders_that_wait_at_the_same_time_are_two_acts() {
    let mut layer = Administrative::default();
    let (first, second) = (order(&mut layer, at(1, 0)), order(&mut layer, at(1, 0)));
    assert_ne!(first.stamp, second.stamp);
    let drain = Wanted::State(AdminState::Drain);
    layer.apply(drain, &[server("master2")], "drain masters/master2".to_owned(), &second, &config());
    layer.apply(drain, &[server("master1")], "drain masters/master1".to_owned(), &first, &config());
    let mut there = Administrative::default();
    there.merge(&layer, &config());
    assert_eq!(there.last_act().unwrap().what, "drain masters/master2");
    there.take_back();
    assert_eq!(there.last_act().unwrap().what, "drain masters/master1", "each can be taken back");
}

#[test]
fn whoever_carries_out_an_order_counts_beyond_it_and_tells_a_node_that_forgot_it() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    let given = order(&mut here, at(1, 0));
    there.heard_of(&given.stamp);
    assert!(there.next_stamp(&"loadbalancer2".parse().unwrap()) > given.stamp);
    let mut restarted = Administrative::default();
    restarted.merge(&there, &config());
    assert!(restarted.next_stamp(&node()) > given.stamp, "a trial's name is not given twice");
}

#[test]
fn a_pin_of_all_nodes_reaches_the_one_that_was_away() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    let nodes = ["loadbalancer1", "loadbalancer2"].map(|name| Subject::Node(name.parse().unwrap()));
    let order = order(&mut here, at(1, 0));
    here.apply(Wanted::Pin(std::time::Duration::from_secs(3600)), &nodes, "pin 3600s".to_owned(), &order, &config());
    let effects = there.merge(&here, &config());
    assert!(effects.contains(&Effect::Pin("loadbalancer2".parse().unwrap())), "{effects:?}");
    assert!(there.pin(&"loadbalancer2".parse().unwrap()).is_some());
}

#[test]
fn what_is_asked_on_either_node_is_in_force_on_both() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    here.drain("master1", 1);
    elsewhere(&mut there, Wanted::Weight(Weight::new(7).unwrap()), server("master2"), 2);
    assert_eq!(here.merge(&there, &config()), [weight_of("master2", 7)]);
    assert_eq!(there.merge(&here, &config()), [state_of("master1", AdminState::Drain)]);
    assert_eq!(here, there);
    assert_eq!(here.digest().unwrap(), there.digest().unwrap());
    assert_eq!(here.merge(&there, &config()), [], "again is nothing new");
}

#[test]
fn of_two_acts_on_one_server_the_newer_one_counts_and_ready_is_an_act_too() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    here.drain("master1", 1);
    there.merge(&here, &config());
    elsewhere(&mut there, Wanted::State(AdminState::Ready), server("master1"), 2);
    assert_eq!(here.merge(&there, &config()), [state_of("master1", AdminState::Ready)]);
    assert_eq!(there.merge(&here, &config()), [], "the drain does not come back");
    assert_eq!((here.in_force(), &here), (Vec::new(), &there));
}

#[test]
fn a_drain_here_and_a_weight_elsewhere_both_stand_and_are_taken_back_apart() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    here.drain("master1", 1);
    elsewhere(&mut there, Wanted::Weight(Weight::new(7).unwrap()), server("master1"), 2);
    here.merge(&there, &config());
    there.merge(&here, &config());
    assert_eq!(here.in_force(), [state_of("master1", AdminState::Drain), weight_of("master1", 7)]);
    assert_eq!(there.take_back(), [weight_of("master1", 1)]);
    here.merge(&there, &config());
    assert_eq!(here.in_force(), [state_of("master1", AdminState::Drain)]);
    assert_eq!(here.take_back(), [state_of("master1", AdminState::Ready)]);
}

#[test]
fn an_act_is_taken_back_on_whichever_node_is_asked_and_once() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    here.drain("master1", 1);
    there.merge(&here, &config());
    assert_eq!(there.take_back(), [state_of("master1", AdminState::Ready)]);
    assert_eq!(here.merge(&there, &config()), [state_of("master1", AdminState::Ready)]);
    assert_eq!((here.last_act(), there.last_act()), (None, None));
}

#[test]
fn what_a_configuration_dropped_is_not_brought_back_by_a_node_that_has_the_old_one() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    here.drain("master1", 1);
    there.merge(&here, &config());
    let moved = config_with("master1 = \"10.17.4.21:6443\"", "master1 = \"10.17.4.29:6443\"");
    assert_eq!(here.reconcile(&moved).len(), 1);
    assert_eq!(here.merge(&there, &moved), []);
    assert_eq!(here.in_force(), []);
    assert_eq!(there.merge(&here, &config()), [], "and the other node keeps it until it has the new one");
    assert_eq!(there.in_force(), [state_of("master1", AdminState::Drain)]);
}

#[test]
fn what_is_asked_of_another_node_is_kept_for_it() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    let other: NodeName = "loadbalancer2".parse().unwrap();
    here.ask(Wanted::State(AdminState::Maint), Subject::Node(other.clone()), 1);
    assert_eq!(there.merge(&here, &config()), [Effect::Node(other.clone(), AdminState::Maint)]);
    assert_eq!((there.node(&other), there.node(&node())), (AdminState::Maint, AdminState::Ready));
}

#[test]
fn a_pin_holds_for_its_time_on_every_node_and_can_be_taken_back() {
    let (mut here, mut there) = (Administrative::default(), Administrative::default());
    let hour = Duration::from_secs(3600);
    assert_eq!(here.ask(Wanted::Pin(hour), Subject::Node(node()), 1), [Effect::Pin(node())]);
    assert_eq!(there.merge(&here, &config()), [Effect::Pin(node())]);
    let left = |layer: &Administrative, minute| layer.pin(&node()).map(|pin| pin.left(at(minute, 0).at));
    assert_eq!(left(&there, 1), Some(hour));
    assert_eq!(left(&there, 31), Some(hour / 2));
    assert_eq!(left(&there, 0), Some(hour), "a clock that was set back holds it no longer than it was meant");
    here.expire(at(60, 0).at);
    assert!(here.pin(&node()).is_some(), "a minute is left");
    here.expire(at(61, 0).at);
    assert_eq!(here.pin(&node()), None);
    assert_eq!(here.merge(&there, &config()), [], "nor does it come back from a node that has not looked yet");
    assert_eq!(there.take_back(), [Effect::Pin(node())]);
    assert_eq!(there.pin(&node()), None);
}

/// One thing that happens to three nodes.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask { node: usize, server: usize, state: usize },
    Weigh { node: usize, server: usize, weight: u16 },
    Undo { node: usize },
    Hear { node: usize, from: usize },
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    use proptest::prelude::*;
    prop_oneof![
        (0..3usize, 0..2usize, 0..3usize).prop_map(|(node, server, state)| Step::Ask { node, server, state }),
        (0..3usize, 0..2usize, 0..4u16).prop_map(|(node, server, weight)| Step::Weigh { node, server, weight }),
        (0..3usize).prop_map(|node| Step::Undo { node }),
        (0..3usize, 0..3usize).prop_map(|(node, from)| Step::Hear { node, from }),
    ]
}

proptest::proptest! {
    /// Whatever is asked wherever, and whoever hears of it when: once all have heard of all, all agree.
    #[test]
    fn nodes_that_have_heard_of_each_other_agree(steps in proptest::collection::vec(step(), 0..40)) {
        let config = config();
        let names: Vec<NodeName> = ["loadbalancer1", "loadbalancer2", "loadbalancer3"].map(|name| name.parse().unwrap()).into();
        let mut nodes = vec![Administrative::default(); 3];
        for (minute, step) in (1..).zip(steps) {
            match step {
                Step::Ask { node, server: which, state } => {
                    let state = [AdminState::Ready, AdminState::Drain, AdminState::Maint][state];
                    let order = Order { asked: at(minute, 0), stamp: nodes[node].next_stamp(&names[node]) };
                    let subject = server(["master1", "master2"][which]);
                    nodes[node].apply(Wanted::State(state), &[subject], "ask".to_owned(), &order, &config);
                }
                Step::Weigh { node, server: which, weight } => {
                    let order = Order { asked: at(minute, 0), stamp: nodes[node].next_stamp(&names[node]) };
                    let subject = server(["master1", "master2"][which]);
                    let wanted = Wanted::Weight(Weight::new(weight).unwrap());
                    nodes[node].apply(wanted, &[subject], "weigh".to_owned(), &order, &config);
                }
                Step::Undo { node } => {
                    let order = Order { asked: at(minute, 0), stamp: nodes[node].next_stamp(&names[node]) };
                    nodes[node].undo(&order, &config);
                }
                Step::Hear { node, from } => {
                    let theirs = nodes[from].clone();
                    nodes[node].merge(&theirs, &config);
                }
            }
        }
        for _ in 0..2 {
            for node in 0..3 {
                let theirs = nodes[(node + 1) % 3].clone();
                nodes[node].merge(&theirs, &config);
            }
        }
        proptest::prop_assert_eq!(nodes[0].digest().unwrap(), nodes[1].digest().unwrap());
        proptest::prop_assert_eq!(nodes[1].digest().unwrap(), nodes[2].digest().unwrap());
    }
}
