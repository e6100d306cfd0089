//! The cluster: a majority is possible, and there is an order in which everything can start.

use fmc_config::findings::Findings;

use super::Checking;
use crate::inventory::{Join, Role};
use crate::lab::before;
use crate::rule::Broken;

pub(super) fn check(checking: &Checking<'_>, findings: &mut Findings) {
    if let Some(k3s) = &checking.lab.k3s {
        let servers = checking.lab.servers();
        if servers.len().is_multiple_of(2) {
            let problem =
                format!("{} servers survive the loss of no more than {} do", servers.len(), servers.len().max(1) - 1);
            let fix = "give an odd number of machines the role \"server\": 3, or 5";
            checking.report(Broken::EvenServers, "k3s", problem, fix, findings);
        }
        let first = checking.lab.machine(&k3s.bootstrap);
        if first.is_some_and(|machine| !machine.is(Role::Server)) {
            let problem = format!("{} is no server", k3s.bootstrap);
            let names: Vec<_> = servers.iter().map(|machine| machine.name.as_str()).collect();
            checking.report(
                Broken::BootstrapNotServer,
                "k3s.bootstrap",
                problem,
                fmc_config::suggest::fix("", names),
                findings,
            );
        }
        joins(checking, k3s.join, findings);
    }
    cycle(checking, findings);
}

/// A server may join through the virtual address only when somebody holds it by then: a balancer that waits for no server.
fn joins(checking: &Checking<'_>, join: Join, findings: &mut Findings) {
    if join == Join::Bootstrap {
        return;
    }
    let edges = checking.lab.waits();
    let bootstrap = checking.lab.k3s.as_ref().map(|k3s| k3s.bootstrap.clone());
    for server in checking.lab.servers().into_iter().filter(|server| Some(&server.name) != bootstrap.as_ref()) {
        let before = before(&edges, &server.name);
        if !checking.lab.with_role(Role::Balancer).any(|balancer| before.contains(&balancer.name)) {
            let problem = format!("{} would join through an address that nobody holds yet", server.name);
            let fix = format!(
                "write `join = \"bootstrap\"`, or start a balancer first: `after = [\"loadbalancer1\"]` at [machines.{}]",
                server.name
            );
            checking.report(Broken::JoinThroughVip, "k3s.join", problem, fix, findings);
        }
    }
}

fn cycle(checking: &Checking<'_>, findings: &mut Findings) {
    let edges = checking.lab.waits();
    let turning = checking.lab.machines.iter().find(|machine| before(&edges, &machine.name).contains(&machine.name));
    let Some(machine) = turning else { return };
    let typed = checking
        .lab
        .machines
        .iter()
        .find(|other| !other.after.is_empty() && before(&edges, &other.name).contains(&other.name));
    let name = &typed.unwrap_or(machine).name;
    let others: Vec<_> = before(&edges, name)
        .into_iter()
        .filter(|other| before(&edges, other).contains(name))
        .map(|other| other.to_string())
        .collect();
    let problem = format!("these wait for one another: {}", others.join(", "));
    let fix = "remove one `after` of them; servers wait for the first one, agents for the servers";
    checking.report(Broken::StartCycle, &format!("machines.{name}.after"), problem, fix, findings);
}
