//! `GET /v1/observed`: what this node saw of others, if it only observes.

use std::time::Instant;

use fmc_api::RefusalKind;
use fmc_api::observed::{Observed, ObservedServer, ObservedVip};

use super::now;
use crate::admin::response::{Answer, refuse};
use crate::observations::Observations;
use crate::proxy::appliance::Appliance;

pub(super) fn answer(appliance: &Appliance) -> Answer {
    match &appliance.observing {
        Some(observing) => Answer::json(&observed(&observing.seen, appliance)),
        None => refuse(
            RefusalKind::NotFound,
            "this node takes part, so there is nothing that it only observed".to_owned(),
            "start `fmc-lb run --observe` beside HAProxy and Keepalived",
        ),
    }
}

fn observed(seen: &Observations, appliance: &Appliance) -> Observed {
    let clock = Instant::now();
    let vip = |vip: &fmc_config::model::vip::Vip| {
        let sums = seen.vip(&vip.name, clock);
        ObservedVip {
            name: vip.name.clone(),
            address: vip.address,
            moves: sums.moves,
            silences: sums.silences,
            contests: sums.contests,
            took_ms: sums.took_ms,
            would_have_taken_ms: sums.would_have_taken_ms,
            kept_while_unfit_ms: sums.kept_while_unfit_ms,
        }
    };
    let all =
        appliance.config.backends.iter().flat_map(|b| b.servers.iter().map(move |server| (&b.name, &server.name)));
    let servers = all.filter_map(|(backend, name)| {
        let sums = seen.server(backend, name, clock);
        let server = ObservedServer {
            backend: backend.clone(),
            name: name.clone(),
            times_out: sums.times_out,
            out_ms: sums.out_ms,
        };
        (sums.times_out > 0).then_some(server)
    });
    Observed {
        now: now(),
        node: appliance.node.name.clone(),
        since: seen.since(),
        vips: appliance.config.vips.iter().map(vip).collect(),
        servers: servers.collect(),
        notes: seen.notes().cloned().collect(),
    }
}
