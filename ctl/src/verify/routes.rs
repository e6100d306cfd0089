//! The routes of this machine, as /proc/net/route has them (proc(5)): the main table.

use std::net::Ipv4Addr;

use fmc_provision::verify::Seen;
use ipnet::Ipv4Net;

pub(super) fn look(to: Ipv4Net) -> Seen {
    match std::fs::read_to_string("/proc/net/route") {
        Ok(text) => Seen::Route(via(&text, to)),
        Err(error) => Seen::Unasked(format!("/proc/net/route: {error}")),
    }
}

/// The next hop of the route to `to`; of several, that of the least metric.
fn via(text: &str, to: Ipv4Net) -> Option<Ipv4Addr> {
    let hops = text.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, destination, gateway, _, _, _, metric, mask, ..] = words[..] else { return None };
        let same = address(destination)? == to.network() && address(mask)? == to.netmask();
        same.then_some((metric.parse::<u32>().ok()?, address(gateway)?))
    });
    hops.min().map(|(_, gateway)| gateway).filter(|gateway| !gateway.is_unspecified())
}

/// The kernel prints the four bytes as one number of the machine's own order.
fn address(hex: &str) -> Option<Ipv4Addr> {
    u32::from_str_radix(hex, 16).ok().map(|number| Ipv4Addr::from(number.to_ne_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_with_the_least_metric_counts_and_a_network_of_its_own_has_no_next_hop() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                    eth1\t00000000\tFE00A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n\
                    eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        let of = |to: &str| via(text, to.parse().expect("a prefix"));
        assert_eq!(of("0.0.0.0/0"), Some(Ipv4Addr::new(192, 168, 0, 1)));
        assert_eq!(of("192.168.0.0/24"), None);
        assert_eq!(of("10.17.4.0/24"), None);
    }
}
