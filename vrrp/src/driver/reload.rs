//! Other settings for an election under way: others ways to elect, and virtual addresses that come and go.
//!
//! Every virtual address has a place that its address thread knows it by. One that the settings have no more is given up in good order
//! and keeps its place until it is gone; one that is new gets a free place or the next one.

use fmc_config::model::election::Failback;

use serde::{Deserialize, Serialize};

use super::control::{Control, LogLevel};
use super::settings::{KeeperSettings, Place};
use super::virtual_address::VirtualAddress;
use super::{AdvertKeys, Keeper, VipSettings, start};
use crate::boot_instant::BootInstant;
use crate::lease::{AddressCommand, InterfaceIndex, PLACES, Untaken};
use crate::router::{Linger, Parameters, VirtualRouter};
use crate::tier::{TierError, TierPriorities};

/// What other settings mean for an election under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// They are the same.
    Nothing,
    /// The virtual routers take them over where they are: no role, address or cadence changes.
    InPlace,
    /// Who takes part, where or as whom is another: the election ends in good order and a new one begins, so that the
    /// addresses that are here move first.
    Anew,
}

impl KeeperSettings {
    /// What it means to go from these settings to `next`.
    pub fn change_to(&self, next: &Self) -> Change {
        if self == next {
            return Change::Nothing;
        }
        let retuned = Self {
            interval: next.interval,
            failback: next.failback,
            priority: next.priority,
            keys: next.keys.clone(),
            auth_hmac: next.auth_hmac.clone(),
            version: next.version,
            transport: next.transport,
            config_hash: next.config_hash,
            vips: if self.can_hold(&next.vips) { next.vips.clone() } else { self.vips.clone() },
            ..self.clone()
        };
        if retuned == *next { Change::InPlace } else { Change::Anew }
    }

    /// Whether every virtual address is one of these, or lives where one of these lives: another interface needs sockets, which the
    /// election does not stop for.
    fn can_hold(&self, vips: &[VipSettings]) -> bool {
        let is_known = |vip: &VipSettings| {
            vip.places().all(|place| self.vips.iter().flat_map(VipSettings::places).any(|known| known == place))
        };
        // The interface of a virtual MAC address is made when the keeper starts.
        let virtual_macs = |vips: &[VipSettings]| -> Vec<_> {
            let with = vips.iter().filter(|vip| vip.virtual_mac);
            with.map(|vip| (vip.virtual_router_id, vip.family(), vip.interface.clone())).collect()
        };
        virtual_macs(&self.vips) == virtual_macs(vips) && vips.iter().all(is_known)
    }

    /// Whether `next` has other virtual addresses.
    pub fn has_other_vips(&self, next: &Self) -> bool {
        let same = |vip: &VipSettings| next.vips.iter().any(|other| vip.is_same(other));
        self.vips.len() != next.vips.len() || !self.vips.iter().all(same)
    }
}

impl KeeperSettings {
    /// True when nothing of the election is another: only something else in the configuration is.
    pub fn differs_in_hash_only(&self, other: &Self) -> bool {
        *self == Self { config_hash: self.config_hash, ..other.clone() }
    }
}

impl VipSettings {
    /// The same virtual router of the same addresses, whatever they are called and however long its falls settle.
    fn is_same(&self, other: &Self) -> bool {
        let same_homes = self.addresses().eq(other.addresses()) && self.interfaces().eq(other.interfaces());
        self.virtual_router_id == other.virtual_router_id && same_homes
    }

    /// Both cannot be here at once.
    fn excludes(&self, other: &Self) -> bool {
        let same_id = self.virtual_router_id == other.virtual_router_id
            && self.interface == other.interface
            && self.family() == other.family();
        let same_address = self.addresses().any(|address| other.addresses().any(|its| its == address));
        let same_name = self.names().any(|name| other.names().any(|its| its == name));
        same_address || same_name || same_id
    }
}

impl Keeper {
    /// Takes settings over that are a [`Change::InPlace`]; others are refused in the log: the caller had to begin anew.
    pub(super) fn retune(&mut self, next: KeeperSettings, now: BootInstant, control: &mut impl Control) {
        let fits = TierPriorities::new(next.priority, next.rank).is_ok();
        if self.settings.change_to(&next) != Change::InPlace || !fits {
            let text = "settings that an election under way cannot take over: it keeps the old ones".to_owned();
            return self.log(LogLevel::Error, text, control);
        }
        self.pair.retune(&next);
        self.authenticator = next.auth_hmac.as_ref().map(AdvertKeys::authenticator);
        let before = std::mem::replace(&mut self.settings, next.clone());
        self.give_up_all_but(&next.vips, now, control);
        self.set_parameters(now, control);
        for vip in next.vips.iter().filter(|vip| !before.vips.iter().any(|known| known.is_same(vip))) {
            if let Err(error) = self.begin_with(vip, now, control) {
                self.log(LogLevel::Error, format!("{}: {error}", vip.name), control);
            }
        }
    }

    /// Those that stay take their settings over; the others leave, and serve until another node has taken them.
    fn give_up_all_but(&mut self, next: &[VipSettings], now: BootInstant, control: &mut impl Control) {
        for vip in 0..self.vips.len() {
            let known = &mut self.vips[vip];
            if known.is_leaving {
                continue;
            }
            match next.iter().find(|next| next.is_same(&known.settings)) {
                Some(next) => known.settings = next.clone(),
                None => {
                    known.is_leaving = true;
                    let linger = match next.iter().any(|next| next.excludes(&known.settings)) {
                        true => Linger::None,
                        false => Linger::UntilTaken,
                    };
                    known.router.shutdown(linger, now);
                    self.perform(vip, now, control);
                }
            }
        }
    }

    /// A virtual address more, where others live already.
    fn begin_with(
        &mut self,
        settings: &VipSettings,
        now: BootInstant,
        control: &mut impl Control,
    ) -> Result<(), CannotBegin> {
        self.end_what_excludes(settings, now, control);
        let ports: Vec<_> =
            settings.places().map(|place| self.port_of(place)).collect::<Option<_>>().ok_or(CannotBegin::Interface)?;
        let on = ports[0];
        let parameters = start::parameters(settings, &self.settings, self.ports[on].primary)?;
        let next = VirtualAddress::new(settings.clone(), &ports, VirtualRouter::new(parameters, now));
        let free = self.vips.iter().position(VirtualAddress::is_gone).unwrap_or(self.vips.len());
        if free >= PLACES {
            return Err(CannotBegin::Places);
        }
        self.addresses.command(AddressCommand::Hold(free, next.holding()))?;
        match self.vips.get_mut(free) {
            Some(gone) => *gone = gone.followed_by(next),
            None => self.vips.push(next),
        }
        self.listen_on(on)?;
        let link = self.vips[free].link(&self.ports);
        let router = &mut self.vips[free].router;
        router.handle_link(link, now);
        if !self.settings.observe {
            router.startup(now);
        }
        self.perform(free, now, control);
        Ok(())
    }

    /// Where an address lives whose interface others name in the same way.
    fn port_of(&self, place: Place<'_>) -> Option<InterfaceIndex> {
        let of = |vip: &VirtualAddress| {
            vip.settings.places().zip(vip.ports()).find(|(here, _)| *here == place).map(|(_, on)| on)
        };
        self.vips.iter().find_map(of)
    }

    /// One that was given up before, is needed again, and still lingers.
    fn end_what_excludes(&mut self, settings: &VipSettings, now: BootInstant, control: &mut impl Control) {
        for vip in 0..self.vips.len() {
            let known = &mut self.vips[vip];
            if known.is_leaving && !known.is_gone() && known.settings.excludes(settings) {
                known.router.shutdown(Linger::None, now);
                self.perform(vip, now, control);
            }
        }
    }

    /// Has the socket of a port take the adverts of all that live on it.
    fn listen_on(&mut self, on: InterfaceIndex) -> std::io::Result<()> {
        let here = self.vips.iter().filter(|vip| vip.on == on && !vip.is_gone());
        let ids: Vec<u8> = here.map(|vip| vip.settings.virtual_router_id.get()).collect();
        let port = &mut self.ports[on];
        port.socket.listen_for(&ids)?;
        port.virtual_router_ids = ids;
        Ok(())
    }

    /// Tells every router what the settings, and a hold, want of it.
    pub(super) fn set_parameters(&mut self, now: BootInstant, control: &mut impl Control) {
        let failback = if self.held_until.is_some() { Failback::Never } else { self.settings.failback };
        for vip in 0..self.vips.len() {
            let VirtualAddress { router, settings, .. } = &mut self.vips[vip];
            let before = router.parameters();
            let priorities =
                TierPriorities::new(self.settings.priority, self.settings.rank).unwrap_or(before.priorities);
            let KeeperSettings { interval, version, transport, .. } = self.settings;
            let settle = settings.settle;
            let parameters =
                Parameters { interval, version, transport, settle, failback, priorities, ..before.clone() };
            router.set_parameters(parameters, now);
            self.perform(vip, now, control);
        }
    }
}

/// Why an address cannot be taken in.
#[derive(Debug, thiserror::Error)]
enum CannotBegin {
    #[error("no other address lives on its interface")]
    Interface,
    #[error("too many addresses were given up and are not gone yet; reload again in a moment")]
    Places,
    #[error(transparent)]
    Priorities(#[from] TierError),
    #[error(transparent)]
    Untaken(#[from] Untaken),
    #[error("the kernel does not let its adverts through: {0}")]
    Filter(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fmc_config::model::Config;
    use fmc_config::model::election::AuthMode;

    use super::*;
    use crate::driver::{AdvertKey, PairKeys, Secrets};

    fn settings(text: &str) -> KeeperSettings {
        let config = Config::parse(text, "fmc-lb.toml").unwrap();
        KeeperSettings::new(&config, &config.nodes[0].name, Secrets::default(), 1).unwrap()
    }

    fn lab() -> String {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/examples/flatcar-micro-cloud.toml");
        std::fs::read_to_string(example).unwrap()
    }

    #[test]
    fn what_does_not_concern_who_takes_part_is_taken_over_in_place() {
        let before = settings(&lab());
        assert_eq!(before.change_to(&before.clone()), Change::Nothing);
        let hash = KeeperSettings { config_hash: 2, ..before.clone() };
        assert_eq!(before.change_to(&hash), Change::InPlace, "every other configuration has another hash");
        let mut tuned = settings(&format!("{}\n[election]\nfailback = \"always\"\n", lab()));
        tuned.vips[0].settle = Duration::from_secs(77);
        tuned.keys = PairKeys::new(vec![vec![7; 32]]);
        let keys = vec![AdvertKey::new(1, vec![7; 32]).unwrap()];
        tuned.auth_hmac = Some(AdvertKeys { mode: AuthMode::Enforce, keys });
        assert_eq!(before.change_to(&tuned), Change::InPlace);
    }

    #[test]
    fn addresses_come_and_go_in_place_and_other_nodes_and_interfaces_begin_anew() {
        let before = settings(&lab());
        for (old, new, change) in [
            ("address = \"192.168.0.33\"", "address = \"192.168.0.34\"", Change::InPlace),
            ("[vips.web]\n", "[vips.web]\nvirtual_router_id = 99\n", Change::InPlace),
            ("[vips.web]\n", "[vips.more]\naddress = \"192.168.0.35\"\n\n[vips.web]\n", Change::InPlace),
            ("[vips.web]\n", "[vips.web]\ninterface = \"eth7\"\n", Change::Anew),
            ("[vips.web]\n", "[vips.web]\nvirtual_mac = true\n", Change::Anew),
            ("192.168.0.31", "192.168.0.29", Change::Anew),
        ] {
            let text = lab();
            assert!(text.contains(old), "the example no longer says {old:?}");
            let next = settings(&text.replace(old, new));
            assert_eq!(before.change_to(&next), change, "{new}");
            assert!(before.has_other_vips(&next) || change == Change::Anew, "{new}");
            if change == Change::InPlace {
                assert_eq!(next.change_to(&before), change, "and back: {new}");
            }
        }
    }
}
