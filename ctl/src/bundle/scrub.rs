//! Secrets, and texts without them.
//!
//! No file that a key of the configuration names is in a bundle. What such a file holds is looked for in everything else all the same: a
//! firewall's comment or a log line may repeat it. The configuration is read as lines and not parsed, since a bundle of a wrong one is
//! wanted most.

const REMOVED: &str = "[removed]";

/// Shorter words are looked for nowhere: they would tear holes into every text. Where a name says what they are, they are removed all the same.
const SHORTEST: usize = 8;

/// What the name of a secret has in it: `password`, `tcp_fastopen_key`, `API_TOKEN`.
const NAMES: [&str; 5] = ["password", "passwd", "secret", "token", "key"];

/// And what names of this kind have that tell where a secret lies, or how it is used.
const HARMLESS: [&str; 4] = ["key_file", "token_file", "keyring", "keepalive"];

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
            } else if key.ends_with("key_file") || key == "token_file" {
                let text = std::fs::read_to_string(value).unwrap_or_default();
                let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
                secrets.extend(lines.flat_map(str::split_whitespace).flat_map(words));
            }
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        Self(secrets)
    }

    /// The same text without them, and without any private key.
    pub(super) fn removed_from(&self, text: &str) -> String {
        let text = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), REMOVED));
        without_named(&without_private_keys(text))
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

/// Values whose name says what they are, in settings (`name = value`) and in environments (`Environment=NAME=value NAME=value`).
fn without_named(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(without_secret_value).collect();
    lines.join("\n") + if text.ends_with('\n') { "\n" } else { "" }
}

/// At each `=` and `:` the word before it is asked, so that inline tables, dotted names, several settings on a line and JSON are all met.
fn without_secret_value(line: &str) -> String {
    let Some(at) = line.find(['=', ':']) else { return line.to_owned() };
    let (name, rest) = (&line[..at], &line[at + 1..]);
    // A colon is one of JSON behind a name in quotes alone: in a sentence it says nothing.
    let is_sentence = line[at..].starts_with(':') && !name.trim_end().ends_with('"');
    if is_sentence || !is_secret(name) {
        return line[..=at].to_owned() + &without_secret_value(rest);
    }
    let value = &rest[..end_of_value(rest)];
    let gap = &value[..value.len() - value.trim_start().len()];
    format!("{}{gap}\"{REMOVED}\"{}", &line[..=at], without_secret_value(&rest[value.len()..]))
}

/// A text in quotes ends with them; anything else where the next setting may begin.
fn end_of_value(rest: &str) -> usize {
    let begin = rest.len() - rest.trim_start().len();
    let quoted = rest[begin..].chars().next().filter(|first| matches!(first, '"' | '\''));
    match quoted {
        Some(quote) => rest[begin + 1..].find(quote).map_or(rest.len(), |end| begin + 1 + end + 1),
        None => rest[begin..].find([',', '}', ' ']).map_or(rest.len(), |end| begin + end),
    }
}

/// The last word before the sign is the name: `password`, `"token"`, `[election].password`.
fn is_secret(before: &str) -> bool {
    let last = before.trim_end().rsplit([' ', '\t', '.', ',', '{', '=']).next().unwrap_or_default();
    let last = last.trim_matches(['"', '\'']).to_ascii_lowercase();
    !HARMLESS.iter().any(|harmless| last.contains(harmless)) && NAMES.iter().any(|secret| last.ends_with(secret))
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
            "[election]\npassword = \"hunter22\" # of old\nauth_hmac = {{ key_file = \"{}\", mode = \"enforce\" }}\n",
            key.display()
        );
        let secrets = Secrets::of(&configuration);
        let text =
            secrets.removed_from(&format!("{configuration}said hunter22 and 00112233445566778899aabbccddeeff\n"));
        assert!(!text.contains("hunter22") && !text.contains("00112233"), "{text}");
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
    fn values_are_removed_by_their_name_too() {
        for (before, after) in [
            ("a = 1\n  password = \"x\"\n", "a = 1\n  password = \"[removed]\"\n"),
            (
                "election = { profile = \"compat\", password = \"a b\", failback = \"never\" }",
                "election = { profile = \"compat\", password = \"[removed]\", failback = \"never\" }",
            ),
            ("election.password = 'abc123' # of old", "election.password = \"[removed]\" # of old"),
            ("\"password\" = \"abc\"", "\"password\" = \"[removed]\""),
            (
                "{\"profile\":\"compat\",\"password\":\"x\",\"n\":1}",
                "{\"profile\":\"compat\",\"password\":\"[removed]\",\"n\":1}",
            ),
            ("password = \"never closed", "password = \"[removed]\""),
            ("net.ipv4.tcp_fastopen_key = 00-11", "net.ipv4.tcp_fastopen_key = \"[removed]\""),
            ("Environment=RUST_LOG=info API_TOKEN=abc B=1", "Environment=RUST_LOG=info API_TOKEN=\"[removed]\" B=1"),
            ("key_file = \"/etc/fmc-lb/pair.key\"", "key_file = \"/etc/fmc-lb/pair.key\""),
            ("net.ipv4.tcp_keepalive_time = 7200", "net.ipv4.tcp_keepalive_time = 7200"),
            ("connection ended id=17 ended_by=\"client-closed\"", "connection ended id=17 ended_by=\"client-closed\""),
        ] {
            assert_eq!(Secrets::default().removed_from(before), after);
        }
    }

    #[test]
    fn words_of_comments_and_short_passwords_are_left_in_other_texts() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("pair.key");
        std::fs::write(&key, "# loadbalancer1 and loadbalancer2\n0123456789abcdef0123456789abcdef\n").unwrap();
        let secrets = Secrets::of(&format!("key_file = \"{}\"\npassword = \"1111\"\n", key.display()));
        let text = secrets.removed_from("loadbalancer1 on port 11112, 0123456789abcdef0123456789abcdef");
        assert_eq!(text, "loadbalancer1 on port 11112, [removed]");
    }
}
