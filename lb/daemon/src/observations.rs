//! What an observer has seen: sums that outlive restarts, and a bounded list of sentences. [core]
//!
//! A value: it reads no clock, and whoever changes it has the record saved.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use fmc_api::Moment;
use fmc_api::observed::ObservedNote;
use fmc_config::model::name::{BackendName, ServerName, VipName};
use serde::{Deserialize, Serialize};

/// The newest sentences: a bad week has some hundred.
const KEPT: usize = 500;

/// Changes when an old reader would misread a new record.
const VERSION: u32 = 1;

/// Everything since the observation began.
#[derive(Debug, Clone)]
pub(crate) struct Observations {
    record: Record,
    unfit_since: BTreeMap<VipName, Instant>,
    out_since: BTreeMap<(BackendName, ServerName), Instant>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    since: Moment,
    vips: BTreeMap<VipName, VipSums>,
    servers: BTreeMap<BackendName, BTreeMap<ServerName, ServerSums>>,
    notes: VecDeque<ObservedNote>,
}

/// Of one VIP; spans in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VipSums {
    pub(crate) moves: u64,
    pub(crate) silences: u64,
    pub(crate) contests: u64,
    pub(crate) took_ms: u64,
    pub(crate) would_have_taken_ms: u64,
    pub(crate) kept_while_unfit_ms: u64,
}

/// Of one server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerSums {
    pub(crate) times_out: u64,
    pub(crate) out_ms: u64,
}

impl Observations {
    /// Goes on with a record; without one that can be read it begins now.
    pub(crate) fn recover(record: Option<&str>, now: Moment) -> Self {
        let known = record.and_then(|text| serde_json::from_str::<Record>(text).ok());
        let new = || Record {
            version: VERSION,
            since: now,
            vips: BTreeMap::new(),
            servers: BTreeMap::new(),
            notes: VecDeque::new(),
        };
        let record = known.filter(|record| record.version == VERSION).unwrap_or_else(new);
        Self { record, unfit_since: BTreeMap::new(), out_since: BTreeMap::new() }
    }

    /// As text.
    pub(crate) fn to_record(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.record)
    }

    /// When it began.
    pub(crate) fn since(&self) -> Moment {
        self.record.since
    }

    /// Oldest first.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &ObservedNote> {
        self.record.notes.iter()
    }

    /// A sentence more; the oldest leaves when there are too many.
    pub(crate) fn note(&mut self, note: ObservedNote) {
        if self.record.notes.len() == KEPT {
            self.record.notes.pop_front();
        }
        self.record.notes.push_back(note);
    }

    /// Of a VIP, to add to.
    pub(crate) fn sums_of(&mut self, vip: &VipName) -> &mut VipSums {
        self.record.vips.entry(vip.clone()).or_default()
    }

    /// Of a VIP, with what is under way.
    pub(crate) fn vip(&self, vip: &VipName, now: Instant) -> VipSums {
        let sums = self.record.vips.get(vip).copied().unwrap_or_default();
        let under_way = span_ms(self.unfit_since.get(vip), now);
        VipSums { kept_while_unfit_ms: sums.kept_while_unfit_ms + under_way, ..sums }
    }

    /// Of a server, with what is under way.
    pub(crate) fn server(&self, backend: &BackendName, server: &ServerName, now: Instant) -> ServerSums {
        let sums =
            self.record.servers.get(backend).and_then(|servers| servers.get(server)).copied().unwrap_or_default();
        let under_way = span_ms(self.out_since.get(&(backend.clone(), server.clone())), now);
        ServerSums { out_ms: sums.out_ms + under_way, ..sums }
    }

    /// Whether the router of this machine owns the VIP though it could not serve it. `Some`: that is new, or it is over after so long.
    pub(crate) fn kept_while_unfit(&mut self, vip: &VipName, is_so: bool, now: Instant) -> Option<Turn> {
        match (self.unfit_since.get(vip).copied(), is_so) {
            (None, true) => {
                self.unfit_since.insert(vip.clone(), now);
                Some(Turn::Began)
            }
            (Some(since), false) => {
                self.unfit_since.remove(vip);
                let lasted = now.saturating_duration_since(since);
                self.sums_of(vip).kept_while_unfit_ms += milliseconds(lasted);
                Some(Turn::Ended(lasted))
            }
            (None, false) | (Some(_), true) => None,
        }
    }

    /// Whether a server would be out of service.
    pub(crate) fn out_of_service(
        &mut self,
        (backend, server): (&BackendName, &ServerName),
        is_out: bool,
        now: Instant,
    ) -> Option<Turn> {
        let key = (backend.clone(), server.clone());
        let sums = self.record.servers.entry(backend.clone()).or_default().entry(server.clone()).or_default();
        match (self.out_since.get(&key).copied(), is_out) {
            (None, true) => {
                sums.times_out += 1;
                self.out_since.insert(key, now);
                Some(Turn::Began)
            }
            (Some(since), false) => {
                self.out_since.remove(&key);
                let lasted = now.saturating_duration_since(since);
                sums.out_ms += milliseconds(lasted);
                Some(Turn::Ended(lasted))
            }
            (None, false) | (Some(_), true) => None,
        }
    }
}

/// Something that lasts has begun, or ended after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Began,
    Ended(Duration),
}

fn span_ms(since: Option<&Instant>, now: Instant) -> u64 {
    since.map_or(0, |since| milliseconds(now.saturating_duration_since(*since)))
}

pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use fmc_api::word::Comparison;

    use super::*;

    fn began() -> Observations {
        Observations::recover(None, Moment::from_unix_ms(1_000))
    }

    #[test]
    fn sums_and_sentences_outlive_a_restart_and_a_broken_record_begins_anew() {
        let mut seen = began();
        let api: VipName = "api".parse().unwrap();
        seen.sums_of(&api).moves = 3;
        let note = ObservedNote {
            at: Moment::from_unix_ms(2_000),
            subject: "vip api".to_owned(),
            text: "it moved".to_owned(),
            comparison: Comparison::Better,
        };
        seen.note(note.clone());
        let again = Observations::recover(Some(&seen.to_record().unwrap()), Moment::from_unix_ms(9_000));
        assert_eq!((again.since(), again.vip(&api, Instant::now()).moves), (Moment::from_unix_ms(1_000), 3));
        assert_eq!(again.notes().collect::<Vec<_>>(), [&note]);
        assert_eq!(Observations::recover(Some("{"), Moment::from_unix_ms(9_000)).since(), Moment::from_unix_ms(9_000));
    }

    #[test]
    fn what_lasts_is_counted_while_it_lasts_and_once() {
        let mut seen = began();
        let api: VipName = "api".parse().unwrap();
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(seen.kept_while_unfit(&api, true, start), Some(Turn::Began));
        assert_eq!(seen.kept_while_unfit(&api, true, start + second), None);
        assert_eq!(seen.vip(&api, start + second).kept_while_unfit_ms, 1000);
        assert_eq!(seen.kept_while_unfit(&api, false, start + second * 2), Some(Turn::Ended(second * 2)));
        assert_eq!(seen.vip(&api, start + second * 9).kept_while_unfit_ms, 2000);
        let (backend, server) = ("masters".parse().unwrap(), "master1".parse().unwrap());
        assert_eq!(seen.out_of_service((&backend, &server), true, start), Some(Turn::Began));
        assert_eq!(seen.server(&backend, &server, start + second), ServerSums { times_out: 1, out_ms: 1000 });
    }

    #[test]
    fn the_oldest_sentence_leaves_when_there_are_too_many() {
        let mut seen = began();
        for number in 0..=KEPT as u64 {
            let (subject, text) = ("vip api".to_owned(), number.to_string());
            seen.note(ObservedNote { at: Moment::from_unix_ms(number), subject, text, comparison: Comparison::Same });
        }
        assert_eq!((seen.notes().count(), seen.notes().next().unwrap().text.as_str()), (KEPT, "1"));
    }
}
