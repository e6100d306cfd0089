//! What a server's health means for the relays that are open to it.
//!
//! A server that *fails* its check (late answers, errors, a broken handshake) gets no new connections while a better one is
//! there, and keeps those it has: a blip must not end what works. A server that is *gone* (refused or unreachable, `fall`
//! times in a row) has nobody at the other end of a quiet relay: its client would wait for its own timers, a kubelet up to
//! 15 minutes (kubernetes/kubernetes#44557). A byte that moved since it was gone proves otherwise: servers that stop with
//! grace close their listener first and finish what is open.

use std::time::Instant;

use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_health::Observation;

use crate::proxy::appliance::Appliance;

/// Ends the relays to a server that is gone `since`, except those on which a byte has moved after that.
pub(super) fn reset_quiet_relays(observation: &Observation, since: Instant, appliance: &mut Appliance) {
    let (backend, server) = (&observation.backend, &observation.server);
    let gone_for = Instant::now().saturating_duration_since(since);
    let ended = appliance.data_plane.sessions().end_gone(backend.as_str(), server.as_str(), gone_for);
    if ended > 0 {
        let text = format!("gone ({}): {ended} quiet relays to it were reset", observation.outcome.detail);
        appliance.note(Severity::Warning, EventKind::Health, Some(format!("{backend}/{server}")), text);
    }
}
