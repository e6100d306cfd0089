//! What the history is made of: the counters of the data plane as they stand.

use fmc_api::word::Seen;
use fmc_lb::{Administrative, Health, Member};

use crate::history::{Reading, Service, Traffic};
use crate::proxy::appliance::Appliance;

/// Has the history read everything.
pub(super) fn take(appliance: &mut Appliance) {
    let reading = reading(appliance);
    appliance.history.read(appliance.began.elapsed(), &reading);
}

fn reading(appliance: &Appliance) -> Reading {
    let mut reading = Reading::default();
    for frontend in appliance.data_plane.frontends().iter() {
        let traffic = frontend.traffic();
        let carried = Traffic {
            accepted: traffic.accepted(),
            open: traffic.open().into(),
            relayed_bytes: traffic.to_server() + traffic.to_client(),
        };
        reading.frontends.insert(frontend.settings().name.clone(), carried);
    }
    for pool in appliance.data_plane.pools() {
        for member in &pool.snapshot().members {
            reading.servers.insert((pool.name().clone(), member.server.name().clone()), service(member));
        }
    }
    reading
}

fn service(member: &Member) -> Service {
    let counted = member.server.connect_times();
    Service { seen: seen(member), connections: counted.total(), connect_time: counted.sum }
}

fn seen(member: &Member) -> Seen {
    match (member.administrative, member.health) {
        (Administrative::Maint, _) => Seen::Maint,
        (_, Health::Unhealthy) => Seen::Unhealthy,
        (_, Health::Unknown) => Seen::Unknown,
        (Administrative::Drain, Health::Healthy) => Seen::Drain,
        (Administrative::Ready, Health::Healthy) => Seen::Healthy,
    }
}
