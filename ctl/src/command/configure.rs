//! `plan`, `apply` and `reload`: read a file, refuse a bad one with every error, say what changes, ask, change it.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fmc_api::configure::{ConfigurationText, Configure, ConfigureAnswer, ElectionChange};
use fmc_api::{Client, Nodes};
use fmc_config::model::Config;

use super::confirm;
use crate::exit::Exit;
use crate::render::{self, Output, others};
use crate::span::Span;

/// Every node prepares everything before it answers, one after the other; a keeper alone may take three seconds.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn plan(client: &Client, file: &Path, output: &mut Output) -> anyhow::Result<Exit> {
    let Some(request) = read(file)? else { return Ok(Exit::No) };
    let answer = client.clone().with_deadline(DEADLINE).configure(&request).await?;
    output.answer(&answer, render::configure::answer)?;
    Ok(Exit::Done)
}

/// A file that is in force and is not the one that the service starts with would be forgotten by the next start. One on trial is not
/// kept: `confirm` does that.
pub(super) async fn apply(
    client: &Client,
    file: &Path,
    yes: bool,
    confirm_within: Option<Duration>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let Some(request) = read(file)? else { return Ok(Exit::No) };
    let confirm_within_ms = confirm_within.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
    let request = Configure { confirm_within_ms, ..request };
    let Some(exit) = put_in_force(client, request, yes, output).await? else { return Ok(Exit::No) };
    match confirm_within {
        Some(within) => {
            output.note(&format!("on trial: fmc-lbctl confirm within {}, or it goes by itself", Span(within)))?;
        }
        // Also when another node has not said that it stays there: here it does.
        None if *client.nodes() == Nodes::All || *client.nodes() == Nodes::This => {
            install_here(client, output).await?;
        }
        None => {}
    }
    Ok(exit)
}

/// Writes what is in force here into the file that the service here starts with, and lets the service know.
pub(super) async fn install_here(client: &Client, output: &mut Output) -> anyhow::Result<()> {
    let here = client.clone().with_deadline(DEADLINE).for_nodes(Nodes::This);
    let ConfigurationText { file, text, .. } = here.configuration().await?;
    if std::fs::read_to_string(&file).is_ok_and(|known| known == text) {
        return Ok(());
    }
    install(&text, &file).with_context(|| {
        format!("it is in force, but {} still says otherwise: copy it there yourself", file.display())
    })?;
    output.note(&format!("{} says it now", file.display()))?;
    here.configure(&Configure { file, text, dry_run: false, confirm_within_ms: None }).await?;
    Ok(())
}

/// The file of one node is one node's: the others have their own.
pub(super) async fn reload(client: &Client, yes: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let client = match client.nodes() {
        Nodes::All | Nodes::This => client.clone().for_nodes(Nodes::This),
        Nodes::Node(node) => anyhow::bail!("reload reads a file of {node}: type it there"),
    };
    let file = client.status().await?.config.file;
    let Some(request) = read(&file)? else { return Ok(Exit::No) };
    Ok(put_in_force(&client, request, yes, output).await?.unwrap_or(Exit::No))
}

/// Whether it is in force on every node that was asked; `None`: somebody said no, and nothing has changed.
async fn put_in_force(
    client: &Client,
    request: Configure,
    yes: bool,
    output: &mut Output,
) -> anyhow::Result<Option<Exit>> {
    let client = client.clone().with_deadline(DEADLINE);
    let plan = client.configure(&request).await?;
    if is_nothing(&plan) && plan.others.iter().filter_map(|other| other.done()).all(is_nothing) {
        output.answer(&plan, render::configure::answer)?;
        // Nothing changes, but what was applied on another node gives way to the file that says the same.
        let done = client.configure(&Configure { dry_run: false, confirm_within_ms: None, ..request }).await?;
        let everywhere = others::all_done(&done.others);
        if !everywhere {
            output.say(&done, render::configure::done)?;
        }
        return Ok(Some(Exit::Done.and(everywhere)));
    }
    output.say(&plan, render::configure::answer)?;
    if !confirm::go_on(true, yes, output)? {
        output.note("nothing has changed")?;
        return Ok(None);
    }
    let answer = client.configure(&Configure { dry_run: false, ..request }).await?;
    output.answer(&answer, render::configure::done)?;
    output.unsaved(answer.unsaved.as_deref())?;
    Ok(Some(Exit::Done.and(others::all_done(&answer.others))))
}

fn is_nothing(plan: &ConfigureAnswer) -> bool {
    plan.changes.is_empty() && plan.election == ElectionChange::Nothing && plan.hash == plan.hash_before
}

/// A dry run of the file; `None`: it is wrong, and every error was shown.
fn read(file: &Path) -> anyhow::Result<Option<Configure>> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .take(Configure::LONGEST as u64 + 1)
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
    };
    if let Err(errors) = Config::parse(&text, &file.display().to_string()) {
        eprintln!("{}", errors.render(std::io::stderr().is_terminal()));
        return Ok(None);
    }
    anyhow::ensure!(text.len() <= Configure::LONGEST, "{} is over {} KiB", file.display(), Configure::LONGEST / 1024);
    Ok(Some(Configure { file: file.to_owned(), text, dry_run: true, confirm_within_ms: None }))
}

/// Replaces the service's file as a whole; the one before it stays beside it.
fn install(text: &str, own: &Path) -> std::io::Result<()> {
    let beside = |ending: &str| {
        let mut name = own.as_os_str().to_owned();
        name.push(ending);
        std::path::PathBuf::from(name)
    };
    let (next, previous) = (beside(".next"), beside(".previous"));
    let written = write(&next, text, own);
    if written.is_err() {
        // Half a file is of no use.
        let _ = std::fs::remove_file(&next);
    }
    written?;
    match std::fs::copy(own, &previous) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(&next, own)
}

fn write(next: &Path, text: &str, own: &Path) -> std::io::Result<()> {
    std::fs::write(next, text)?;
    if let Ok(known) = std::fs::metadata(own) {
        std::fs::set_permissions(next, known.permissions())?;
    }
    std::fs::File::open(next)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_the_one_before_it_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("fmc-lb.toml");
        for (text, previous) in [("one", None), ("two", Some("one")), ("three", Some("two"))] {
            install(text, &own).unwrap();
            assert_eq!(std::fs::read_to_string(&own).unwrap(), text);
            let kept = std::fs::read_to_string(directory.path().join("fmc-lb.toml.previous")).ok();
            assert_eq!(kept.as_deref(), previous);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
    }
}
