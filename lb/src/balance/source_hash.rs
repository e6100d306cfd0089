//! The same server for the same client, on every node: Maglev's table, and where to go when its server is away.
//!
//! (Eisenbud et al.: Maglev: A Fast and Reliable Software Network Load Balancer, NSDI 2016, section 3.4.) Everything that
//! decides is fixed here: the key, the bytes that are hashed, the number of slots, the order of turns. Two nodes with the same
//! names and weights therefore agree without a word, whatever their build, byte order, or order of servers in the file.

mod table;

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use super::{Candidate, eligible};

pub use table::{SLOTS, SourceTable, TableEntry};

/// The hash's key: the ASCII bytes `fmc-lb maglev v1`. It is no secret; it must only never change.
const KEY: &[u8; 16] = b"fmc-lb maglev v1";

/// What is hashed; the first byte, so that a client's address and a server's name never meet.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Offset = 0,
    Skip = 1,
    Source = 2,
    Step = 3,
}

/// The server in the client's slot; when that one may not be chosen now, the one in the next slot of the client's own walk.
///
/// So while a server is away its clients spread over the others by their weights, and nobody else moves.
pub(super) fn choose(candidates: &[Candidate], source: IpAddr, table: &SourceTable) -> Option<usize> {
    let first = eligible(candidates).next()?.position;
    let may_be_chosen = |position: &usize| eligible(candidates).any(|candidate| candidate.position == *position);
    let on_its_walk = walk(source).map_while(|slot| table.server(slot)).find(may_be_chosen);
    // A table that knows none of the candidates is older than they are: any of them is better than none.
    Some(on_its_walk.unwrap_or(first))
}

/// Every slot once: the number of slots is prime, so each step but 0 goes round them all.
fn walk(source: IpAddr) -> impl Iterator<Item = usize> {
    let start = hash_of(Purpose::Source, source) % SLOTS as u64;
    let step = hash_of(Purpose::Step, source) % (SLOTS as u64 - 1) + 1;
    (0..SLOTS as u64).map(move |turn| ((start + turn * step) % SLOTS as u64) as usize)
}

fn hash_of(purpose: Purpose, source: IpAddr) -> u64 {
    match source {
        IpAddr::V4(source) => hash(purpose, &source.octets()),
        IpAddr::V6(source) => hash(purpose, &source.octets()),
    }
}

/// SipHash-2-4 (Aumasson, Bernstein 2012) of bytes in an order we choose, never of a type's own idea of its hash.
fn hash(purpose: Purpose, bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(KEY);
    hasher.write(&[purpose as u8]);
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests;
