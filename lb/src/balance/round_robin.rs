//! In turn by weight, spread evenly: every server earns its weight per choice, the richest is chosen and pays the sum.

use super::Candidate;

/// Smooth weighted round robin: 5:1:1 gives `a a b a c a a`, never five in a row.
pub(super) fn choose(candidates: &mut [Candidate]) -> Option<usize> {
    let mut total = 0;
    for candidate in candidates.iter_mut().filter(|c| c.weight.get() > 0) {
        candidate.credit += i64::from(candidate.weight.get());
        total += i64::from(candidate.weight.get());
    }
    let richest = candidates.iter_mut().filter(|c| c.weight.get() > 0).rev().max_by_key(|c| c.credit)?;
    richest.credit -= total;
    Some(richest.position)
}

#[cfg(test)]
mod tests {
    use fmc_config::model::backend::Weight;
    use proptest::prelude::*;

    use super::*;

    fn candidates(weights: &[u16]) -> Vec<Candidate> {
        let candidate =
            |(position, &weight)| Candidate { position, weight: Weight::new(weight).unwrap(), in_flight: 0, credit: 0 };
        weights.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn equal_weights_take_turns_in_order() {
        let mut servers = candidates(&[1, 1, 1]);
        let chosen: Vec<_> = (0..6).map(|_| choose(&mut servers).unwrap()).collect();
        assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_heavy_server_is_interleaved_not_bunched() {
        let mut servers = candidates(&[5, 1, 1]);
        let chosen: Vec<_> = (0..7).map(|_| choose(&mut servers).unwrap()).collect();
        assert_eq!(chosen, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_server_without_weight_is_never_chosen() {
        assert_eq!(choose(&mut candidates(&[0, 0])), None);
        assert_eq!(choose(&mut candidates(&[0, 3])), Some(1));
    }

    proptest! {
        /// One full cycle gives every server exactly its weight, and the credits return to where they started.
        #[test]
        fn a_cycle_gives_every_server_exactly_its_weight(weights in prop::collection::vec(0u16..=256, 1..6)) {
            let cycle: u32 = weights.iter().map(|&w| u32::from(w)).sum();
            let mut servers = candidates(&weights);
            let mut chosen = vec![0u16; weights.len()];
            for _ in 0..cycle {
                chosen[choose(&mut servers).unwrap()] += 1;
            }
            prop_assert_eq!(chosen, weights);
            prop_assert!(servers.iter().all(|s| s.credit == 0));
        }
    }
}
