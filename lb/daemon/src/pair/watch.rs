//! Looks at one other node each second: what it says is kept, its events are taken in, and when operators have asked something there
//! that is not known here, it is taken over.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fmc_api::pair::{PairQuery, PairReport};
use fmc_api::path;
use tokio::time::sleep;

use super::call::Line;
use super::channel::Said;
use crate::administrative::Administrative;
use crate::proxy::appliance::{Appliance, Shared};
use crate::wiring::operator;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// A look that takes longer says that the node is in trouble.
const WITHIN: Duration = Duration::from_secs(2);

/// The longest record that is taken in, as on the disk.
const LONGEST_RECORD: usize = 1 << 20;

/// Looks for ever.
pub(super) async fn watch(line: Line, shared: Shared) {
    loop {
        let looked = look(&line, &shared).await;
        let trouble = looked.err().map(|error| format!("{error:#}"));
        if let Some(other) = shared.borrow_mut().channel.other_mut(&line.node) {
            other.trouble = trouble;
        }
        sleep(INTERVAL).await;
    }
}

async fn look(line: &Line, shared: &Shared) -> Result<()> {
    let newest = shared.borrow().events.newest_of(&line.node);
    let target = format!("{}?{}", path::PAIR, PairQuery { after: newest });
    let report: PairReport = serde_json::from_slice(&get(line, &target).await?).context("not a report of a node")?;
    ensure!(report.node == line.node, "it says that it is {}", report.node);
    if hear(report, &mut shared.borrow_mut()) {
        take_over(line, shared).await?;
    }
    Ok(())
}

async fn get(line: &Line, target: &str) -> Result<Vec<u8>> {
    let (head, body) = line.get(target, WITHIN).await?;
    ensure!(head.status().is_success(), "it answers {}", head.status());
    Ok(body.to_vec())
}

/// Keeps a report; true when operators have asked something there that is not known here, or the other way round.
fn hear(report: PairReport, appliance: &mut Appliance) -> bool {
    let differs = appliance.administrative.digest().is_ok_and(|own| format!("{own:016x}") != report.administrative);
    let Some(other) = appliance.channel.other_mut(&report.node) else { return false };
    let events = report.events.clone();
    other.said = Some(Said { at: Instant::now(), report });
    appliance.events.take_in(events);
    differs
}

async fn take_over(line: &Line, shared: &Shared) -> Result<()> {
    let record = get(line, path::PAIR_ADMINISTRATIVE).await?;
    ensure!(record.len() <= LONGEST_RECORD, "its record of what operators asked is over {LONGEST_RECORD} bytes");
    let text = String::from_utf8(record).context("its record of what operators asked is no text")?;
    let theirs = Administrative::from_record(&text).context("its record of what operators asked")?;
    operator::take_over(&theirs, &line.node, &mut shared.borrow_mut());
    Ok(())
}
