//! `vips`: a paragraph for each VIP.

use fmc_api::status::{FrontendStatus, RouteStatus, VipList, VipStatus};

use super::fact::{connections, fitness, owner, span, tier_tone};
use super::paint::Paint;
use super::table::labelled;

pub(crate) fn write(list: &VipList, paint: Paint) -> String {
    let paragraphs: Vec<String> = list.vips.iter().map(|vip| paragraph(vip, list, paint)).collect();
    paragraphs.join("\n")
}

fn paragraph(vip: &VipStatus, list: &VipList, paint: Paint) -> String {
    let title = format!("{} {}", vip.name, vip.address);
    let elected = match &vip.follows {
        Some(leader) => format!("follows {leader}"),
        None => format!("virtual router {}", vip.virtual_router_id),
    };
    let head = format!("{}, {elected} on {}\n", paint.strong(&title), vip.interface);
    let mut lines =
        vec![("owner".to_owned(), owner(&vip.owner, paint)), (list.node.to_string(), here(vip, list, paint))];
    lines.extend(peers(vip, paint));
    for one in &vip.frontends {
        lines.push((one.name.to_string(), frontend(one, paint)));
        lines.extend(one.routes.iter().map(|one| (String::new(), route(one))));
    }
    head + &labelled("  ", &lines)
}

fn here(vip: &VipStatus, list: &VipList, paint: Paint) -> String {
    let since = span(vip.since, list.now);
    let fitness = fitness(&vip.fitness, paint);
    format!("{} for {since}: {}; {fitness}, priority {}", vip.role, vip.reason, vip.priority)
}

fn peers(vip: &VipStatus, paint: Paint) -> impl Iterator<Item = (String, String)> {
    vip.peers.iter().map(move |peer| {
        let text = match (peer.role, peer.tier) {
            (Some(role), Some(tier)) => format!("{role}, {}", paint.tone(tier_tone(tier), tier.as_str())),
            (Some(role), None) => role.to_string(),
            (None, _) => paint.bad("not heard"),
        };
        (peer.node.to_string(), text)
    })
}

fn frontend(frontend: &FrontendStatus, paint: Paint) -> String {
    let protocol = if frontend.udp { "/udp" } else { "" };
    let ports: Vec<String> = frontend.ports.iter().map(|port| format!("{port}{protocol}")).collect();
    let ports = format!("{} {}", if ports.len() == 1 { "port" } else { "ports" }, ports.join(", "));
    let listening = if frontend.listening { ports } else { paint.bad(&format!("{ports} NOT LISTENING")) };
    format!(
        "{listening} to {}; {} open, {} accepted, {} refused",
        frontend.backend,
        connections(frontend.connections),
        frontend.connections_total,
        frontend.refused_total
    )
}

/// `to grafana: server name grafana.lab or *.apps.lab, from 10.8.0.0/24`.
fn route(RouteStatus { server_names, alpn, sources, backend }: &RouteStatus) -> String {
    let condition =
        |what: &str, values: &[String]| (!values.is_empty()).then(|| format!("{what} {}", values.join(" or ")));
    let all = [condition("server name", server_names), condition("ALPN", alpn), condition("from", sources)];
    format!("to {backend}: {}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
