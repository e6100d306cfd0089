//! Errors of TOML itself, in the same clothes as our own.

use toml::de::Error;

use crate::diagnostic::Code;
use crate::findings::{Findings, Place};

/// Reports every syntax error. `false`: the tree has lost something, so that what it says must not be read.
pub fn report(errors: &[Error], findings: &mut Findings) -> bool {
    let mut whole = true;
    for error in errors {
        let place = Place { span: error.span().unwrap_or(0..0), field: String::new() };
        if error.message() == "duplicate key" {
            let fix = "keep one of the two, or give the second its own name";
            findings.add(Code::DuplicateKey, &place, "this name already stands in the same table", fix);
        } else {
            whole = false;
            let message = error.message();
            findings.add(
                Code::TomlSyntax,
                &place,
                format!("not TOML: {}", message.trim_end_matches(", expected nothing")),
                fix(message),
            );
        }
    }
    whole
}

/// The edit behind the parser's words.
fn fix(message: &str) -> &'static str {
    let edits = [
        ("must be quoted", "put it in double quotes: \"like this\""),
        ("invalid float", "put it in double quotes, unless it is meant to be a number"),
        ("invalid integer", "put it in double quotes, unless it is meant to be a number"),
        ("invalid date", "put it in double quotes, unless it is meant to be a date"),
        ("unclosed", "close what was opened on this line"),
        ("missing opening quote", "put double quotes on both sides"),
        ("missing closing", "close what was opened on this line"),
        ("key with no value", "write `key = value`, or `[name]` for the start of a table"),
        ("missing value", "write a value after `=`: a number, or a text in double quotes"),
        ("invalid value", "write a number, or put a text in double quotes"),
        ("invalid unquoted key", "use letters, digits, '-' and '_' only, or put the key in double quotes"),
        ("missing comma", "put a comma between the two"),
        ("missing assignment", "put `=` between key and value"),
        ("extra", "remove it"),
        ("leading zero", "write the number without leading zeros"),
        ("dotted key", "write the table once, in one of the two forms"),
        ("recur", "nest less deeply"),
    ];
    let edit = edits.iter().find(|(part, _)| message.contains(part));
    edit.map_or("write one `key = value` a line under a `[table]`", |(_, edit)| edit)
}
