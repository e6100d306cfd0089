//! What `lab apply` did, while it does it: on the terminal, and in a file for the day after.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use fmc_provision::apply::Witness;
use fmc_provision::plan::step::Step;

use crate::render::Output;

/// A file that lines are added to: seconds since 1970, what, number, object. A guard that was begun and not confirmed stands there too; what
/// counts is what its place says, which the next run reads.
pub(super) struct Journal<'a> {
    file: File,
    output: &'a mut Output,
}

impl<'a> Journal<'a> {
    pub(super) fn open(path: &Path, output: &'a mut Output) -> anyhow::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self { file: file.with_context(|| format!("cannot write the journal {}", path.display()))?, output })
    }

    /// A journal that cannot be written does not leave a lab half done.
    fn write(&mut self, line: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if let Err(error) = writeln!(self.file, "{now} {line}") {
            let _nobody_listens = self.output.note(&format!("the journal takes no more: {error}"));
        }
    }
}

impl Witness for Journal<'_> {
    fn begins(&mut self, number: usize, of: usize, step: &Step) {
        self.write(&format!("begins {} {}", step.object, step.what));
        let _nobody_listens = self.output.note(&format!("[{number}/{of}] {}: {}", step.place, step.what));
    }

    fn done(&mut self, step: &Step) {
        self.write(&format!("done {}", step.object));
    }
}
