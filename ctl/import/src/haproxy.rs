//! HAProxy's configuration: configuration.txt 2.2 (quoting), 2.3 (environment), 2.5 (time), 4 (proxies).

pub(crate) mod proxy;
pub(crate) mod server;

mod apply;
mod fate;
mod global;
mod section;
mod time;
mod words;

use crate::ledger::Ledger;
use crate::{Source, Surroundings};

pub(crate) use proxy::Haproxy;
pub(crate) use section::Statement;
pub(crate) use time::milliseconds;

/// The proxies of a file. What belongs to none is accounted for here.
pub(crate) fn read(source: &Source, surroundings: &dyn Surroundings, ledger: &mut Ledger) -> Haproxy {
    let sections = section::read(source, surroundings, ledger);
    proxy::read(sections, ledger)
}
