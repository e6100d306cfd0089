//! Two drawn, the less loaded one taken: nearly as even as asking all, without everybody running to the emptiest.

use super::{Candidate, eligible};

/// Draws two different candidates, each in proportion to its weight, and takes the one with fewer connections for its
/// weight; of equals the one that was drawn first, so that idle servers are chosen by their weights.
///
/// (Mitzenmacher: The Power of Two Choices in Randomized Load Balancing, 2001.) Unlike least connections the connection to
/// come is not counted in: between idle servers the heavy one would win every time.
pub(super) fn choose(candidates: &[Candidate], entropy: u64) -> Option<usize> {
    let (first_half, second_half) = ((entropy >> 32) as u32, entropy as u32);
    let first = drawn(eligible(candidates), first_half)?;
    let others = eligible(candidates).filter(|candidate| candidate.position != first.position);
    let chosen = match drawn(others, second_half) {
        Some(second) if is_less_loaded(second, first) => second,
        _ => first,
    };
    Some(chosen.position)
}

/// One in proportion to the weights. The product maps 32 bits onto the sum of weights (Lemire: Fast Random Integer Generation
/// in an Interval, 2019); what is uneven in that is under one part in 2^32 / sum.
fn drawn<'a>(candidates: impl Iterator<Item = &'a Candidate> + Clone, bits: u32) -> Option<&'a Candidate> {
    let total: u64 = candidates.clone().map(|candidate| u64::from(candidate.weight.get())).sum();
    let mut left = (u64::from(bits) * total) >> 32;
    for candidate in candidates {
        let weight = u64::from(candidate.weight.get());
        if left < weight {
            return Some(candidate);
        }
        left -= weight;
    }
    None
}

/// Compares `in_flight / weight` by cross-multiplication, which is exact.
fn is_less_loaded(a: &Candidate, b: &Candidate) -> bool {
    let load = |c: &Candidate, other: &Candidate| u64::from(c.in_flight) * u64::from(other.weight.get());
    load(a, b) < load(b, a)
}

#[cfg(test)]
mod tests {
    use fmc_config::model::backend::Weight;
    use proptest::prelude::*;

    use super::super::chi_square::{assert_follows, entropy};
    use super::*;

    fn servers(weights: &[u16]) -> Vec<Candidate> {
        let candidate =
            |(position, &weight)| Candidate { position, weight: Weight::new(weight).unwrap(), in_flight: 0, credit: 0 };
        weights.iter().enumerate().map(candidate).collect()
    }

    /// Opens connections that stay, and says how many each server has.
    fn filled(weights: &[u16], connections: u64, mut choose: impl FnMut(&[Candidate], u64) -> usize) -> Vec<u64> {
        let mut servers = servers(weights);
        for turn in 0..connections {
            let chosen = choose(&servers, entropy(turn));
            servers[chosen].in_flight += 1;
        }
        servers.iter().map(|server| u64::from(server.in_flight)).collect()
    }

    #[test]
    fn idle_servers_are_chosen_in_proportion_to_their_weights() {
        for weights in [&[1, 1, 1][..], &[3, 1], &[5, 3, 2, 0], &[256, 1, 128, 64, 32]] {
            let servers = servers(weights);
            let mut chosen = vec![0; weights.len()];
            (0..100_000).for_each(|turn| chosen[choose(&servers, entropy(turn)).unwrap()] += 1);
            assert_follows(&chosen, &weights.iter().map(|&weight| f64::from(weight)).collect::<Vec<_>>());
        }
    }

    /// Balls into bins: with one choice the fullest of n bins has about sqrt(2 m ln n / n) over the average of m / n, with
    /// two it has log2 ln n + O(1) over it however many balls there are (Berenbrink et al., 2006).
    #[test]
    fn the_fullest_of_many_servers_is_a_few_connections_over_the_average_where_one_draw_would_leave_dozens() {
        let over_average = |filled: &[u64]| filled.iter().max().unwrap() - 1000;
        let two = filled(&[1; 64], 64_000, |servers, entropy| choose(servers, entropy).unwrap());
        let one = filled(&[1; 64], 64_000, |servers, entropy| drawn(servers.iter(), entropy as u32).unwrap().position);
        assert!(over_average(&two) <= 6, "{two:?}");
        assert!(over_average(&one) >= 30, "{one:?}");
    }

    #[test]
    fn lasting_connections_settle_in_proportion_to_the_weights() {
        for weights in [&[1, 1, 1][..], &[2, 1], &[4, 2, 1, 1]] {
            let filled = filled(weights, 8_000, |servers, entropy| choose(servers, entropy).unwrap());
            let total: u16 = weights.iter().sum();
            for (open, weight) in filled.iter().zip(weights) {
                let share = 8_000.0 * f64::from(*weight) / f64::from(total);
                assert!((*open as f64 - share).abs() <= 8.0, "{filled:?} for {weights:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_chosen_one_has_a_weight_and_is_never_the_most_loaded_of_two_or_more(
            loads in prop::collection::vec((0u16..=256, 0u32..1000), 1..9), entropy in any::<u64>()
        ) {
            let mut servers = servers(&loads.iter().map(|(weight, _)| *weight).collect::<Vec<_>>());
            loads.iter().zip(&mut servers).for_each(|((_, open), server)| server.in_flight = *open);
            let able: Vec<_> = eligible(&servers).collect();
            let Some(chosen) = choose(&servers, entropy) else { prop_assert!(able.is_empty()); return Ok(()) };
            prop_assert!(servers[chosen].weight.get() > 0);
            let others_are_all_less_loaded =
                able.iter().all(|other| other.position == chosen || is_less_loaded(other, &servers[chosen]));
            prop_assert!(able.len() == 1 || !others_are_all_less_loaded);
        }
    }
}
