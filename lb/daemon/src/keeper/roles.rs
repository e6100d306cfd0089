//! What the supervisor is told of each VIP: enough to speak for a keeper that is dead.

use fmc_vrrp::driver::{FollowerSettings, KeeperSettings, VipSettings};
use fmc_vrrp::router::role::Role;

use crate::message::VipRole;

/// Before the election has begun. Those that follow another one come after it.
pub(super) fn backups(settings: &KeeperSettings) -> Vec<VipRole> {
    let backup = |vip: &VipSettings| VipRole {
        vip: vip.name.clone(),
        address: vip.address,
        role: Role::Initialize,
        follows: None,
        virtual_router_id: vip.virtual_router_id,
        virtual_mac: vip.virtual_mac,
        interface: vip.interface.clone(),
        node: settings.address,
        interval: settings.interval,
        version: settings.version,
        destinations: settings.destinations(vip.family()).collect(),
        auth_hmac: settings.auth_hmac.clone(),
    };
    let all = |vip: &VipSettings| {
        let own = backup(vip);
        let follower = |follower: &FollowerSettings| VipRole {
            vip: follower.name.clone(),
            address: follower.address,
            follows: Some(vip.name.clone()),
            interface: follower.interface.clone(),
            ..own.clone()
        };
        let followers: Vec<VipRole> = vip.followers.iter().map(follower).collect();
        [vec![own], followers].concat()
    };
    settings.vips.iter().flat_map(all).collect()
}
