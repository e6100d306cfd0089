//! The same server for the same client, on every node: Maglev's table, and where to go when its server is away.
//!
//! (Eisenbud et al.: Maglev: A Fast and Reliable Software Network Load Balancer, NSDI 2016, section 3.4.) Everything that
//! decides is fixed here: the key, the bytes that are hashed, the number of slots, the order of turns. Two nodes with the same
//! names and weights therefore agree without a word, whatever their build, byte order, or order of servers in the file.

mod table;

use std::hash::Hasher;
use std::net::{IpAddr, SocketAddr};

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
    on_walk(candidates, walk(&octets(source)), table)
}

/// The same for each flow of datagrams by itself: many clients may come from one address.
pub(super) fn choose_for_flow(candidates: &[Candidate], client: SocketAddr, table: &SourceTable) -> Option<usize> {
    let flow = [&octets(client.ip())[..], &client.port().to_be_bytes()].concat();
    on_walk(candidates, walk(&flow), table)
}

fn on_walk(candidates: &[Candidate], walk: impl Iterator<Item = usize>, table: &SourceTable) -> Option<usize> {
    let first = eligible(candidates).next()?.position;
    let may_be_chosen = |position: &usize| eligible(candidates).any(|candidate| candidate.position == *position);
    let on_its_walk = walk.map_while(|slot| table.server(slot)).find(may_be_chosen);
    // A table that knows none of the candidates is older than they are: any of them is better than none.
    Some(on_its_walk.unwrap_or(first))
}

/// Every slot once: the number of slots is prime, so each step but 0 goes round them all.
fn walk(client: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let start = hash(Purpose::Source, client) % SLOTS as u64;
    let step = hash(Purpose::Step, client) % (SLOTS as u64 - 1) + 1;
    (0..SLOTS as u64).map(move |turn| ((start + turn * step) % SLOTS as u64) as usize)
}

fn octets(source: IpAddr) -> Vec<u8> {
    match source {
        IpAddr::V4(source) => source.octets().to_vec(),
        IpAddr::V6(source) => source.octets().to_vec(),
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
