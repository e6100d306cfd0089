//! The last ten minutes in cells of five seconds, for the charts of the status page. [core]
//!
//! Counters are read as they stand; a cell is what came between two readings. A counter that fell has begun again. Memory: two hundred
//! bytes a cell at most, and [`CELLS`] of them, for each frontend and server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use fmc_api::word::Seen;
use fmc_config::model::name::{BackendName, FrontendName, ServerName};

/// What one cell covers.
pub(crate) const CELL: Duration = Duration::from_secs(5);

/// Cells kept of each: ten minutes.
const CELLS: usize = 120;

/// One frontend's counters.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) accepted: u64,
    pub(crate) open: u64,
    pub(crate) relayed_bytes: u64,
}

/// One server's counters, and how it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) seen: Seen,
    pub(crate) connections: u64,
    pub(crate) connect_time: Duration,
}

/// Everything as it stands at one moment.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) frontends: BTreeMap<FrontendName, Traffic>,
    pub(crate) servers: BTreeMap<(BackendName, ServerName), Service>,
}

/// A frontend's cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) accepted: u64,
    pub(crate) open: u64,
    pub(crate) relayed_bytes: u64,
}

/// A server's cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) seen: Seen,
    pub(crate) connections: u64,
    /// On average; `None`: there were none.
    pub(crate) connect_time: Option<Duration>,
}

/// What is kept.
#[derive(Debug, Default)]
pub(crate) struct History {
    frontends: BTreeMap<FrontendName, Track<Traffic, Carried>>,
    servers: BTreeMap<(BackendName, ServerName), Track<Service, Served>>,
    /// When the open cell began, in whatever clock the readings have.
    began: Option<Duration>,
}

/// The reading at which the open cell began, and those that are closed.
#[derive(Debug)]
struct Track<R, C> {
    from: R,
    /// The worst of the open cell.
    worst: Option<Seen>,
    cells: VecDeque<C>,
}

impl<R, C> Track<R, C> {
    fn new(from: R) -> Self {
        Self { from, worst: None, cells: VecDeque::new() }
    }

    fn close(&mut self, cell: C, from: R) {
        if self.cells.len() == CELLS {
            self.cells.pop_front();
        }
        self.cells.push_back(cell);
        self.from = from;
        self.worst = None;
    }
}

impl History {
    /// Takes a reading of `at`, some moment of a clock that never goes back. What is not in it is forgotten.
    pub(crate) fn read(&mut self, at: Duration, reading: &Reading) {
        self.frontends.retain(|name, _| reading.frontends.contains_key(name));
        self.servers.retain(|name, _| reading.servers.contains_key(name));
        for (name, service) in &reading.servers {
            let track = self.servers.entry(name.clone()).or_insert_with(|| Track::new(*service));
            track.worst = Some(track.worst.map_or(service.seen, |worst| worst.worse(service.seen)));
        }
        let began = *self.began.get_or_insert(at);
        if at.saturating_sub(began) >= CELL {
            self.began = Some(at);
            self.close(reading);
        }
        for (name, traffic) in &reading.frontends {
            self.frontends.entry(name.clone()).or_insert_with(|| Track::new(*traffic));
        }
    }

    fn close(&mut self, reading: &Reading) {
        for (name, track) in &mut self.frontends {
            let Some(now) = reading.frontends.get(name) else { continue };
            let cell = Carried {
                accepted: since(track.from.accepted, now.accepted),
                open: now.open,
                relayed_bytes: since(track.from.relayed_bytes, now.relayed_bytes),
            };
            track.close(cell, *now);
        }
        for (name, track) in &mut self.servers {
            let Some(now) = reading.servers.get(name) else { continue };
            let connections = since(track.from.connections, now.connections);
            let took = now.connect_time.checked_sub(track.from.connect_time).unwrap_or(now.connect_time);
            let number = u32::try_from(connections).ok().filter(|number| *number > 0);
            let seen = track.worst.unwrap_or(now.seen);
            track.close(Served { seen, connections, connect_time: number.map(|number| took / number) }, *now);
        }
    }

    /// The closed cells of a frontend, oldest first.
    pub(crate) fn of_frontend(&self, name: &FrontendName) -> impl Iterator<Item = Carried> + Clone {
        self.frontends.get(name).into_iter().flat_map(|track| track.cells.iter().copied())
    }

    /// The closed cells of a server, oldest first.
    pub(crate) fn of_server(&self, backend: &BackendName, name: &ServerName) -> impl Iterator<Item = Served> + Clone {
        let track = self.servers.get(&(backend.clone(), name.clone()));
        track.into_iter().flat_map(|track| track.cells.iter().copied())
    }
}

/// What has come between two readings: everything, when the counter has begun again.
fn since(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(accepted: u64, seen: Seen, connections: u64, connect_ms: u64) -> Reading {
        let traffic = Traffic { accepted, open: 3, relayed_bytes: accepted * 100 };
        let service = Service { seen, connections, connect_time: Duration::from_millis(connect_ms) };
        Reading { frontends: [(web(), traffic)].into(), servers: [((workers(), worker1()), service)].into() }
    }

    fn web() -> FrontendName {
        "web".parse().unwrap()
    }

    fn workers() -> BackendName {
        "workers".parse().unwrap()
    }

    fn worker1() -> ServerName {
        "worker1".parse().unwrap()
    }

    #[test]
    fn a_cell_is_what_came_between_its_ends_and_the_worst_that_was_seen() {
        let mut history = History::default();
        history.read(Duration::ZERO, &reading(10, Seen::Healthy, 4, 8));
        history.read(CELL / 2, &reading(12, Seen::Unhealthy, 4, 8));
        history.read(CELL, &reading(15, Seen::Healthy, 6, 14));
        assert_eq!(
            history.of_frontend(&web()).collect::<Vec<_>>(),
            [Carried { accepted: 5, open: 3, relayed_bytes: 500 }]
        );
        let average = Some(Duration::from_millis(3));
        let cell = Served { seen: Seen::Unhealthy, connections: 2, connect_time: average };
        assert_eq!(history.of_server(&workers(), &worker1()).collect::<Vec<_>>(), [cell]);
        history.read(CELL * 2, &reading(15, Seen::Healthy, 6, 14));
        let last = history.of_server(&workers(), &worker1()).last();
        assert_eq!(last, Some(Served { seen: Seen::Healthy, connections: 0, connect_time: None }));
    }

    #[test]
    fn a_counter_that_begins_again_makes_no_mountain() {
        let mut history = History::default();
        history.read(Duration::ZERO, &reading(1_000, Seen::Healthy, 900, 500));
        history.read(CELL, &reading(2, Seen::Healthy, 1, 5));
        assert_eq!(history.of_frontend(&web()).last().map(|cell| cell.accepted), Some(2));
        let took = history.of_server(&workers(), &worker1()).last().and_then(|cell| cell.connect_time);
        assert_eq!(took, Some(Duration::from_millis(5)));
    }

    #[test]
    fn the_oldest_cell_leaves_and_what_is_gone_is_forgotten() {
        let mut history = History::default();
        for turn in 0..=(CELLS as u32 + 5) {
            history.read(CELL * turn, &reading(u64::from(turn), Seen::Healthy, 0, 0));
        }
        assert_eq!(history.of_frontend(&web()).count(), CELLS);
        history.read(CELL * 500, &Reading::default());
        assert_eq!(history.of_frontend(&web()).count(), 0);
    }
}
