//! The last rules of RFC 9568 §7.1 and RFC 3768 §7.1, which need to know who we are. [core]

use fmc_config::model::election::{Transport, Version};
use fmc_config::model::family::Family;

use super::VirtualRouter;
use crate::packet::{Advertisement, Discarded, IpMeta, multicast_group, seconds};

impl VirtualRouter {
    /// Whether this router would take the advertisement; it changes nothing.
    ///
    /// The driver asks before one displaces an older one of the same source: a forged one that is discarded later would take a
    /// good one with it.
    pub fn accepts(&self, advertisement: &Advertisement, ip: &IpMeta) -> Result<(), Discarded> {
        if advertisement.virtual_router_id != self.parameters.virtual_router_id {
            return Err(Discarded::VirtualRouterId(advertisement.virtual_router_id.get()));
        }
        let own = self.parameters.source;
        let expected = match self.parameters.transport {
            Transport::Multicast => multicast_group(Family::of(own)),
            Transport::Unicast => own,
        };
        if ip.destination != expected {
            return Err(Discarded::Destination(ip.destination));
        }
        if ip.source == own {
            return Err(Discarded::OwnAddress);
        }
        if self.parameters.transport == Transport::Unicast && !self.peers.knows(ip.source) {
            return Err(Discarded::Stranger);
        }
        self.accepts_interval(advertisement)
    }

    /// A router of version 3 adopts what it hears; one of version 2 must not (RFC 3768 §7.1).
    fn accepts_interval(&self, advertisement: &Advertisement) -> Result<(), Discarded> {
        match self.parameters.version {
            Version::V2(_) if advertisement.interval != self.parameters.interval => {
                let (theirs, ours) = (seconds(advertisement.interval), seconds(self.parameters.interval));
                Err(Discarded::IntervalDiffers { theirs, ours })
            }
            Version::V2(_) | Version::V3(_) => Ok(()),
        }
    }
}
