//! Secrets, and texts without them.
//!
//! No file that a key of the configuration names is in a bundle. What such a file holds is looked for in everything else all the same: a
//! firewall's comment or a log line may repeat it. The configuration is read as lines and not parsed, since a bundle of a wrong one is
//! wanted most.

const REMOVED: &str = "[removed]";

/// Shorter words in a key file are no secret, and would tear holes into every text.
const SHORTEST: usize = 8;

/// Words that must not leave the machine.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a configuration: passwords, and every word of the files that it names.
    pub(super) fn of(configuration: &str) -> Self {
        let pairs = configuration.split(['\n', ',', '{', '}']).filter_map(|piece| piece.split_once('='));
        let mut secrets = Vec::new();
        for (key, value) in pairs.map(|(key, value)| (key.trim(), unquoted(value))) {
            if key == "password" {
                secrets.push(value.to_owned());
            } else if key.ends_with("_file") {
                let text = std::fs::read_to_string(value).unwrap_or_default();
                secrets.extend(text.split_whitespace().flat_map(words).filter(|word| word.len() >= SHORTEST));
            }
        }
        Self(secrets)
    }

    /// The same text without them, and without any private key.
    pub(super) fn removed_from(&self, text: &str) -> String {
        let text = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), REMOVED));
        without_passwords(&without_private_keys(text))
    }
}

/// A word, and what follows its colon: `hex:00ff`.
fn words(word: &str) -> Vec<String> {
    let after = word.split_once(':').map(|(_, after)| after.to_owned());
    std::iter::once(word.to_owned()).chain(after).collect()
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let value = value.split_once(" #").map_or(value, |(value, _)| value.trim());
    value.trim_matches(['"', '\''])
}

/// Also of another program's configuration or of one that could not be read above.
fn without_passwords(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key, _)) if key.trim_end().ends_with("password") => format!("{key}= \"{REMOVED}\""),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n") + if text.ends_with('\n') { "\n" } else { "" }
}

fn without_private_keys(mut text: String) -> String {
    const END: &str = "PRIVATE KEY-----";
    while let Some(end) = text.find(END) {
        let begin = text[..end].rfind("-----BEGIN").unwrap_or(end);
        let rest = &text[end + END.len()..];
        let after = rest.find(END).map_or(text.len(), |at| end + END.len() + at + END.len());
        text.replace_range(begin..after, REMOVED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_configuration_keeps_secret_is_removed_wherever_it_stands() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("adverts.key");
        std::fs::write(&key, "1 hex:00112233445566778899aabbccddeeff\n").unwrap();
        let configuration = format!(
            "[election]\npassword = \"hunter2\" # of old\nauth_hmac = {{ key_file = \"{}\", mode = \"enforce\" }}\n",
            key.display()
        );
        let secrets = Secrets::of(&configuration);
        let text = secrets.removed_from(&format!("{configuration}said hunter2 and 00112233445566778899aabbccddeeff\n"));
        assert!(!text.contains("hunter2") && !text.contains("00112233"), "{text}");
        assert!(text.contains("mode = \"enforce\"") && text.ends_with("said [removed] and [removed]\n"), "{text}");
    }

    #[test]
    fn a_private_key_is_removed_whole() {
        let pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----";
        let text = Secrets::default().removed_from(&format!("before {pem} after\n{pem}\n"));
        assert_eq!(text, "before [removed] after\n[removed]\n");
        assert_eq!(Secrets::default().removed_from("-----BEGIN PRIVATE KEY-----\nMHc"), REMOVED);
    }

    #[test]
    fn a_password_of_a_file_that_cannot_be_read_is_removed_too() {
        assert_eq!(
            Secrets::default().removed_from("a = 1\n  password = \"x\"\n"),
            "a = 1\n  password = \"[removed]\"\n"
        );
    }
}
