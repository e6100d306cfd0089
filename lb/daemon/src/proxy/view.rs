//! Who owns what, as this node sees it: its own role, the peers' heartbeats, the advertisements it hears.

use std::net::IpAddr;
use std::time::Duration;

use fmc_api::status::Owner;
use fmc_config::model::name::VipName;
use fmc_vrrp::driver::{PeerSnapshot, VipSnapshot};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::role::Role;
use fmc_vrrp::tier::Tier;

use super::appliance::{Appliance, VipState};

/// An advertisement or a heartbeat older than this says nothing of the present.
const HEARD_RECENTLY: Duration = Duration::from_secs(1);

/// Who serves a VIP, as known here: this node, else a peer whose heartbeat says so, else whoever was last heard advertising it.
pub(crate) fn owner(appliance: &Appliance, state: &VipState) -> Owner {
    if state.role.holds_address() {
        return Owner::Node(appliance.node.name.clone());
    }
    if let Some(peer) = live_peers(appliance).find(|peer| says_active(peer, &state.vip.name)) {
        return Owner::Node(peer.name.clone());
    }
    match heard(appliance, &state.vip.name) {
        None => Owner::Nobody,
        Some(source) => {
            // This node's own address: an observer hears the router beside it.
            let node = appliance.nodes_by_source().into_iter().find(|node| node.owns(source));
            node.map_or(Owner::Foreign(source), |node| Owner::Node(node.name))
        }
    }
}

/// The source of the last advertisement of another router, unless that was too long ago to mean anything.
fn heard(appliance: &Appliance, vip: &VipName) -> Option<IpAddr> {
    let snapshot = appliance.snapshot.as_ref()?;
    let heard = snapshot_of(appliance, vip)?.last_heard?;
    let age = snapshot.at.saturating_duration_since(heard.at);
    (age < HEARD_RECENTLY && heard.rival.priority != Priority::RESIGN).then_some(heard.rival.source)
}

fn says_active(peer: &PeerSnapshot, vip: &VipName) -> bool {
    peer.vips.iter().any(|said| said.vip == *vip && said.role.holds_address())
}

/// What the keeper last told of a VIP.
pub(crate) fn snapshot_of<'a>(appliance: &'a Appliance, vip: &VipName) -> Option<&'a VipSnapshot> {
    appliance.snapshot.as_ref()?.vips.iter().find(|seen| seen.name == *vip)
}

/// The peers whose last heartbeat is fresh.
pub(crate) fn live_peers(appliance: &Appliance) -> impl Iterator<Item = &PeerSnapshot> {
    appliance.snapshot.iter().flat_map(|snapshot| &snapshot.peers).filter(|peer| is_alive(peer))
}

/// Whether its last heartbeat is fresh.
pub(crate) fn is_alive(peer: &PeerSnapshot) -> bool {
    peer.heartbeat_age.is_some_and(|age| age < HEARD_RECENTLY)
}

/// Whether it would serve the VIP well.
pub(crate) fn could_take(peer: &PeerSnapshot, vip: &VipName) -> bool {
    peer.vips.iter().any(|said| said.vip == *vip && said.serving && said.tier == Tier::Fit)
}

/// Whether it would take the VIP from a node in maintenance.
pub(crate) fn is_better_than_unfit(peer: &PeerSnapshot, vip: &VipName) -> bool {
    peer.vips.iter().any(|said| said.vip == *vip && said.serving && said.tier > Tier::Unfit)
}

/// Active, and not in the middle of handing over.
pub(crate) fn says_only_active(peer: &PeerSnapshot, vip: &VipName) -> bool {
    peer.vips.iter().any(|said| said.vip == *vip && said.role == Role::Active)
}
