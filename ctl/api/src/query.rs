//! Query strings: `key=value&key=value`. Names, numbers and addresses need no escapes, so there are none.

use std::fmt::{self, Display};
use std::str::FromStr;

/// A query that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Not one of the keys that this path takes.
    #[error("the query has no key {key}; use one of {known}")]
    Unknown {
        /// As asked.
        key: String,
        /// Separated by commas.
        known: String,
    },
    /// The same key two times.
    #[error("the query gives {0} twice; give it once")]
    Twice(String),
    /// A key without `=`.
    #[error("the query gives {0} no value; write {0}=VALUE")]
    NoValue(String),
    /// A value that is not of the key's kind.
    #[error("{value:?} cannot be {key}: {reason}")]
    Value {
        /// As asked.
        key: String,
        /// As asked.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// One `key=value`.
pub(crate) struct Pair<'a> {
    key: &'a str,
    value: &'a str,
}

/// The pairs of a query; an empty query has none.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = Result<Pair<'_>, QueryError>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((key, value)) => Ok(Pair { key, value }),
        None => Err(QueryError::NoValue(pair.to_owned())),
    })
}

impl Pair<'_> {
    pub(crate) fn key(&self) -> &str {
        self.key
    }

    /// Stores the value, unless one is there already.
    pub(crate) fn once<T: FromStr<Err: Display>>(&self, slot: &mut Option<T>) -> Result<(), QueryError> {
        if slot.is_some() {
            return Err(QueryError::Twice(self.key.to_owned()));
        }
        *slot = Some(self.value.parse().map_err(|reason: T::Err| QueryError::Value {
            key: self.key.to_owned(),
            value: self.value.to_owned(),
            reason: reason.to_string(),
        })?);
        Ok(())
    }

    pub(crate) fn unknown(&self, known: &[&str]) -> QueryError {
        QueryError::Unknown { key: self.key.to_owned(), known: known.join(", ") }
    }
}

/// Writes the pairs that have a value.
pub(crate) struct QueryPairs<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    separator: &'static str,
}

impl<'a, 'f> QueryPairs<'a, 'f> {
    pub(crate) fn new(out: &'a mut fmt::Formatter<'f>) -> Self {
        Self { out, separator: "" }
    }

    pub(crate) fn put<T: Display>(&mut self, key: &str, value: &Option<T>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        write!(self.out, "{}{key}={value}", self.separator)?;
        self.separator = "&";
        Ok(())
    }
}
