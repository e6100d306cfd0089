//! `GET /v1/failovers`: this node's history, and what the others told of theirs.

use fmc_api::failovers::{FailoverList, FailoverReport};

use super::now;
use crate::proxy::appliance::Appliance;

/// Reports that a node tells the others: a move of every VIP there and back.
const TOLD: usize = 8;

/// All that is known here, oldest first.
pub(crate) fn list(appliance: &Appliance) -> FailoverList {
    let told = appliance.others().filter_map(|node| appliance.channel.heard(&node.name));
    let told = told.flat_map(|said| said.report.failovers.iter().cloned());
    let mut reports: Vec<FailoverReport> = appliance.failovers.reports().cloned().chain(told).collect();
    reports.sort_by_key(|report| report.at);
    FailoverList { now: now(), node: appliance.node.name.clone(), reports }
}

/// The newest of this node, oldest first.
pub(crate) fn newest(appliance: &Appliance) -> Vec<FailoverReport> {
    let mut newest: Vec<FailoverReport> = appliance.failovers.reports().rev().take(TOLD).cloned().collect();
    newest.reverse();
    newest
}
