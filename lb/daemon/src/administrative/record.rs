//! The record: the layer as a text that outlives the proxy. TOML, so that a person can read what is in force.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::act::Journal;
use super::{Act, Administrative, Standing};

/// Changes when an old reader would misread a new record.
const VERSION: u32 = 2;

const HEAD: &str = "# What operators have asked of the nodes and of their servers: written by fmc-lb at each command, read at its start.\n\
                    # Change it with fmc-lbctl (drain, ready, maint, weight, undo).\n";

/// Why a text is not a record of this version.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("it is not a record of fmc-lb: {0}")]
    Malformed(String),
    #[error("it is of version {0} and this fmc-lb reads version {VERSION}")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    /// The highest count of an act heard of.
    count: u64,
    #[serde(default)]
    standing: Vec<Standing>,
    /// Those that can be taken back, oldest first.
    #[serde(default)]
    act: VecDeque<Act>,
}

/// All that is asked of a text before its version is known.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Administrative {
    /// The record's text.
    pub(crate) fn to_record(&self) -> Result<String, RecordError> {
        let Self { standing, journal: Journal { count, acts } } = self.clone();
        let record = Record { version: VERSION, count, standing, act: acts };
        let text = toml::to_string(&record).map_err(|error| RecordError::Malformed(error.to_string()))?;
        Ok(format!("{HEAD}{text}"))
    }

    /// The same on nodes that agree about everything that was asked.
    pub(crate) fn digest(&self) -> Result<u64, RecordError> {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.to_record()?.as_bytes());
        Ok(digest.as_ref().iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte)))
    }

    /// Reads [`Administrative::to_record`] back.
    pub(crate) fn from_record(text: &str) -> Result<Self, RecordError> {
        // A parser's message has pictures; an event has one line.
        let malformed = |error: toml::de::Error| RecordError::Malformed(error.message().to_owned());
        let Versioned { version } = toml::from_str(text).map_err(malformed)?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let Record { version: _, count, standing, act } = toml::from_str(text).map_err(malformed)?;
        Ok(Self { standing, journal: Journal { count, acts: act } })
    }
}
