//! When a machine is well, so that the next one may begin: one of those that stand for one another is touched at a time.

use super::object::Gate;
use super::wanted::by_seed;
use crate::inventory::Role;
use crate::lab::{Lab, Machine};

/// It answers, and its first boot is over.
pub(super) fn booted(machine: &Machine) -> Gate {
    // 2: done, with something that it would not call an error (cloud-init status, since 23.4).
    let first_boot =
        "if command -v cloud-init >/dev/null; then cloud-init status --wait >/dev/null || [ $? -eq 2 ]; fi";
    Gate {
        what: format!("{} answers, and its first boot is over", machine.name),
        script: if by_seed(machine) { first_boot.to_owned() } else { ":".to_owned() },
    }
}

/// Where to look, and at what.
pub(super) fn healthy(lab: &Lab, machine: &Machine) -> (String, Gate) {
    let (name, address) = (machine.name.to_string(), machine.address());
    let here = |what: &str, script: String| (name.clone(), Gate { what: format!("{name}: {what}"), script });
    if machine.is(Role::Balancer) {
        // Without the program, there is nothing yet that could be ill.
        let script = "if systemctl is-enabled --quiet fmc-lb.service; then fmc-lbctl --json status >/dev/null; fi";
        return here("its balancer answers", script.to_owned());
    }
    if machine.is_node() {
        let server = lab.k3s.as_ref().map_or_else(|| name.clone(), |k3s| k3s.bootstrap.to_string());
        let at = if machine.is(Role::Server) { name.clone() } else { server };
        let gate = Gate { what: format!("{name}: its node is Ready"), script: ready(&name, &address.to_string()) };
        return (at, gate);
    }
    here("it answers", ":".to_owned())
}

/// By the cluster's own word. A node whose token is not there yet waits, and is well; where the API does not answer, its port decides.
fn ready(name: &str, address: &str) -> String {
    format!(
        "systemctl is-active --quiet k3s.service || exit 0
         k3s kubectl wait --for=condition=Ready 'node/{name}' --timeout=5s >/dev/null && exit 0
         timeout 3 bash -c '</dev/tcp/{address}/6443' || timeout 3 bash -c '</dev/tcp/{address}/10250'"
    )
}

/// Who does its work while it is away.
pub(super) fn meanwhile(lab: &Lab, machine: &Machine) -> String {
    let others = |role: Role| lab.with_role(role).filter(|other| other.name != machine.name).count();
    match () {
        () if machine.is(Role::Balancer) && others(Role::Balancer) > 0 => {
            "; its virtual addresses are the other balancer's meanwhile".to_owned()
        }
        () if machine.is(Role::Server) && others(Role::Server) > 1 => "; the other servers keep the quorum".to_owned(),
        () if machine.is(Role::Ingress) && others(Role::Ingress) > 0 => "; the other nodes serve".to_owned(),
        () => String::new(),
    }
}
