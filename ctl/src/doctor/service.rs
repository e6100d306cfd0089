//! The running service: its alarms, and the clocks of the other nodes.

use fmc_api::{Client, Nodes};

use super::site::Site;
use super::{Findings, Message};

/// Clocks that are synchronised differ by less, with the time that a request takes.
const APART_MS: u64 = 1000;

pub(super) async fn examine(client: &Client, site: &Site, found: &mut Findings) {
    let status = match client.status().await {
        Ok(status) => status,
        Err(error) => return found.wrong("service", &Message::ServiceSilent(error.to_string())),
    };
    for alarm in &status.alarms {
        let fix = alarm.fix.clone().unwrap_or_default();
        found.wrong("service", &Message::ServiceAlarm(alarm.text.clone(), fix));
    }
    if status.alarms.is_empty() {
        found.good("service", &Message::ServiceAnswers(status.version));
    }
    for other in site.others() {
        // Without a channel nobody can be asked; the service says so itself.
        let Ok(theirs) = client.clone().for_nodes(Nodes::Node(other.name.clone())).status().await else { continue };
        let Ok(ours) = client.status().await else { return };
        let apart = theirs.now.unix_ms().abs_diff(ours.now.unix_ms());
        let name = other.name.to_string();
        match apart {
            0..APART_MS => found.good("clock", &Message::ClocksAgree(name)),
            apart => found.wrong("clock", &Message::ClocksDiffer(name, apart.to_string())),
        }
    }
}
