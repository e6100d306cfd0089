//! A typed view of the spanned TOML tree that reports what does not fit and goes on.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::shape::Shape;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::suggest;

/// A value of the tree, and where it was typed.
#[derive(Debug, Clone)]
pub(crate) struct Value<'t> {
    pub(crate) place: Place,
    value: &'t DeValue<'t>,
}

/// A table whose keys are fixed.
#[derive(Debug, Clone)]
pub(crate) struct Table<'t> {
    pub(crate) place: Place,
    entries: &'t DeTable<'t>,
    shape: &'static Shape,
}

/// One entry of a table whose keys are an operator's own names.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'t> {
    /// The name, and where it stands.
    pub(crate) name: Located<String>,
    pub(crate) value: Value<'t>,
}

impl<'t> Table<'t> {
    /// The file itself.
    pub(crate) fn root(entries: &'t DeTable<'t>, shape: &'static Shape, findings: &mut Findings) -> Self {
        let table = Self { place: Place { span: 0..0, field: String::new() }, entries, shape };
        table.report_unknown(findings);
        table
    }

    /// The value of `key`, if it was typed.
    pub(crate) fn take(&self, key: &'static str) -> Option<Value<'t>> {
        debug_assert!(self.shape.keys.contains(&key), "{key} is not in the shape of {}", self.shape.name);
        let (name, value) = self.entries.get_key_value(key)?;
        Some(Value::of(&self.place.field, name, value))
    }

    /// The value of `key`; that it is missing is reported at the table, with `example` as the edit.
    pub(crate) fn require(&self, key: &'static str, example: &str, findings: &mut Findings) -> Option<Value<'t>> {
        let value = self.take(key);
        if value.is_none() {
            let problem = format!("`{key}` is missing");
            findings.add(Code::MissingKey, &self.place, problem, format!("add `{key} = {example}`"));
        }
        value
    }

    fn report_unknown(&self, findings: &mut Findings) {
        let known = self.shape.keys;
        for (name, value) in self.entries.iter().filter(|(name, _)| !known.contains(&name.get_ref().as_ref())) {
            let place = Place { span: name.span(), ..Value::of(&self.place.field, name, value).place };
            let fix = match suggest::nearest(name.get_ref(), known.iter().copied()) {
                Some(key) => format!("did you mean `{key}`?"),
                None => format!("remove it, or use a key of {}: {}", self.shape.name, known.join(", ")),
            };
            findings.add(Code::UnknownKey, &place, format!("{} has no such key", self.shape.name), fix);
        }
    }
}

impl<'t> Value<'t> {
    fn of(parent: &str, name: &'t Spanned<impl AsRef<str>>, value: &'t Spanned<DeValue<'t>>) -> Self {
        let key = key_as_typed(name.get_ref().as_ref());
        let field = if parent.is_empty() { key } else { format!("{parent}.{key}") };
        // A table's own span is its header or nothing at all; its name is what an operator looks for.
        let written = value.span();
        let span = if value.get_ref().is_table() || written.is_empty() { name.span() } else { written };
        Self { place: Place { span, field }, value: value.get_ref() }
    }

    /// A text, or what it was instead.
    pub(crate) fn string(&self, findings: &mut Findings) -> Option<&'t str> {
        if let DeValue::String(text) = self.value {
            return Some(text);
        }
        let fix = match (self.value, self.scalar_text()) {
            (DeValue::Boolean(_), _) | (_, None) => "write a text in quotes".to_owned(),
            (_, Some(text)) => format!("put it in quotes: \"{text}\""),
        };
        self.wrong_type("a text", fix, findings);
        None
    }

    /// The text of a scalar, for messages that repeat what was typed.
    pub(crate) fn scalar_text(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.to_string()),
            DeValue::Boolean(truth) => Some(truth.to_string()),
            DeValue::Datetime(time) => Some(time.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => None,
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self, findings: &mut Findings) -> Option<i128> {
        if let DeValue::Integer(number) = self.value {
            // More digits than 128 bits hold are out of every range; the far end reports them as such.
            let far = if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
            return Some(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(far));
        }
        let fix = match self.value {
            DeValue::String(text) if text.parse::<i128>().is_ok() => format!("remove the quotes: {text}"),
            _ => "write a whole number without quotes".to_owned(),
        };
        self.wrong_type("a whole number", fix, findings);
        None
    }

    /// `true` or `false`.
    pub(crate) fn truth(&self, findings: &mut Findings) -> Option<bool> {
        if let DeValue::Boolean(truth) = self.value {
            return Some(*truth);
        }
        self.wrong_type("true or false", "write true or false, without quotes", findings);
        None
    }

    pub(crate) fn is_string(&self) -> bool {
        self.value.is_str()
    }

    pub(crate) fn is_integer(&self) -> bool {
        self.value.is_integer()
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// A table with the keys of `shape`; others are reported.
    pub(crate) fn table(&self, shape: &'static Shape, findings: &mut Findings) -> Option<Table<'t>> {
        let DeValue::Table(entries) = self.value else {
            self.wrong_type(
                "a table",
                format!("write a table with keys of {}: {}", shape.name, shape.keys.join(", ")),
                findings,
            );
            return None;
        };
        let table = Table { place: self.place.clone(), entries, shape };
        table.report_unknown(findings);
        Some(table)
    }

    /// A table whose keys are names; `example` shows one entry.
    pub(crate) fn entries(&self, example: &str, findings: &mut Findings) -> Vec<Entry<'t>> {
        let DeValue::Table(entries) = self.value else {
            self.wrong_type("a table", format!("write a table, for example `{example}`"), findings);
            return Vec::new();
        };
        entries.iter().map(|(name, value)| self.entry(name, value)).collect()
    }

    fn entry(&self, name: &'t Spanned<impl AsRef<str>>, value: &'t Spanned<DeValue<'t>>) -> Entry<'t> {
        let value = Value::of(&self.place.field, name, value);
        let place = Place { span: name.span(), field: value.place.field.clone() };
        Entry { name: Located { value: name.get_ref().as_ref().to_owned(), place }, value }
    }

    /// A list; `example` shows one.
    pub(crate) fn list(&self, example: &str, findings: &mut Findings) -> Option<Vec<Value<'t>>> {
        let DeValue::Array(items) = self.value else {
            self.wrong_type("a list", format!("write a list, for example `{example}`"), findings);
            return None;
        };
        let item = |(at, item): (usize, &'t Spanned<DeValue<'t>>)| Value {
            place: Place { span: item.span(), field: format!("{}[{at}]", self.place.field) },
            value: item.get_ref(),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Reports that a value of another type was wanted here.
    pub(crate) fn wrong_type(&self, wanted: &str, fix: impl Into<String>, findings: &mut Findings) {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        findings.add(Code::WrongType, &self.place, format!("{wanted} is wanted, this is {found}"), fix);
    }
}

/// A key as it must be typed: bare where TOML allows it, else in quotes.
fn key_as_typed(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { format!("{key:?}") }
}
