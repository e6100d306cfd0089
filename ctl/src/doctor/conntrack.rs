//! The table of tracked connections: when it is full, what is new is dropped.

use super::{Findings, Message};
use crate::program;

/// Room for a few seconds of a busy balancer; the shipped sysctl file gives four times as much.
const SMALL: u64 = 65_536;

pub(super) fn examine(found: &mut Findings) {
    let setting = |name: &str| program::setting(&format!("net/netfilter/nf_conntrack_{name}"));
    let (Some(count), Some(most)) = (setting("count"), setting("max")) else {
        return found.good("conntrack", &Message::Untracked());
    };
    let words = (count.to_string(), most.to_string());
    if count * 10 >= most * 8 {
        found.wrong("conntrack", &Message::TrackedFull(words.0, words.1));
    } else if count > 0 && most < SMALL {
        found.note("conntrack", &Message::TrackedSmall(words.1));
    } else {
        found.good("conntrack", &Message::Tracked(words.0, words.1));
    }
}
