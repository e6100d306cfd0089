//! The fewest connections for the weight.

use std::cmp::Ordering;

use super::{Candidate, eligible};

/// The smallest `(in_flight + 1) / weight`: the load each would have with this connection. Equals take turns.
pub(super) fn choose(candidates: &[Candidate], turn: u32) -> Option<usize> {
    let eligible = || eligible(candidates);
    let least = eligible().min_by(|a, b| compare(a, b))?;
    let equals = || eligible().filter(|c| compare(c, least) == Ordering::Equal);
    equals().nth(turn as usize % equals().count()).map(|c| c.position)
}

/// Compares the two fractions by cross-multiplication, which is exact: 2^32 * 256 fits in 64 bits.
fn compare(a: &Candidate, b: &Candidate) -> Ordering {
    let load = |c: &Candidate, other: &Candidate| (u64::from(c.in_flight) + 1) * u64::from(other.weight.get());
    load(a, b).cmp(&load(b, a))
}

#[cfg(test)]
mod tests {
    use fmc_config::model::backend::Weight;
    use proptest::prelude::*;

    use super::*;

    fn candidate(position: usize, in_flight: u32, weight: u16) -> Candidate {
        Candidate { position, weight: Weight::new(weight).unwrap(), in_flight, credit: 0 }
    }

    #[test]
    fn the_server_with_the_least_load_for_its_weight_is_chosen() {
        assert_eq!(choose(&[candidate(0, 3, 100), candidate(1, 2, 100)], 0), Some(1));
        assert_eq!(choose(&[candidate(0, 3, 200), candidate(1, 2, 100)], 0), Some(0));
    }

    #[test]
    fn equals_take_turns() {
        let idle = [candidate(0, 0, 1), candidate(1, 0, 1), candidate(2, 0, 1)];
        let chosen: Vec<_> = (0..6).map(|turn| choose(&idle, turn).unwrap()).collect();
        assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_server_without_weight_is_never_chosen() {
        assert_eq!(choose(&[candidate(0, 0, 0), candidate(1, u32::MAX, 1)], 0), Some(1));
        assert_eq!(choose(&[candidate(0, 0, 0)], 0), None);
        assert_eq!(choose(&[], 7), None);
    }

    proptest! {
        /// The choice is D'Hondt's apportionment, which keeps the lower quota: no server is a whole connection short of its share.
        #[test]
        fn lasting_connections_settle_in_proportion_to_the_weights(
            weights in prop::collection::vec(1u16..=256, 1..8), connections in 1u32..2000
        ) {
            let mut servers: Vec<_> = weights.iter().enumerate().map(|(i, &w)| candidate(i, 0, w)).collect();
            for turn in 0..connections {
                let chosen = choose(&servers, turn).unwrap();
                servers[chosen].in_flight += 1;
            }
            let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
            for server in &servers {
                let share = f64::from(connections) * f64::from(server.weight.get()) / total;
                prop_assert!(f64::from(server.in_flight) > share - 1.0 - 1e-9, "{} of {share}", server.in_flight);
            }
        }
    }
}
