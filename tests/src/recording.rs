//! A terminal session to look at again: asciicast version 2 (docs.asciinema.org/manual/asciicast/v2).

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::screen::Said;

/// Between the keys of somebody who knows what to type.
const KEY: Duration = Duration::from_millis(45);

/// For a reader to take in what was said.
const READ: Duration = Duration::from_millis(2_500);

/// What stood on a terminal, and when.
#[derive(Debug)]
pub struct Recording {
    size: (u16, u16),
    prompt: String,
    now: Duration,
    events: Vec<(Duration, String)>,
}

impl Recording {
    /// An empty terminal of so many columns and rows.
    pub fn new(size: (u16, u16), prompt: &str) -> Self {
        Self { size, prompt: prompt.to_owned(), now: Duration::ZERO, events: Vec::new() }
    }

    /// Somebody types this command, on a screen that is clear.
    pub fn type_command(&mut self, command: &str) {
        self.show(&format!("\x1b[2J\x1b[H{}", self.prompt));
        for key in command.chars() {
            self.now += KEY;
            self.show(&key.to_string());
        }
        self.now += KEY * 6;
        self.show("\r\n");
    }

    /// What a program wrote, each part so long after its start; then time to read it.
    pub fn play(&mut self, said: &Said) {
        let began = self.now;
        for (after, bytes) in said {
            self.now = began + *after;
            self.show(&String::from_utf8_lossy(bytes));
        }
        self.now += READ;
        self.show("");
    }

    /// Writes it down.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) {
        let (width, height) = self.size;
        let header = serde_json::json!({ "version": 2, "width": width, "height": height }).to_string();
        let event = |(at, text): &(Duration, String)| serde_json::json!([at.as_secs_f64(), "o", text]).to_string();
        let lines: Vec<String> = std::iter::once(header).chain(self.events.iter().map(event)).collect();
        fs::write(file, lines.join("\n") + "\n").unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    fn show(&mut self, text: &str) {
        self.events.push((self.now, text.to_owned()));
    }
}
