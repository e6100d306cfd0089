//! The walk along the schema: unknown and missing keys, wrong types, texts without their form.

use fmc_config::diagnostic::Code;
use fmc_config::findings::{Findings, Place};
use fmc_config::suggest;
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Places;
use crate::inventory::scalar::FORMS;

struct Walk<'s> {
    definitions: &'s Json,
    places: Places,
}

pub(super) fn walk(document: &Spanned<DeTable<'_>>, schema: &Json, findings: &mut Findings) -> Places {
    let mut walk = Walk { definitions: &schema["$defs"], places: Places::default() };
    let root = Place { span: 0..0, field: String::new() };
    walk.table(document.get_ref(), schema, &root, findings);
    walk.places
}

impl<'s> Walk<'s> {
    fn value(&mut self, value: &DeValue<'_>, schema: &'s Json, place: &Place, findings: &mut Findings) {
        self.places.note(place);
        let schema = self.resolved(schema);
        if let Some(choices) = schema["anyOf"].as_array() {
            return self.any_of(value, choices, place, findings);
        }
        if let Some(words) = words(schema) {
            return word(value, &words, place, findings);
        }
        match (kind(schema), value) {
            ("object", DeValue::Table(entries)) => self.table(entries, schema, place, findings),
            ("array", DeValue::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    let place = Place { span: item.span(), field: format!("{}[{at}]", place.field) };
                    self.value(item.get_ref(), &schema["items"], &place, findings);
                }
            }
            ("string", DeValue::String(text)) => form(text, schema, place, findings),
            ("integer", DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
                in_range(number, schema, place, findings);
            }
            ("boolean", DeValue::Boolean(_)) => {}
            (wanted, found) => wrong_type(wanted, found, place, findings),
        }
    }

    /// The choice that fits; or else what is wrong with the one that is nearest.
    fn any_of(&mut self, value: &DeValue<'_>, choices: &'s [Json], place: &Place, findings: &mut Findings) {
        let mut nearest = None;
        for choice in choices.iter().filter(|choice| choice["type"] != "null") {
            let mut found = Findings::default();
            self.value(value, choice, place, &mut found);
            let found = found.into_list();
            if found.is_empty() {
                return;
            }
            // A fault deeper inside is nearer to what was meant than another type altogether.
            let distance =
                (found.iter().any(|fault| fault.code == Code::WrongType && fault.field == place.field), found.len());
            if nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
                nearest = Some((distance, found));
            }
        }
        for fault in nearest.map(|(_, found)| found).unwrap_or_default() {
            let place = Place { span: fault.span, field: fault.field };
            findings.add(fault.code, &place, fault.problem, fault.fix);
        }
    }

    fn table(&mut self, entries: &DeTable<'_>, schema: &'s Json, place: &Place, findings: &mut Findings) {
        let none = Map::new();
        let properties = schema["properties"].as_object();
        for (name, value) in entries {
            let inner = inner(place, name, value);
            match properties.and_then(|properties| properties.get(name.get_ref().as_ref())) {
                Some(schema) => self.value(value.get_ref(), schema, &inner, findings),
                None if schema["additionalProperties"].is_object() => {
                    name_form(name.get_ref(), schema, &Place { span: name.span(), ..inner.clone() }, findings);
                    self.value(value.get_ref(), &schema["additionalProperties"], &inner, findings);
                }
                None => {
                    let known: Vec<_> = properties.unwrap_or(&none).keys().map(String::as_str).collect();
                    unknown(name.get_ref(), &known, place, &Place { span: name.span(), ..inner.clone() }, findings);
                }
            }
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !entries.contains_key(key) {
                let example = self.example(&properties.unwrap_or(&none)[key]);
                findings.add(Code::MissingKey, place, format!("`{key}` is missing"), format!("add `{key}{example}`"));
            }
        }
    }

    fn resolved(&self, schema: &'s Json) -> &'s Json {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        name.map_or(schema, |name| self.resolved(&self.definitions[name]))
    }

    /// How a missing key is written.
    fn example(&self, schema: &'s Json) -> String {
        let schema = self.resolved(schema);
        if let Some(choices) = schema["anyOf"].as_array() {
            return self.example(&choices[0]);
        }
        if let Some(words) = words(schema) {
            return format!(" = {:?}", words[0]);
        }
        match kind(schema) {
            "object" => " = { ... }".to_owned(),
            "array" => " = [...]".to_owned(),
            "integer" => format!(" = {}", schema["minimum"].as_i64().unwrap_or(1).max(1)),
            "boolean" => " = true".to_owned(),
            _ => format!(" = {}", schema["examples"].get(0).unwrap_or(&Json::String("...".to_owned()))),
        }
    }
}

fn inner(parent: &Place, name: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) -> Place {
    let key = name.get_ref().as_ref();
    let field = if parent.field.is_empty() { key.to_owned() } else { format!("{}.{key}", parent.field) };
    let span = if value.get_ref().is_table() || value.span().is_empty() { name.span() } else { value.span() };
    Place { span, field }
}

fn kind(schema: &Json) -> &str {
    match &schema["type"] {
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    }
}

fn words(schema: &Json) -> Option<Vec<&str>> {
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Json::as_str).collect());
    }
    if let Some(word) = schema["const"].as_str() {
        return Some(vec![word]);
    }
    let each = schema["oneOf"].as_array()?;
    Some(each.iter().flat_map(|choice| words(choice).unwrap_or_default()).collect())
}

fn word(value: &DeValue<'_>, words: &[&str], place: &Place, findings: &mut Findings) {
    match value {
        DeValue::String(text) if words.contains(&text.as_ref()) => {}
        DeValue::String(text) => {
            let problem = format!("{text:?} is not a word that this key takes");
            findings.add(Code::UnknownWord, place, problem, suggest::fix(text, words.iter().copied()));
        }
        found => wrong_type("string", found, place, findings),
    }
}

/// Names are texts with a form too; the schema of a table says which.
fn name_form(name: &str, schema: &Json, place: &Place, findings: &mut Findings) {
    form(name, &schema["propertyNames"], place, findings);
}

fn form(text: &str, schema: &Json, place: &Place, findings: &mut Findings) {
    let proof = FORMS.iter().find(|(name, _)| schema["format"] == *name);
    if let Some(Err(fault)) = proof.map(|(_, proof)| proof(text)) {
        findings.add(fault.rule, place, fault.problem, fault.fix);
    }
}

fn in_range(number: Option<i64>, schema: &Json, place: &Place, findings: &mut Findings) {
    let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
    let most = schema["maximum"].as_i64().unwrap_or(i64::from(u32::MAX));
    if !number.is_some_and(|number| (least..=most).contains(&number)) {
        let typed = number.map_or("this number".to_owned(), |number| number.to_string());
        let fix =
            if least == most { format!("write {least}") } else { format!("write a number from {least} to {most}") };
        findings.add(Code::NumberOutOfRange, place, format!("{typed} is out of range"), fix);
    }
}

fn unknown(key: &str, known: &[&str], parent: &Place, place: &Place, findings: &mut Findings) {
    let table = if parent.field.is_empty() { "the file" } else { &parent.field };
    let fix = match suggest::nearest(key, known.iter().copied()) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("remove it, or use a key of {table}: {}", known.join(", ")),
    };
    findings.add(Code::UnknownKey, place, format!("{table} has no such key"), fix);
}

fn wrong_type(wanted: &str, found: &DeValue<'_>, place: &Place, findings: &mut Findings) {
    let found = match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let (wanted, fix) = match wanted {
        "object" => ("a table", "write `{ key = value }`, or a table of its own"),
        "array" => ("a list", "put it in brackets: [ ... ]"),
        "integer" => ("a whole number", "write a whole number without quotes"),
        "boolean" => ("true or false", "write true or false, without quotes"),
        _ => ("a text", "put it in double quotes: \"like this\""),
    };
    findings.add(Code::WrongType, place, format!("{wanted} is wanted, this is {found}"), fix);
}
