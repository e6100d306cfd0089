//! Other settings for an election under way.

use fmc_config::model::election::Failback;

use serde::{Deserialize, Serialize};

use super::control::{Control, LogLevel};
use super::settings::KeeperSettings;
use super::{Keeper, VipSettings};
use crate::boot_instant::BootInstant;
use crate::router::Parameters;
use crate::tier::TierPriorities;

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
            version: next.version,
            transport: next.transport,
            config_hash: next.config_hash,
            vips: self.vips.iter().zip(&next.vips).map(|(vip, next)| vip.settling_like(next)).collect(),
            ..self.clone()
        };
        if retuned == *next { Change::InPlace } else { Change::Anew }
    }
}

impl KeeperSettings {
    /// True when nothing of the election is another: only something else in the configuration is.
    pub fn differs_in_hash_only(&self, other: &Self) -> bool {
        *self == Self { config_hash: self.config_hash, ..other.clone() }
    }
}

impl VipSettings {
    fn settling_like(&self, next: &Self) -> Self {
        Self { settle: next.settle, ..self.clone() }
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
        for (vip, settings) in self.vips.iter_mut().zip(&next.vips) {
            vip.settings = settings.clone();
        }
        self.settings = next;
        self.set_parameters(now, control);
    }

    /// Tells every router what the settings, and a hold, want of it.
    pub(super) fn set_parameters(&mut self, now: BootInstant, control: &mut impl Control) {
        let failback = if self.held_until.is_some() { Failback::Never } else { self.settings.failback };
        for vip in 0..self.vips.len() {
            let router = &mut self.vips[vip].router;
            let before = router.parameters();
            let priorities =
                TierPriorities::new(self.settings.priority, self.settings.rank).unwrap_or(before.priorities);
            let KeeperSettings { interval, version, transport, .. } = self.settings;
            let settle = self.settings.vips[vip].settle;
            let parameters =
                Parameters { interval, version, transport, settle, failback, priorities, ..before.clone() };
            router.set_parameters(parameters, now);
            self.perform(vip, now, control);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fmc_config::model::Config;

    use super::*;

    fn settings(text: &str) -> KeeperSettings {
        let config = Config::parse(text, "fmc-lb.toml").unwrap();
        KeeperSettings::new(&config, &config.nodes[0].name, None, 1).unwrap()
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
        assert_eq!(before.change_to(&tuned), Change::InPlace);
    }

    #[test]
    fn other_nodes_addresses_and_keys_begin_anew() {
        let before = settings(&lab());
        for (old, new) in [
            ("address = \"192.168.0.33\"", "address = \"192.168.0.34\""),
            ("[vips.web]\n", "[vips.web]\nvirtual_router_id = 99\n"),
            ("[vips.web]\n", "[vips.web]\ninterface = \"eth7\"\n"),
            ("[vips.web]\n", "[vips.more]\naddress = \"192.168.0.35\"\n\n[vips.web]\n"),
            ("192.168.0.31", "192.168.0.29"),
        ] {
            let text = lab();
            assert!(text.contains(old), "the example no longer says {old:?}");
            assert_eq!(before.change_to(&settings(&text.replace(old, new))), Change::Anew, "{new}");
        }
    }
}
