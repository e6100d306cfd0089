//! Where text goes: answers to standard output, everything said on the way to standard error.

use std::io::{self, IsTerminal, Write};

use fmc_api::client::ClientError;
use serde::Serialize;

use super::Paint;
use crate::cli::TypedTargetError;
use crate::exit::Exit;

/// Standard output and standard error, and how to write on them.
pub(crate) struct Output {
    json: bool,
    answers: Paint,
    notes: Paint,
}

/// Standard output took no more.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the answer: {0}")]
struct WriteError(#[source] io::Error);

impl Output {
    /// Colours only where a terminal shows them.
    pub(crate) fn standard(json: bool) -> Self {
        Self { json, answers: Paint::on(&io::stdout()), notes: Paint::on(&io::stderr()) }
    }

    /// Whether a script reads it.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints the answer, as JSON or as `text` has it.
    pub(crate) fn answer<T: Serialize>(&mut self, answer: &T, text: fn(&T, Paint) -> String) -> anyhow::Result<()> {
        if self.json {
            return print(&(serde_json::to_string_pretty(answer)? + "\n"));
        }
        print(&text(answer, self.answers))
    }

    /// Prints one line for each item, as JSON or as `text` has it.
    pub(crate) fn rows<T: Serialize>(&mut self, items: &[T], text: fn(&T, Paint) -> String) -> anyhow::Result<()> {
        for item in items {
            let line = if self.json { serde_json::to_string(item)? } else { text(item, self.answers) };
            print(&(line + "\n"))?;
        }
        Ok(())
    }

    /// Says what is about to happen.
    pub(crate) fn say<T>(&mut self, about: &T, text: fn(&T, Paint) -> String) -> io::Result<()> {
        io::stderr().write_all(text(about, self.notes).as_bytes())
    }

    /// Says one line on the way.
    pub(crate) fn note(&mut self, line: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{line}")
    }

    /// Says why what was just done would be forgotten by a restart, if it would.
    pub(crate) fn unsaved(&mut self, why: Option<&str>) -> io::Result<()> {
        let Some(why) = why else { return Ok(()) };
        let text = format!("done, but not saved: {why}; unless that is mended, a restart of fmc-lb forgets it");
        writeln!(io::stderr(), "{}", self.notes.warn(&text))
    }

    /// Asks, without ending the line.
    pub(crate) fn prompt(&mut self, question: &str) -> io::Result<()> {
        write!(io::stderr(), "{question}")?;
        io::stderr().flush()
    }

    /// Says why it did not work, and which exit code that is. A reader that went away (`| head`) has seen enough: that is success.
    pub(crate) fn failure(&mut self, error: &anyhow::Error) -> Exit {
        if let Some(WriteError(cause)) = error.downcast_ref()
            && cause.kind() == io::ErrorKind::BrokenPipe
        {
            return Exit::Done;
        }
        let line = format!("{} {error:#}\n", self.notes.bad("fmc-lbctl:"));
        // Nobody is left to be told when standard error is closed too; the code still tells.
        let _told = io::stderr().write_all(line.as_bytes());
        exit_of(error)
    }
}

fn exit_of(error: &anyhow::Error) -> Exit {
    if error.is::<TypedTargetError>() {
        return Exit::Usage;
    }
    match error.downcast_ref::<ClientError>() {
        Some(error) if error.is_no() => Exit::No,
        _ => Exit::Failed,
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| WriteError(error).into())
}

impl Paint {
    pub(crate) fn on(stream: &impl IsTerminal) -> Self {
        Self::new(stream.is_terminal(), |name| std::env::var_os(name))
    }
}
