//! What each move of a VIP measured of itself: a bounded history, and the measurements that are under way. [core]
//!
//! A value: it reads no clock, and whoever changes it has the record saved.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use fmc_api::failovers::FailoverReport;
use fmc_api::word::Half;
use fmc_config::model::name::VipName;
use serde::{Deserialize, Serialize};

/// Reports kept; the oldest leaves when one more comes. Each is under half a kilobyte.
const KEPT: usize = 128;

/// Who has not come by then is not waited for: the service was idle.
pub(crate) const MEASURED_FOR: Duration = Duration::from_secs(60);

/// Changes when an old reader would misread a new record.
const VERSION: u32 = 1;

/// The history of this node.
#[derive(Debug, Default)]
pub(crate) struct FailoverHistory {
    /// Oldest first.
    reports: VecDeque<FailoverReport>,
    /// Reports ever begun.
    count: u64,
    /// What is being measured: one of each VIP.
    measuring: BTreeMap<VipName, Measuring>,
}

#[derive(Debug, Clone, Copy)]
struct Measuring {
    number: u64,
    /// From here the spans are counted.
    from: Instant,
    /// When its end is looked at.
    until: Instant,
    /// Relays ended because of a move, of this VIP, before this one.
    ended_before: u64,
}

/// What the data plane tells of a VIP.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    pub(crate) connection: Option<Instant>,
    pub(crate) byte: Option<Instant>,
    /// Relays ever ended because it left.
    pub(crate) ended: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    count: u64,
    reports: VecDeque<FailoverReport>,
}

impl FailoverHistory {
    /// From the record; what cannot be read is nothing. What was being measured when it was written never will be.
    pub(crate) fn recover(record: Option<&str>) -> Self {
        let record = record.and_then(|text| serde_json::from_str::<Record>(text).ok());
        let Some(Record { count, mut reports, .. }) = record.filter(|record| record.version == VERSION) else {
            return Self::default();
        };
        reports.iter_mut().for_each(|report| report.complete = true);
        Self { reports, count, measuring: BTreeMap::new() }
    }

    /// As text.
    pub(crate) fn to_record(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Record { version: VERSION, count: self.count, reports: self.reports.clone() })
    }

    /// Oldest first.
    pub(crate) fn reports(&self) -> impl DoubleEndedIterator<Item = &FailoverReport> {
        self.reports.iter()
    }

    /// Begins a report, whose spans count from `from`; it is looked at for `lasts`. One of the same VIP that was not complete is.
    pub(crate) fn begin(&mut self, report: FailoverReport, from: Instant, lasts: Duration, ended_before: u64) {
        self.finish(&report.vip);
        self.count += 1;
        let measuring = Measuring { number: self.count, from, until: from + lasts, ended_before };
        self.measuring.insert(report.vip.clone(), measuring);
        if self.reports.len() == KEPT {
            self.reports.pop_front();
        }
        self.reports.push_back(FailoverReport { number: self.count, complete: false, ..report });
    }

    /// The address is on the node.
    pub(crate) fn address_installed(&mut self, vip: &VipName, at: Instant) {
        let Some((measuring, report)) = self.under_way(vip) else { return };
        if report.half == Half::Came {
            report.address_up_us.get_or_insert(micros(measuring.from, at));
        }
    }

    /// VIPs that are being measured.
    pub(crate) fn measured(&self) -> Vec<VipName> {
        self.measuring.keys().cloned().collect()
    }

    /// Takes in what was served so far; the report, when it is complete by that.
    pub(crate) fn look(&mut self, vip: &VipName, served: Served, now: Instant) -> Option<FailoverReport> {
        let (measuring, report) = self.under_way(vip)?;
        let Measuring { from, until, ended_before, .. } = measuring;
        match report.half {
            Half::Came => {
                // What came before the claim came to an earlier life of the address.
                let span = |at: Option<Instant>| at.filter(|at| *at >= from).map(|at| micros(from, at));
                report.first_connection_us = span(served.connection);
                report.first_byte_us = span(served.byte);
            }
            Half::Left => report.relays_ended = Some(served.ended.saturating_sub(ended_before)),
        }
        let is_over = now >= until || report.first_byte_us.is_some();
        is_over.then(|| self.finish(vip)).flatten()
    }

    fn finish(&mut self, vip: &VipName) -> Option<FailoverReport> {
        let (_, report) = self.under_way(vip)?;
        report.complete = true;
        let finished = report.clone();
        self.measuring.remove(vip);
        Some(finished)
    }

    fn under_way(&mut self, vip: &VipName) -> Option<(Measuring, &mut FailoverReport)> {
        let measuring = *self.measuring.get(vip)?;
        let report = self.reports.iter_mut().rev().find(|report| report.number == measuring.number)?;
        Some((measuring, report))
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}

/// A finished report as one event: `it came: silent for 301 ms, address up after 0.8 ms, ...`.
pub(crate) fn sentence(report: &FailoverReport) -> String {
    let told = |words: &str, us: Option<u64>| us.map(|us| format!("{words} {}", milliseconds(us)));
    let parts: Vec<String> = match report.half {
        Half::Came => [
            told("the owner was silent for", report.silent_us),
            told("address up after", report.address_up_us),
            told("first connection after", report.first_connection_us),
            told("first byte after", report.first_byte_us),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Half::Left => {
            let count = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
            vec![format!("{} of {} relays ended", count(report.relays_ended), count(report.relays_open))]
        }
    };
    format!("report {}, {}: {}", report.number, report.half, parts.join(", "))
}

fn milliseconds(us: u64) -> String {
    format!("{}.{} ms", us / 1000, us % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use fmc_api::Moment;

    use super::*;

    fn report(vip: &str, half: Half) -> FailoverReport {
        FailoverReport {
            node: "lb1".parse().unwrap(),
            number: 0,
            vip: vip.parse().unwrap(),
            address: "192.168.0.32".parse().unwrap(),
            half,
            at: Moment::from_unix_ms(1000),
            cause: "no advertisement for 301 ms".to_owned(),
            planned: false,
            silent_us: Some(301_000),
            address_up_us: None,
            first_connection_us: None,
            first_byte_us: None,
            relays_open: None,
            relays_ended: None,
            complete: false,
        }
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_take_over_is_measured_until_its_first_byte() {
        let (mut history, vip, claimed) = (FailoverHistory::default(), "api".parse().unwrap(), Instant::now());
        history.begin(report("api", Half::Came), claimed, MEASURED_FOR, 0);
        history.address_installed(&vip, claimed + MS);
        let old = Served { connection: Some(claimed - MS), byte: None, ended: 0 };
        assert_eq!(history.look(&vip, old, claimed + MS), None, "a connection of an earlier life is none");
        let connected = Served { connection: Some(claimed + MS * 12), ..old };
        assert_eq!(history.look(&vip, connected, claimed + MS * 250), None);
        let served = Served { byte: Some(claimed + MS * 15), ..connected };
        let done = history.look(&vip, served, claimed + MS * 500).unwrap();
        assert_eq!(
            sentence(&done),
            "report 1, came: the owner was silent for 301.0 ms, address up after 1.0 ms, first connection after 12.0 ms, first byte after 15.0 ms"
        );
        assert!(done.complete && history.measured().is_empty());
    }

    #[test]
    fn an_idle_service_is_not_waited_for_for_ever() {
        let (mut history, vip, claimed) = (FailoverHistory::default(), "api".parse().unwrap(), Instant::now());
        history.begin(report("api", Half::Came), claimed, MEASURED_FOR, 0);
        assert_eq!(history.look(&vip, Served::default(), claimed + MEASURED_FOR - MS), None);
        assert!(history.look(&vip, Served::default(), claimed + MEASURED_FOR).is_some_and(|done| done.complete));
    }

    #[test]
    fn relays_that_ended_before_are_not_counted() {
        let (mut history, vip, left) = (FailoverHistory::default(), "api".parse().unwrap(), Instant::now());
        history.begin(FailoverReport { relays_open: Some(5), ..report("api", Half::Left) }, left, MS, 7);
        let done = history.look(&vip, Served { ended: 11, ..Served::default() }, left + MS).unwrap();
        assert_eq!(sentence(&done), "report 1, left: 4 of 5 relays ended");
    }

    #[test]
    fn the_record_is_bounded_survives_and_leaves_nothing_half_measured() {
        let mut history = FailoverHistory::default();
        for _ in 0..KEPT + 3 {
            history.begin(report("api", Half::Came), Instant::now(), MEASURED_FOR, 0);
        }
        let mut again = FailoverHistory::recover(Some(&history.to_record().unwrap()));
        let numbers: Vec<u64> = again.reports().map(|report| report.number).collect();
        assert_eq!((numbers.len(), numbers[0]), (KEPT, 4));
        assert!(again.reports().all(|report| report.complete) && again.measured().is_empty());
        again.begin(report("web", Half::Left), Instant::now(), MS, 0);
        assert_eq!(again.reports().next_back().map(|report| report.number), Some(KEPT as u64 + 4), "counted on");
        for wrong in ["", "{}", r#"{"version":2,"count":1,"reports":[]}"#] {
            assert_eq!(FailoverHistory::recover(Some(wrong)).reports().count(), 0);
        }
    }
}
