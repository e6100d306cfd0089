//! The JSON schema of the inventory, for editors and for our own reader.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::inventory::Inventory;

/// JSON Schema 2020-12 of the inventory, pretty printed.
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&value()).expect("a schema has only texts as keys");
    text + "\n"
}

pub(crate) fn value() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Inventory>();
    schema.to_value()
}
