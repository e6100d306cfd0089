//! The first that has room.

use super::{Candidate, eligible};

/// The first in the caller's order: a full server is no candidate, so the next one fills up.
pub(super) fn choose(candidates: &[Candidate]) -> Option<usize> {
    eligible(candidates).next().map(|candidate| candidate.position)
}

#[cfg(test)]
mod tests {
    use fmc_config::model::backend::Weight;

    use super::*;

    #[test]
    fn the_first_with_a_weight_is_chosen_however_loaded_it_is() {
        let candidate = |position, weight, in_flight| Candidate {
            position,
            weight: Weight::new(weight).unwrap(),
            in_flight,
            credit: 0,
        };
        assert_eq!(choose(&[candidate(0, 0, 0), candidate(1, 1, 900), candidate(2, 256, 0)]), Some(1));
        assert_eq!(choose(&[]), None);
    }
}
