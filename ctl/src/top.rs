//! `fmc-lbctl top`: a live view that fills the terminal.
//!
//! ```text
//! picture   what the daemon said last                      (asked for again and again)
//! screen    what the operator chose; a key becomes a wish  (no terminal, no daemon: tested by keys)
//! draw      picture + screen -> characters                 (tested against golden screens)
//! terminal  raw mode and keys
//! ```

pub(crate) mod draw;
pub(crate) mod picture;
pub(crate) mod screen;
pub(crate) mod terminal;

#[cfg(test)]
mod tests;
