//! `lab`: reads an inventory, shows what is wrong with it, writes what it means. No daemon is asked.

mod verify;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use fmc_provision::Checked;
use fmc_provision::render::{self, Artifact};
use serde::Serialize;

use super::ddns;

mod apply;
mod journal;
mod reach;

use crate::cli::Lab;
use crate::exit::Exit;
use crate::render::{Output, Paint};

pub(super) async fn run(asked: &Lab, output: &mut Output) -> anyhow::Result<Exit> {
    match asked {
        Lab::Check { inventory } => check(inventory, output),
        Lab::Verify(asked) => verify::run(asked, output).await,
        Lab::Plan(asked) => apply::plan(asked, output),
        Lab::Apply(asked) => apply::apply(asked, output),
        Lab::Ddns(asked) => ddns::run(asked, output),
        Lab::Render { inventory, output: directory, plan, way } => {
            let Some(checked) = read(inventory)? else { return Ok(Exit::No) };
            let lab = checked.lab(plan.as_deref(), way.as_deref()).map_err(anyhow::Error::msg)?;
            write(&render::artifacts(&lab), directory, output)
        }
    }
}

#[derive(Serialize)]
struct CheckAnswer {
    plans: usize,
    ways: usize,
    machines: usize,
    networks: usize,
}

fn check(inventory: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let Some(checked) = read(inventory)? else { return Ok(Exit::No) };
    let typed = checked.inventory();
    let answer = CheckAnswer {
        plans: typed.plans.len().max(1),
        ways: typed.ways.len(),
        machines: typed.machines.len(),
        networks: typed.networks.len(),
    };
    output.answer(&answer, |answer, _| {
        let CheckAnswer { plans, ways, machines, networks } = answer;
        format!("valid: {machines} machines in {networks} networks, under {plans} plans and {ways} ways in from the Internet\n")
    })?;
    Ok(Exit::Done)
}

/// The inventory; `None`: it is wrong, and every error was shown. Warnings are shown too.
pub(super) fn read(file: &Path) -> anyhow::Result<Option<Checked>> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    let (checked, found) = match fmc_provision::read(&text, &file.display().to_string()) {
        Ok((checked, warnings)) => (Some(checked), warnings),
        Err(errors) => (None, errors),
    };
    if !found.is_empty() {
        eprintln!("{}", found.render(std::io::stderr().is_terminal()));
    }
    Ok(checked)
}

#[derive(Serialize)]
struct Row {
    path: String,
    purpose: String,
    state: &'static str,
}

fn write(artifacts: &[Artifact], directory: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    for Artifact { path, purpose, content } in artifacts {
        let file = directory.join(path);
        let state = write_one(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
        rows.push(Row { path: path.clone(), purpose: purpose.clone(), state });
    }
    output.rows(&rows, row)?;
    let rendered: BTreeSet<PathBuf> = artifacts.iter().map(|artifact| directory.join(&artifact.path)).collect();
    for file in files(directory)?.into_iter().filter(|file| !rendered.contains(file)) {
        output.note(&format!("{} is no part of this lab any more, and was left where it is", file.display()))?;
    }
    Ok(Exit::Done)
}

fn row(row: &Row, _: Paint) -> String {
    format!("{:<9} {:<52} {}", row.state, row.path, row.purpose)
}

fn write_one(file: &Path, content: &[u8]) -> std::io::Result<&'static str> {
    let before = std::fs::read(file).ok();
    if before.as_deref() == Some(content) {
        return Ok("unchanged");
    }
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(file, content)?;
    Ok(if before.is_some() { "changed" } else { "new" })
}

fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}
