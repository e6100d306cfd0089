//! Where each field of the file was typed.

use std::collections::BTreeMap;
use std::ops::Range;

use fmc_config::findings::Place;

/// The bytes of every field, by its name as typed: `machines.master1.address.c`, `vips.api.expose[1]`.
#[derive(Debug, Default)]
pub(crate) struct Places {
    spans: BTreeMap<String, Range<usize>>,
}

impl Places {
    pub(crate) fn note(&mut self, place: &Place) {
        self.spans.insert(place.field.clone(), place.span.clone());
    }

    /// The place of `field`, or of the nearest table around it that was typed.
    pub(crate) fn at(&self, field: &str) -> Place {
        let mut shown = field;
        loop {
            if let Some(span) = self.spans.get(shown) {
                return Place { span: span.clone(), field: field.to_owned() };
            }
            match shown.rfind(['.', '[']) {
                Some(end) => shown = &shown[..end],
                None => return Place { span: 0..0, field: field.to_owned() },
            }
        }
    }

    /// The place of `field` under `plan`, when it has a value of its own there.
    pub(crate) fn under(&self, field: &str, plan: &str) -> Place {
        let own = format!("{field}.{plan}");
        if self.spans.contains_key(&own) { self.at(&own) } else { self.at(field) }
    }
}
