//! A value that is the same under every address plan, or differs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// One value, or `{ PLAN = value }`. A plan that is not named has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerPlan<T> {
    /// The same under every plan.
    Same(T),
    /// By the name of the plan.
    Each(BTreeMap<String, T>),
}

impl<T> PerPlan<T> {
    /// The value under `plan`.
    pub fn under(&self, plan: &str) -> Option<&T> {
        match self {
            Self::Same(value) => Some(value),
            Self::Each(values) => values.get(plan),
        }
    }

    /// The plans that are named.
    pub(crate) fn plans(&self) -> impl Iterator<Item = &str> {
        let values = match self {
            Self::Same(_) => None,
            Self::Each(values) => Some(values),
        };
        values.into_iter().flat_map(|values| values.keys().map(String::as_str))
    }
}

impl<T: JsonSchema> JsonSchema for PerPlan<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("PerPlan_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [value, { "type": "object", "additionalProperties": value }] })
    }
}
