//! Bytes of a protocol, typed as text or in hexadecimal digits.

use super::table::{Table, Value};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located};

/// A question for a health check; a longer one belongs into a program.
const MOST: usize = 1024;

/// The bytes under the first key, a text, or under the second, hexadecimal.
pub(crate) fn either(
    table: &Table<'_>,
    (text, hex): (&'static str, &'static str),
    findings: &mut Findings,
) -> Option<Located<Vec<u8>>> {
    let (as_text, as_hex) = (table.take(text), table.take(hex));
    if let (Some(first), Some(second)) = (&as_text, &as_hex) {
        let problem = format!("`{text}` and `{hex}` say the same thing in two ways");
        findings.add(Code::EitherOr, &second.place, problem, "remove one of the two");
        findings.because(&first.place, "the other one");
    }
    match (as_text, as_hex) {
        (Some(value), _) => sized(&value, value.string(findings)?.as_bytes().to_vec(), findings),
        (None, Some(value)) => from_hex(&value, findings),
        (None, None) => None,
    }
}

fn from_hex(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Vec<u8>>> {
    let typed = value.string(findings)?;
    let digits: Vec<u32> = typed.chars().filter(|c| *c != ' ').map_while(|c| c.to_digit(16)).collect();
    let blanks = typed.chars().filter(|c| *c == ' ').count();
    if digits.len() + blanks != typed.chars().count() || !digits.len().is_multiple_of(2) {
        let problem = format!("{typed:?} is not a row of bytes, two hexadecimal digits each");
        findings.add(Code::BadBytes, &value.place, problem, "write for example \"50 49 4e 47 0d 0a\"");
        return None;
    }
    let bytes = digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect();
    sized(value, bytes, findings)
}

fn sized(value: &Value<'_>, bytes: Vec<u8>, findings: &mut Findings) -> Option<Located<Vec<u8>>> {
    if bytes.is_empty() || bytes.len() > MOST {
        let problem = format!("these are {} bytes", bytes.len());
        findings.add(Code::BadBytes, &value.place, problem, format!("write 1 to {MOST} bytes, or remove it"));
        return None;
    }
    Some(Located { value: bytes, place: value.place.clone() })
}
