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
    /// The most that it takes; `None`: any number.
    pub most: Option<u64>,
}

/// The most that each server may have: its share of all connections by weight plus [`TOLERANCE_PERCENT`], rounded down, but
/// never under the share rounded up, which an even spread needs. What a server cannot take of its share, because of the most
/// that it takes, is shared among the others.
///
/// Who is closed connects again, most likely elsewhere, so the sum is taken to stay.
pub fn limits(loads: &[Load]) -> Vec<u64> {
    let mut total: u64 = loads.iter().map(|load| load.connections).sum();
    let mut sharing: Vec<_> = loads.iter().collect();
    // Each round takes out those that the share of the rest would overfill, which makes that of the others larger.
    loop {
        let weights = weights(&sharing);
        let (full, others): (Vec<&Load>, Vec<&Load>) =
            sharing.iter().copied().partition(|load| load.is_overfilled_by(total, weights));
        if full.is_empty() || others.is_empty() {
            return loads.iter().map(|load| load.limit(total, weights)).collect();
        }
        total = total.saturating_sub(full.iter().filter_map(|load| load.most).sum::<u64>());
        sharing = others;
    }
}

fn weights(loads: &[&Load]) -> u64 {
    loads.iter().map(|load| u64::from(load.weight.get())).sum::<u64>().max(1)
}

impl Load {
    /// Whether its even share of `total` is over the most that it takes.
    fn is_overfilled_by(&self, total: u64, weights: u64) -> bool {
        self.most.is_some_and(|most| most * weights < total * u64::from(self.weight.get()))
    }

    fn limit(&self, total: u64, weights: u64) -> u64 {
        let share_of_total = total * u64::from(self.weight.get());
        let tolerated = share_of_total * (100 + TOLERANCE_PERCENT) / (100 * weights);
        tolerated.max(share_of_total.div_ceil(weights)).min(self.most.unwrap_or(u64::MAX))
    }
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
        let load = |&(weight, connections): &(u16, u64)| Load {
            weight: Weight::new(weight).unwrap(),
            connections,
            most: None,
        };
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
    fn what_a_server_cannot_take_is_shared_among_the_others() {
        let mut of_three = loads(&[(1, 90), (1, 60), (1, 0)]);
        of_three[2].most = Some(10);
        assert_eq!(limits(&of_three), [84, 84, 10], "140 that stay over two, and a fifth");
        of_three[1].most = Some(60);
        assert_eq!(limits(&of_three), [96, 60, 10], "80 on the first, and a fifth");
        of_three[0].most = Some(20);
        assert_eq!(limits(&of_three), [20, 60, 10], "a limit that was lowered meanwhile");
        of_three[2].most = Some(1000);
        (of_three[0].most, of_three[1].most) = (None, None);
        assert_eq!(limits(&of_three), [60, 60, 60], "one that is far away changes nothing");
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
        fn closing_on_the_fullest_ends_within_the_limits(
            servers in prop::collection::vec((1u16..=256, 0u64..400), 1..8),
            room in prop::collection::vec(prop::option::of(0u64..400), 8),
        ) {
            let mut loads = loads(&servers);
            // Nobody has more than he takes.
            loads.iter_mut().zip(&room).for_each(|(load, room)| load.most = room.map(|room| load.connections + room));
            let limits = limits(&loads);
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
