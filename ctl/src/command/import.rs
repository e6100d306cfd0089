//! `import`: HAProxy's and Keepalived's files become a configuration, and a report of every line. No daemon is asked.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use fmc_import::ledger::Report;
use fmc_import::{Imported, Source, Surroundings, Wishes};
use serde::Serialize;

use crate::cli::Import;
use crate::exit::Exit;
use crate::render::{Output, Paint};

pub(super) fn run(asked: &Import, output: &mut Output) -> anyhow::Result<Exit> {
    let haproxy = read(&asked.haproxy)?;
    let keepalived = asked.keepalived.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let nodes = asked.nodes.iter().map(|(name, address)| fmc_import::Node { name: name.clone(), address: *address });
    let wishes =
        Wishes { nodes: nodes.collect(), vips: asked.vips.clone(), beside_keepalived: asked.beside_keepalived };
    let imported = fmc_import::import(&haproxy, &keepalived, &wishes, &Machine);
    let written = match (&imported.toml, &asked.output) {
        (Some(toml), Some(file)) => {
            write(file, toml)?;
            Some(file.display().to_string())
        }
        _ => None,
    };
    let answer = Answer { report: imported.ledger.report(), problems: &imported.problems, written };
    // The report is text with the ledger at hand, so the answer carries it along.
    output.answer(&Shown { answer, imported: &imported }, shown)?;
    Ok(if imported.is_whole() { Exit::Done } else { Exit::No })
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    report: Report<'a>,
    problems: &'a [String],
    written: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    answer: Answer<'a>,
    #[serde(skip)]
    imported: &'a Imported,
}

fn shown(shown: &Shown<'_>, _: Paint) -> String {
    let mut text = shown.imported.ledger.to_string();
    for problem in shown.answer.problems {
        text += &format!("\n{problem}");
    }
    if !shown.answer.problems.is_empty() {
        text += "\n\nNo configuration comes of it until these are answered.\n";
    } else if !shown.imported.is_whole() {
        text += "\nWhat was refused is not in the configuration.\n";
    }
    if let Some(file) = &shown.answer.written {
        text += &format!("\nWritten: {file}. Next: fmc-lb check --config {file}\n");
    }
    text
}

/// Files of the two programs are not always UTF-8: old comments are in Latin-1.
fn read(file: &Path) -> anyhow::Result<Source> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Source { name: file.display().to_string(), text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Never over a file that is there: it may be the one in force.
fn write(file: &Path, toml: &str) -> anyhow::Result<()> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    made.and_then(|mut made| made.write_all(toml.as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// The machine that the command runs on.
struct Machine;

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn included(&self, pattern: &str, from: &str) -> Result<Vec<Source>, String> {
        let beside = Path::new(from).parent().unwrap_or(Path::new(""));
        let pattern = beside.join(pattern).display().to_string();
        let paths = glob::glob(&pattern).map_err(|error| format!("{pattern}: {error}"))?;
        let paths: Result<Vec<PathBuf>, _> = paths.collect();
        let mut paths = paths.map_err(|error| error.to_string())?;
        paths.retain(|path| path.is_file());
        paths.iter().map(|path| read(path).map_err(|error| format!("{error:#}"))).collect()
    }
}
