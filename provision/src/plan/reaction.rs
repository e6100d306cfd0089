//! Which program reads a file again once it has changed.

use super::object::Reaction;

/// Paths by how they begin, the reaction's name, what is done, and whom it interrupts. The first that fits counts.
const REACTIONS: [(&str, &str, &str, &str); 13] = [
    ("/etc/fmc-lb/", "fmc-lb", "systemctl try-reload-or-restart fmc-lb.service", ""),
    ("/etc/sysctl.d/", "sysctl", "sysctl --quiet --system", ""),
    ("/etc/chrony.conf", "chrony", "systemctl try-restart chronyd.service", ""),
    ("/etc/systemd/timesyncd.conf.d/", "timesyncd", "systemctl try-restart systemd-timesyncd.service", ""),
    ("/etc/coredns/", "coredns", "systemctl try-reload-or-restart coredns.service", ""),
    ("/etc/exports.d/", "exports", "exportfs -ra", ""),
    ("/etc/nfs.conf.d/", "nfs", "systemctl try-restart nfs-server.service", "NFS waits for some seconds"),
    ("/etc/tmpfiles.d/", "tmpfiles", "systemd-tmpfiles --create", ""),
    (
        "/etc/fmc-lab/postgresql/",
        "postgresql",
        "systemctl try-restart postgresql.service && systemctl try-restart fmc-lab-postgresql-roles.service",
        "connections to PostgreSQL end",
    ),
    (
        "/etc/rancher/k3s/",
        "k3s",
        "systemctl try-restart k3s.service",
        "this node's part of the API is away; its pods go on",
    ),
    (
        "/etc/wireguard/wg0.conf",
        "wireguard",
        "systemctl try-restart wg-quick@wg0.service",
        "the tunnel is away for a second",
    ),
    ("/etc/systemd/network/", "networkd", "networkctl reload", "this machine's network is configured anew"),
    // A program that was fetched is started by the unit that needs it.
    ("/opt/fmc-lab/coredns.tgz", "coredns-program", "systemctl try-restart coredns.service", "names wait for a second"),
];

/// The reaction to a file that has changed; nothing, where nobody reads it again.
pub(super) fn to(path: &str) -> Option<Reaction> {
    if let Some(name) = path.strip_prefix("/etc/systemd/system/") {
        return Some(to_unit(name));
    }
    if let Some(connection) = connection(path) {
        return Some(Reaction {
            name: format!("connection-{connection}"),
            script: format!("nmcli connection reload && nmcli connection up '{connection}'"),
            interrupts: Some(format!("the connection {connection} is configured anew")),
        });
    }
    let (_, name, script, interrupts) = REACTIONS.iter().find(|(begins, ..)| path.starts_with(begins))?;
    let interrupts = (!interrupts.is_empty()).then(|| (*interrupts).to_owned());
    Some(Reaction { name: (*name).to_owned(), script: (*script).to_owned(), interrupts })
}

/// What follows when a file is gone, and what comes before it goes; both for sh(1).
pub(super) fn to_removal(path: &str) -> (String, String) {
    if let Some(name) = path.strip_prefix("/etc/systemd/system/").filter(|name| !name.contains('/')) {
        return (format!("systemctl disable --now '{name}' || :"), "systemctl daemon-reload".to_owned());
    }
    (":".to_owned(), to(path).map_or(":".to_owned(), |reaction| reaction.script))
}

/// A mount that is in use stays as it is until it is mounted anew, and the packet filter has a step of its own: a restart would take it away first.
fn to_unit(file: &str) -> Reaction {
    let name = file.split_once(".d/").map_or(file, |(name, _)| name);
    let lives_on = name.ends_with(".mount") || name == "fmc-lab-firewall.service";
    let restart = if lives_on { String::new() } else { format!(" && systemctl try-restart '{name}'") };
    Reaction {
        name: format!("unit-{}", name.replace('\\', "_")),
        script: format!("systemctl daemon-reload{restart}"),
        interrupts: (!lives_on && !name.ends_with(".timer")).then(|| format!("{name} starts again")),
    }
}

/// The name of a connection of NetworkManager.
fn connection(path: &str) -> Option<&str> {
    path.strip_prefix("/etc/NetworkManager/system-connections/")?.strip_suffix(".nmconnection")
}

/// Whether a wrong one may cut whoever applies it off.
pub(super) fn may_cut_off(path: &str) -> bool {
    connection(path).is_some() || path.starts_with("/etc/systemd/network/") || path == "/etc/wireguard/wg0.conf"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_changed_is_read_and_started_again() {
        let reaction = to("/etc/systemd/system/coredns.service").unwrap();
        assert_eq!(reaction.script, "systemctl daemon-reload && systemctl try-restart 'coredns.service'");
    }

    #[test]
    fn a_mount_in_use_is_not_taken_away() {
        let reaction = to("/etc/systemd/system/srv-nfs-shared.mount").unwrap();
        assert_eq!(reaction.script, "systemctl daemon-reload");
        assert_eq!(reaction.interrupts, None);
    }

    #[test]
    fn what_leads_to_the_machine_itself_may_cut_off() {
        for path in ["/etc/NetworkManager/system-connections/br0.nmconnection", "/etc/wireguard/wg0.conf"] {
            assert!(may_cut_off(path) && to(path).is_some(), "{path}");
        }
        assert!(!may_cut_off("/etc/chrony.conf"));
    }
}
