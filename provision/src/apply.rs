//! Steps as commands, by whoever reaches the places: a shell is given, and all that is known of a place is what its shell said.
//!
//! ```text
//! look        the state of a lab, read back
//! perform     the steps of a plan, one after another, until one fails
//! ```
//!
//! Nothing is remembered here: a run that was cut off is repeated by looking again, and what it left half done says so at its place.

mod look;
mod perform;

pub use look::look;
pub use perform::{Stopped, Witness, perform};

use std::time::Duration;

/// Reaches places.
pub trait Shell {
    /// Runs a script by sh(1), as root, with that standard input.
    ///
    /// # Errors
    ///
    /// Why the place was not reached, or did not answer in time.
    fn run(&mut self, place: &str, script: &str, stdin: &[u8], deadline: Duration) -> Result<Said, String>;

    /// Makes contact as if for the first time: what was open before proves nothing.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn contact(&mut self, place: &str) -> Result<(), String>;

    /// Lets time pass.
    fn pause(&mut self, span: Duration);
}

/// What a command said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Its exit code; 0 is success.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Its output, if it succeeded.
    fn success(self) -> Result<String, String> {
        if self.code == 0 {
            return Ok(self.out);
        }
        let said = if self.err.trim().is_empty() { format!("it ended with {}", self.code) } else { self.err };
        Err(said.trim().lines().collect::<Vec<_>>().join("; "))
    }
}
