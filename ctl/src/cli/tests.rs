use clap::CommandFactory;

use super::*;

fn verb(line: &str) -> Result<Verb, clap::Error> {
    Cli::try_parse_from(line.split(' ')).map(|cli| cli.verb)
}

fn target(line: &str) -> Result<Target, TypedTargetError> {
    match verb(line).unwrap() {
        Verb::Drain(state) => state.target(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_tree_has_no_contradiction() {
    Cli::command().debug_assert();
}

#[test]
fn a_target_is_a_server_in_one_backend_or_in_all_or_a_node() {
    for spelled in ["masters/master2", "master2", "node loadbalancer1"] {
        assert_eq!(target(&format!("fmc-lbctl drain {spelled}")).unwrap().to_string(), spelled);
    }
}

#[test]
fn a_node_without_its_name_and_two_servers_are_refused() {
    assert_eq!(target("fmc-lbctl drain node"), Err(TypedTargetError::NodeWithoutName));
    assert!(matches!(target("fmc-lbctl drain master1 master2"), Err(TypedTargetError::Two(..))));
}

#[test]
fn failover_without_a_vip_means_all() {
    assert!(matches!(verb("fmc-lbctl failover"), Ok(Verb::Failover(Failover { vips: VipChoice::All, .. }))));
    let named = verb("fmc-lbctl failover api --to loadbalancer2 --dry-run").unwrap();
    assert!(matches!(named, Verb::Failover(Failover { vips: VipChoice::Named(_), to: Some(_), dry_run: true, .. })));
}

#[test]
fn a_rebalance_is_gentle_unless_told_otherwise() {
    let Ok(Verb::Rebalance(gentle)) = verb("fmc-lbctl rebalance masters") else { panic!("not understood") };
    assert_eq!((gentle.idle, gentle.rate.get(), gentle.dry_run), (Duration::from_secs(5), 10, false));
    let Ok(Verb::Rebalance(told)) = verb("fmc-lbctl rebalance masters --idle 1m --rate 200/s") else { panic!() };
    assert_eq!((told.idle, told.rate.get()), (Duration::from_secs(60), 200));
    for wrong in ["0/s", "1001/s", "10/m", "fast"] {
        assert!(verb(&format!("fmc-lbctl rebalance masters --rate {wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn a_weight_over_256_and_a_timeout_without_wait_are_usage_errors() {
    for line in [
        "fmc-lbctl weight masters/master2 257",
        "fmc-lbctl drain master2 --timeout 5m",
        "fmc-lbctl kill abc",
        "fmc-lbctl probe master2",
    ] {
        assert!(verb(line).unwrap_err().use_stderr(), "{line}");
    }
}

#[test]
fn a_verb_is_for_all_nodes_for_this_one_or_for_a_named_one() {
    let nodes = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| cli.nodes());
    assert_eq!(nodes("fmc-lbctl drain master2").unwrap(), Nodes::All);
    assert_eq!(nodes("fmc-lbctl drain master2 --this-node").unwrap(), Nodes::This);
    let named = nodes("fmc-lbctl sessions --node loadbalancer2").unwrap();
    assert_eq!(named, Nodes::Node("loadbalancer2".parse().unwrap()));
    assert!(nodes("fmc-lbctl status --this-node --node loadbalancer2").is_err());
}

#[test]
fn global_flags_stand_before_or_after_the_verb() {
    for line in ["fmc-lbctl --json --socket /s status", "fmc-lbctl status --json --socket /s"] {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        assert!(cli.json && cli.socket.as_os_str() == "/s");
    }
}
