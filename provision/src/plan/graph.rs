//! Everything after what it needs; among those that may come next, the one that was named first.

use std::collections::{BTreeMap, BTreeSet};

/// Indices in an order in which nobody comes before what it needs.
///
/// `after` has, for each node, the names of those before it; a name that nobody has is nobody's business here.
///
/// # Errors
///
/// The names of those that wait for one another.
pub fn order(nodes: &[(&str, &[String])]) -> Result<Vec<usize>, Vec<String>> {
    let places: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
    let mut missing: Vec<BTreeSet<usize>> = nodes
        .iter()
        .map(|(_, after)| after.iter().filter_map(|name| places.get(name.as_str()).copied()).collect())
        .collect();
    let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, before) in missing.iter().enumerate() {
        before.iter().for_each(|before| followers.entry(*before).or_default().push(at));
    }
    let mut free: BTreeSet<usize> = (0..nodes.len()).filter(|at| missing[*at].is_empty()).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(next) = free.pop_first() {
        order.push(next);
        for follower in followers.remove(&next).unwrap_or_default() {
            missing[follower].remove(&next);
            if missing[follower].is_empty() {
                free.insert(follower);
            }
        }
    }
    if order.len() == nodes.len() {
        return Ok(order);
    }
    let stuck = (0..nodes.len()).filter(|at| !missing[*at].is_empty());
    Err(stuck.map(|at| nodes[at].0.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ordered(after: &[Vec<usize>]) -> Result<Vec<usize>, Vec<String>> {
        let names: Vec<String> = (0..after.len()).map(|at| at.to_string()).collect();
        let after: Vec<Vec<String>> =
            after.iter().map(|before| before.iter().map(|at| names[*at].clone()).collect()).collect();
        let nodes: Vec<_> = names.iter().zip(&after).map(|(name, after)| (name.as_str(), after.as_slice())).collect();
        order(&nodes)
    }

    #[test]
    fn without_edges_the_order_is_that_in_which_they_were_named() {
        assert_eq!(ordered(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn what_is_needed_comes_first_and_nothing_else_moves() {
        assert_eq!(ordered(&[vec![2], vec![], vec![]]), Ok(vec![1, 2, 0]));
    }

    #[test]
    fn those_that_wait_for_one_another_are_named() {
        assert_eq!(ordered(&[vec![], vec![2], vec![1]]), Err(vec!["1".to_owned(), "2".to_owned()]));
    }

    proptest! {
        #[test]
        fn nobody_comes_before_what_it_needs(edges in prop::collection::vec((0_usize..20, 0_usize..20), 0..60)) {
            let mut after = vec![Vec::new(); 20];
            for (one, other) in edges.into_iter().filter(|(one, other)| one != other) {
                after[one.max(other)].push(one.min(other));
            }
            let order = ordered(&after).expect("every edge leads upwards");
            let place = |node: usize| order.iter().position(|at| *at == node).expect("everybody has a place");
            for (node, before) in after.iter().enumerate() {
                for before in before {
                    prop_assert!(place(*before) < place(node));
                }
            }
            prop_assert_eq!(&order, &ordered(&after).expect("as before"));
        }
    }
}
