//! Does a sample follow a distribution? Pearson's test, for the rules that draw or hash.

/// The value that chi-square exceeds once in a thousand samples, for 1 to 15 degrees of freedom (any printed table of the
/// upper tail). The samples of the tests are fixed: a test that passes once passes always.
const ONE_IN_A_THOUSAND: [f64; 15] = [
    10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322, 26.124, 27.877, 29.588, 31.264, 32.909, 34.528, 36.123,
    37.697,
];

/// Asserts that `observed` could be drawn with probabilities in proportion to `weights`.
#[track_caller]
pub(super) fn assert_follows(observed: &[u64], weights: &[f64]) {
    let statistic = statistic(observed, weights);
    let bound = ONE_IN_A_THOUSAND[weights.iter().filter(|weight| **weight > 0.0).count() - 2];
    assert!(statistic < bound, "chi-square {statistic:.2} is over {bound}: {observed:?} for {weights:?}");
}

/// The sum of squared deviations, each in units of what is expected.
pub(super) fn statistic(observed: &[u64], weights: &[f64]) -> f64 {
    let (drawn, total) = (observed.iter().sum::<u64>() as f64, weights.iter().sum::<f64>());
    let term = |(seen, weight): (&u64, &f64)| {
        let expected = drawn * weight / total;
        if expected > 0.0 { (*seen as f64 - expected).powi(2) / expected } else { 0.0 }
    };
    observed.iter().zip(weights).map(term).sum()
}

/// The finaliser of SplitMix64 over a counter (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
pub(super) fn entropy(counter: u64) -> u64 {
    crate::entropy::mixed(counter.wrapping_mul(crate::entropy::STEP))
}

#[test]
fn the_test_itself_tells_a_fair_die_from_a_loaded_one() {
    assert_follows(&[1005, 990, 1010, 995], &[1.0; 4]);
    assert!(statistic(&[1200, 1000, 900, 900], &[1.0; 4]) > ONE_IN_A_THOUSAND[2]);
}
