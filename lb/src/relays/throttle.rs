//! [core] How much a direction of a relay may read now, and when one that may not is tried again.
//!
//! A direction overdraws by what one turn reads, and then waits until that [`Debt`] is paid. Where connections share a bandwidth, those that
//! wait stand in line, and the first of them has its turn when the debt of all is paid: nobody has two turns while another one waits. What waits
//! is not read, so that its sender feels it.

mod debt;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::num::NonZeroU64;

use debt::Debt;

/// Nanoseconds since some moment of the caller's choice.
pub(crate) type Nanos = u64;

/// Bytes in a second.
pub(crate) type Rate = NonZeroU64;

/// Between two looks at a line: what the clock of the loop can tell apart.
const SHORTEST_LOOK: Nanos = 1_000_000;

/// A line is looked at this often, however deep its debt: a bandwidth that a reload has changed is found out.
const LONGEST_LOOK: Nanos = 100_000_000;

/// The least of a shared turn: less would cost more system calls than it is worth.
const LEAST_SHARE: usize = 16 * 1024;

/// One of the two directions of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];
}

/// What a relay is held to, in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Those with the same number share `all`.
    pub(crate) group: u64,
    pub(crate) all: Option<Rate>,
    pub(crate) each: Option<Rate>,
}

impl Bounds {
    /// It may move as much as goes.
    pub(crate) fn are_none(&self) -> bool {
        self.all.or(self.each).is_none()
    }
}

/// The debts of all relays, and those who wait. A relay that is not bounded is not known here.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    accounts: HashMap<(usize, Way), Account>,
    lines: HashMap<LineName, Line>,
    alarms: BinaryHeap<Reverse<(Nanos, Alarm)>>,
}

type LineName = (u64, Way);

/// One direction of one relay.
#[derive(Debug, Default)]
struct Account {
    debt: Debt,
    place: Place,
    /// It waits since then.
    since: Option<Nanos>,
    waited: Nanos,
    /// It has waited, and not read since.
    is_late: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Free,
    /// Its own debt; an alarm tells when it is paid.
    Paying,
    InLine(LineName),
    /// It was the first in line, and the debt of all was paid.
    Called,
}

/// One direction of those who share a bandwidth.
#[derive(Debug, Default)]
struct Line {
    debt: Debt,
    waiting: VecDeque<usize>,
    /// As it was when somebody last asked.
    rate: Option<Rate>,
    has_alarm: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Relay(usize),
    Line(LineName),
}

impl Throttle {
    /// Bytes that this direction may read in a turn now. 0: it waits, and [`Throttle::wake`] names it when it is to ask again.
    pub(crate) fn allow(&mut self, key: usize, way: Way, bounds: &Bounds, now: Nanos) -> usize {
        let own = bounds.each.map_or(usize::MAX, debt::turn);
        if bounds.each.is_some() && self.is_paying(key, way, now) {
            return 0;
        }
        let shared = match bounds.all {
            Some(all) => self.share(key, way, (bounds.group, way), all, now),
            None => {
                self.share_nothing(key, way);
                usize::MAX
            }
        };
        if shared > 0 {
            self.go_on(key, way, now);
        }
        own.min(shared)
    }

    /// After a turn that read so many bytes; says how many of them had to wait.
    pub(crate) fn charge(&mut self, key: usize, way: Way, bounds: &Bounds, bytes: usize, now: Nanos) -> usize {
        if bytes == 0 {
            return 0;
        }
        if let Some(all) = bounds.all {
            self.line((bounds.group, way), now).debt.add(bytes, all, now);
        }
        let account = self.accounts.entry((key, way)).or_default();
        if let Some(each) = bounds.each {
            account.debt.add(bytes, each, now);
        }
        if std::mem::take(&mut account.is_late) { bytes } else { 0 }
    }

    /// A direction that has nothing to read waits for nothing.
    pub(crate) fn stand_back(&mut self, key: usize, way: Way, now: Nanos) {
        if self.accounts.contains_key(&(key, way)) {
            self.leave_line(key, way);
            self.go_on(key, way, now);
        }
    }

    /// True when nobody was bounded lately.
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// True while one of its directions waits.
    pub(crate) fn is_waiting(&self, key: usize) -> bool {
        self.of(key).any(|account| account.since.is_some())
    }

    /// How long its directions have waited, both together, in nanoseconds.
    pub(crate) fn waited(&self, key: usize, now: Nanos) -> Nanos {
        self.of(key).map(|account| account.waited + account.since.map_or(0, |since| now.saturating_sub(since))).sum()
    }

    /// The relay has ended.
    pub(crate) fn forget(&mut self, key: usize) {
        for way in Way::BOTH {
            self.leave_line(key, way);
            self.accounts.remove(&(key, way));
        }
    }

    /// When [`Throttle::wake`] has something to do.
    pub(crate) fn next(&self) -> Option<Nanos> {
        self.alarms.peek().map(|Reverse((at, _))| *at)
    }

    /// Relays whose turn it is now. One that has ended may be among them, or another one in its place.
    pub(crate) fn wake(&mut self, now: Nanos) -> Vec<usize> {
        let mut woken = Vec::new();
        while self.next().is_some_and(|at| at <= now)
            && let Some(Reverse((_, alarm))) = self.alarms.pop()
        {
            match alarm {
                Alarm::Relay(key) => {
                    self.end_payment(key);
                    woken.push(key);
                }
                Alarm::Line(name) => self.call(name, now, &mut woken),
            }
        }
        woken
    }

    fn of(&self, key: usize) -> impl Iterator<Item = &Account> {
        Way::BOTH.into_iter().filter_map(move |way| self.accounts.get(&(key, way)))
    }

    /// True while its own debt is unpaid.
    fn is_paying(&mut self, key: usize, way: Way, now: Nanos) -> bool {
        let Some(account) = self.accounts.get_mut(&(key, way)) else { return false };
        let Some(paid_at) = account.debt.paid_at(now) else { return false };
        if matches!(account.place, Place::Free | Place::Called) {
            account.place = Place::Paying;
            account.since.get_or_insert(now);
            self.alarms.push(Reverse((paid_at, Alarm::Relay(key))));
        }
        true
    }

    /// Whether all is paid now is for the next question to find out.
    fn end_payment(&mut self, key: usize) {
        for way in Way::BOTH {
            if let Some(account) = self.accounts.get_mut(&(key, way)).filter(|account| account.place == Place::Paying) {
                account.place = Place::Free;
            }
        }
    }

    /// What one of those who share may read; 0: it stands in line.
    fn share(&mut self, key: usize, way: Way, name: LineName, all: Rate, now: Nanos) -> usize {
        self.line(name, now).rate = Some(all);
        let place = self.accounts.get(&(key, way)).map_or(Place::Free, |account| account.place);
        if matches!(place, Place::InLine(_)) {
            return 0;
        }
        let line = self.line(name, now);
        let share = line.share(all);
        if place == Place::Called || line.waiting.is_empty() && line.debt.paid_at(now).is_none() {
            return share;
        }
        line.waiting.push_back(key);
        self.set_alarm(name, now);
        let account = self.accounts.entry((key, way)).or_default();
        account.place = Place::InLine(name);
        account.since.get_or_insert(now);
        0
    }

    /// The first in line have their turn, as many as the time that has passed pays for; who reads less than that makes room for the next.
    fn call(&mut self, name: LineName, now: Nanos, woken: &mut Vec<usize>) {
        let Self { accounts, lines, .. } = self;
        let Some(line) = lines.get_mut(&name) else { return };
        line.has_alarm = false;
        let mut debt = line.debt;
        if debt.paid_at(now + LONGEST_LOOK).is_some() {
            // Nobody's turn for long: the first one asks anew.
            woken.extend(line.waiting.front());
        }
        while debt.paid_at(now).is_none()
            && let Some(key) = line.waiting.pop_front()
        {
            if let Some(rate) = line.rate {
                debt.add(line.share(rate), rate, now);
            }
            accounts.entry((key, name.1)).or_default().place = Place::Called;
            woken.push(key);
        }
        self.set_alarm(name, now);
    }

    /// One for each line in which somebody stands.
    fn set_alarm(&mut self, name: LineName, now: Nanos) {
        let line = self.line(name, now);
        if !line.waiting.is_empty() && !std::mem::replace(&mut line.has_alarm, true) {
            let at = line.debt.paid_at(now).unwrap_or(now).clamp(now + SHORTEST_LOOK, now + LONGEST_LOOK);
            self.alarms.push(Reverse((at, Alarm::Line(name))));
        }
    }

    /// Of a frontend that is gone, nobody stands in line and the debt is paid: then it makes room for the next.
    fn line(&mut self, name: LineName, now: Nanos) -> &mut Line {
        if !self.lines.contains_key(&name) {
            self.lines.retain(|_, line| !line.waiting.is_empty() || line.has_alarm || line.debt.paid_at(now).is_some());
        }
        self.lines.entry(name).or_default()
    }

    fn leave_line(&mut self, key: usize, way: Way) -> Option<&mut Line> {
        let account = self.accounts.get_mut(&(key, way))?;
        let Place::InLine(name) = account.place else { return None };
        account.place = Place::Free;
        let line = self.lines.get_mut(&name)?;
        line.waiting.retain(|other| *other != key);
        Some(line)
    }

    /// Whoever leaves because nothing is shared any more is followed by all the others.
    fn share_nothing(&mut self, key: usize, way: Way) {
        if let Some(line) = self.leave_line(key, way) {
            line.rate = None;
        }
    }

    fn go_on(&mut self, key: usize, way: Way, now: Nanos) {
        let Some(account) = self.accounts.get_mut(&(key, way)) else { return };
        account.place = Place::Free;
        if let Some(since) = account.since.take() {
            account.waited += now.saturating_sub(since);
            account.is_late = true;
        }
    }
}

impl Line {
    /// The more wait, the less each: nobody waits long for a turn.
    fn share(&self, all: Rate) -> usize {
        let turn = debt::turn(all);
        (turn / (self.waiting.len() + 1)).max(LEAST_SHARE.min(turn))
    }
}

#[cfg(test)]
mod tests;
