//! What the nodes share: their keys.

pub(crate) mod key_file;
