//! The sentence behind the owner of a VIP and behind the choice of a server: facts in, words out. [core]

pub(crate) mod backend;
pub(crate) mod vip;

/// Clauses of one sentence.
fn joined(clauses: impl IntoIterator<Item = String>) -> String {
    clauses.into_iter().filter(|clause| !clause.is_empty()).collect::<Vec<_>>().join("; ")
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str], last: &str) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., end] => format!("{} {last} {end}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests;
