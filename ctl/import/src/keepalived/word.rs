//! What Keepalived's words become that have none of their own here.

use crate::ledger::Fate;

/// The words of `vrrp_instance`.
pub(super) const ROUTER: &[(&str, Fate, &str)] = &[
    ("track_interface", Fate::Kept, "an interface that goes down takes the VIPs on it off this node by itself"),
    ("track_process", Fate::Dropped, "each role watches the others, and the proxy is part of the election"),
    ("track_file", Fate::Dropped, "take a node out of the election with `fmc-lbctl maint node NAME`"),
    ("track_bfd", Fate::Dropped, "who serves better is known from heartbeats"),
    ("dont_track_primary", Fate::Dropped, "an interface that is down owns nothing"),
    (
        "garp_",
        Fate::Dropped,
        "announcements are sent at once, repeated, and sent anew when another claimed the address",
    ),
    (
        "vrrp_garp_",
        Fate::Dropped,
        "announcements are sent at once, repeated, and sent anew when another claimed the address",
    ),
    (
        "notify",
        Fate::Dropped,
        "no program is started at a change: moves are one line in the journal, events, and metrics to alert on",
    ),
    ("smtp_alert", Fate::Dropped, "no mail: alerts come from the metrics, or from the journal"),
    ("lvs_sync_daemon", Fate::Dropped, "IPVS is not used: connections are relayed"),
    ("lower_prio_no_advert", Fate::Dropped, "an owner answers whoever claims beside it"),
    ("higher_prio_send_advert", Fate::Kept, "who gives way says so first, so that the winner announces itself again"),
    ("accept", Fate::Kept, "the address answers on its owner"),
    ("skip_check_adv_addr", Fate::Kept, "a router with other addresses is named in `status`, and heard"),
    ("strict_mode", Fate::Dropped, "packets are held to RFC 9568 in any case"),
    ("vrrp_strict", Fate::Dropped, "packets are held to RFC 9568 in any case"),
    ("debug", Fate::Dropped, "`fmc-lbctl events` and the journal"),
    ("linkbeat", Fate::Dropped, "the kernel tells of links"),
    ("vmac_xmit_base", Fate::Changed, "adverts leave from the virtual MAC address too, as RFC 9568 has it"),
    ("vmac_", Fate::Dropped, "the service sees to its interfaces itself"),
    ("use_ipvlan", Fate::Dropped, "the address is on the interface itself"),
    ("virtual_routes", Fate::Refused, "routes do not move with the address here: set them on both nodes"),
    ("virtual_rules", Fate::Refused, "rules do not move with the address here: set them on both nodes"),
    ("no_accept", Fate::Refused, "connections to the address end on its owner: that is what it is for"),
    ("promote_secondaries", Fate::Dropped, "addresses are installed as /32, and none is the secondary of another"),
    ("check_unicast_src", Fate::Kept, "with `transport = \"unicast\"` only [nodes] are heard"),
    ("old_unicast_checksum", Fate::Dropped, "belongs to Keepalived before 1.3.6"),
    ("unicast_ttl", Fate::Dropped, "255"),
    ("min_ttl", Fate::Dropped, "only [nodes] are heard"),
    ("max_ttl", Fate::Dropped, "only [nodes] are heard"),
    ("kernel_rx_buf_size", Fate::Dropped, "a filter in the kernel leaves only our own adverts"),
    ("down_timer_adverts", Fate::Changed, "three adverts and the skew, as the RFC has it"),
    ("native_ipv6", Fate::Dropped, "the address says its family"),
    ("thread_timer", Fate::Dropped, "a setting of Keepalived's process"),
    (
        "preempt",
        Fate::Changed,
        "an address goes back by itself only from a node that serves worse; `failback = \"always\"` in [election] for Keepalived's way",
    ),
];

/// The words of `global_defs` that have a place here; for the others see [`OF_PROCESS`].
pub(super) const GLOBAL: &[(&str, Fate, &str)] = &[
    ("router_id", Fate::Kept, "the name of a node in [nodes], when --balancer says none"),
    ("notification_email", Fate::Dropped, "no mail: alerts come from the metrics, or from the journal"),
    ("smtp_", Fate::Dropped, "no mail: alerts come from the metrics, or from the journal"),
    ("enable_script_security", Fate::Dropped, "no script is run"),
    ("script_user", Fate::Dropped, "no script is run"),
    (
        "vrrp_garp_",
        Fate::Dropped,
        "announcements are sent at once, repeated, and sent anew when another claimed the address",
    ),
    ("vrrp_strict", Fate::Dropped, "packets are held to RFC 9568 in any case"),
    ("vrrp_mcast_group4", Fate::Refused, "adverts go to 224.0.0.18, or with `transport = \"unicast\"` to each node"),
    ("vrrp_skip_check_adv_addr", Fate::Kept, "a router with other addresses is named in `status`, and heard"),
    ("lvs_", Fate::Dropped, "IPVS is not used: connections are relayed"),
];

/// The other words of `global_defs` in keepalived.conf(5) of 2.2 to 2.4, or how they begin: all of them are about its processes.
pub(super) const OF_PROCESS: &[&str] = &[
    "bfd_",
    "checker_",
    "child_wait_time",
    "config_save_dir",
    "data_use_instance",
    "dbus_",
    "default_interface",
    "disable_local_igmp",
    "dump_keywords",
    "dynamic_interfaces",
    "enable_",
    "fifo_write_vrrp_states_on_reload",
    "if_",
    "include_check",
    "instance",
    "iproute_",
    "ipset",
    "json_version",
    "keep_script_fds",
    "linkbeat_",
    "log_",
    "max_auto_priority",
    "min_auto_priority_delay",
    "net_namespace",
    "nftables",
    "no_checker_emails",
    "no_email_faults",
    "notify_fifo",
    "process_",
    "prog_",
    "random_seed",
    "reload_",
    "rs_init_notifies",
    "script_",
    "shutdown_script",
    "sh_",
    "snmp_",
    "startup_script",
    "state_dump_file",
    "stats_dump_file",
    "thread_",
    "tmp_config_directory",
    "track_file",
    "umask",
    "use_pid_dir",
    "use_symlink_paths",
    "vrrp_",
];

/// The blocks of a file that are no virtual router.
pub(super) const TOP: &[(&str, Fate, &str)] = &[
    ("static_ipaddress", Fate::Dropped, "addresses of the machine belong to its network configuration"),
    ("static_routes", Fate::Dropped, "routes of the machine belong to its network configuration"),
    ("static_rules", Fate::Dropped, "rules of the machine belong to its network configuration"),
    ("track_group", Fate::Dropped, "routes of the machine belong to its network configuration"),
    (
        "vrrp_sync_group",
        Fate::Changed,
        "each instance keeps its election, by the same rules: nodes that serve equally well keep what they have, and one that fails loses all. Once no Keepalived is left, follows = \"VIP\" makes one of them",
    ),
    (
        "virtual_server_group",
        Fate::Refused,
        "IPVS: these services are not HAProxy's; write a frontend and a backend for them",
    ),
    ("virtual_server", Fate::Refused, "IPVS: this service is not HAProxy's; write a frontend and a backend for it"),
    ("bfd_instance", Fate::Dropped, "who serves better is known from heartbeats"),
    ("garp_group", Fate::Dropped, "announcements are sent at once, and repeated"),
    ("interface_up_down_delays", Fate::Dropped, "a link that was down is listened on before anything is claimed"),
    ("linkbeat_interfaces", Fate::Dropped, "the kernel tells of links"),
    ("vrrp_track_process", Fate::Dropped, "each role watches the others, and the proxy is part of the election"),
    ("track_process", Fate::Dropped, "each role watches the others, and the proxy is part of the election"),
    ("vrrp_track_file", Fate::Dropped, "take a node out of the election with `fmc-lbctl maint node NAME`"),
    ("track_file", Fate::Dropped, "take a node out of the election with `fmc-lbctl maint node NAME`"),
    ("net_namespace", Fate::Dropped, "NetworkNamespacePath= of the unit"),
    ("namespace_with_ipsets", Fate::Dropped, "no ipset is used"),
    ("use_pid_dir", Fate::Dropped, "systemd knows the process"),
    ("instance", Fate::Dropped, "one service for each machine"),
    ("child_wait_time", Fate::Dropped, "a setting of Keepalived's process"),
    ("config_copy_directory", Fate::Dropped, "a setting of Keepalived's process"),
    ("SSL", Fate::Dropped, "certificates of IPVS's checks"),
];

/// The first that `word` begins with.
pub(super) fn find(table: &[(&str, Fate, &'static str)], word: &str) -> Option<(Fate, &'static str)> {
    table.iter().find(|(keyword, ..)| word.starts_with(keyword)).map(|(_, fate, words)| (*fate, *words))
}

/// A word of `global_defs` that has no place here.
pub(super) fn of_process(word: &str) -> Option<(Fate, &'static str)> {
    let known = OF_PROCESS.iter().any(|keyword| word.starts_with(keyword));
    known.then_some((Fate::Dropped, "a setting of Keepalived's process"))
}
