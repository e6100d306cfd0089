//! Settings of the hypervisor's kernel: sysctl.d(5).

use crate::render::RENDERED;
use crate::render::system::System;

pub(super) fn add(system: &mut System) {
    let text = format!(
        "{RENDERED}\n\n\
         # It routes between the LAN and the lab's networks.\n\
         net.ipv4.ip_forward = 1\n\
         # An address is answered for only by the interface that has it: the uplink and the bridge's port are in one LAN.\n\
         net.ipv4.conf.all.arp_ignore = 1\n\
         net.ipv4.conf.all.arp_announce = 2\n\
         # Packets with a source that would not be answered the same way are forged.\n\
         net.ipv4.conf.all.rp_filter = 1\n\
         net.ipv4.conf.default.rp_filter = 1\n\
         # Frames that are bridged meet no packet filter. The leading `-`: the keys exist while br_netfilter is loaded.\n\
         -net.bridge.bridge-nf-call-iptables = 0\n\
         -net.bridge.bridge-nf-call-ip6tables = 0\n\
         -net.bridge.bridge-nf-call-arptables = 0\n"
    );
    system.file("/etc/sysctl.d/60-fmc-lab.conf", 0o644, "routing between the networks", text);
}
