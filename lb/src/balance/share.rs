//! How far the connections of servers are from their shares, and what closing some of them would mend.

use fmc_config::model::backend::Weight;

/// A server may have a fifth over its share before anything is closed: less than that is noise, and costs clients a reconnect.
pub const TOLERANCE_PERCENT: u64 = 20;

/// One server that takes new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Its share of new connections; not 0.
    pub weight: Weight,
    /// What it has now.
    pub connections: u64,
}

/// The most that each server may have: its share of all connections by weight plus [`TOLERANCE_PERCENT`], rounded down, but
/// never under the share rounded up, which an even spread needs.
///
/// Who is closed connects again, most likely elsewhere, so the sum is taken to stay.
pub fn limits(loads: &[Load]) -> Vec<u64> {
    let total: u64 = loads.iter().map(|load| load.connections).sum();
    let weights: u64 = loads.iter().map(|load| u64::from(load.weight.get())).sum();
    let limit = |load: &Load| {
        let share_of_total = total * u64::from(load.weight.get());
        let tolerated = share_of_total * (100 + TOLERANCE_PERCENT) / (100 * weights.max(1));
        tolerated.max(share_of_total.div_ceil(weights.max(1)))
    };
    loads.iter().map(limit).collect()
}

/// The position of the server that is the most over its limit, as a part of it; `None` when none is over.
pub fn fullest(connections: &[u64], limits: &[u64]) -> Option<usize> {
    let over = (0..connections.len().min(limits.len())).filter(|&at| connections[at] > limits[at]);
    // Compares connections / limit by cross-multiplication, which is exact and knows a limit of 0.
    over.max_by(|&a, &b| (connections[a] * limits[b]).cmp(&(connections[b] * limits[a])).then(b.cmp(&a)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loads(servers: &[(u16, u64)]) -> Vec<Load> {
        let load = |&(weight, connections): &(u16, u64)| Load { weight: Weight::new(weight).unwrap(), connections };
        servers.iter().map(load).collect()
    }

    #[test]
    fn a_server_may_have_a_fifth_over_its_share() {
        assert_eq!(limits(&loads(&[(1, 90), (1, 60), (1, 0)])), [60, 60, 60]);
        assert_eq!(limits(&loads(&[(3, 0), (1, 100)])), [90, 30]);
    }

    #[test]
    fn few_connections_may_be_as_uneven_as_they_must() {
        assert_eq!(limits(&loads(&[(1, 2), (1, 1), (1, 1)])), [2, 2, 2]);
        assert_eq!(limits(&loads(&[(1, 1), (256, 0)])), [1, 1]);
        assert_eq!(limits(&loads(&[(1, 0), (1, 0)])), [0, 0]);
    }

    #[test]
    fn the_fullest_is_the_one_most_over_its_own_limit() {
        assert_eq!(fullest(&[90, 60, 0], &[60, 60, 60]), Some(0));
        assert_eq!(fullest(&[100, 50], &[90, 30]), Some(1));
        assert_eq!(fullest(&[60, 60], &[60, 60]), None);
        assert_eq!(fullest(&[5, 5, 0], &[2, 2, 2]), Some(0), "of equals the first");
    }

    proptest! {
        /// Closing on the fullest, each client coming back to the server with the most room, ends with nobody over the limit.
        #[test]
        fn closing_on_the_fullest_ends_within_the_limits(servers in prop::collection::vec((1u16..=256, 0u64..400), 1..8)) {
            let limits = limits(&loads(&servers));
            let mut open: Vec<_> = servers.iter().map(|(_, connections)| *connections).collect();
            let surplus: u64 = open.iter().zip(&limits).map(|(open, limit)| open.saturating_sub(*limit)).sum();
            for _ in 0..surplus {
                let from = fullest(&open, &limits).unwrap();
                open[from] -= 1;
                let to = (0..open.len()).max_by_key(|&at| limits[at].saturating_sub(open[at])).unwrap();
                open[to] += 1;
            }
            prop_assert_eq!(fullest(&open, &limits), None);
        }
    }
}
