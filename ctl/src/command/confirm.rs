//! Asking before something is cut: on a terminal, unless told not to. A script has decided already.

use std::io::{self, BufRead, IsTerminal};

use crate::render::Output;

/// May it go on? Asks when somebody can answer and something is at stake.
pub(super) fn go_on(at_stake: bool, yes: bool, output: &mut Output) -> io::Result<bool> {
    let stdin = io::stdin();
    if !at_stake || yes || !stdin.is_terminal() {
        return Ok(true);
    }
    output.prompt("Go on? [y/N] ")?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for (answer, yes) in
            [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("n\n", false), ("yep\n", false)]
        {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }
}
