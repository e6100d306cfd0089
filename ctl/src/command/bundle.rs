//! `bundle`: an archive for whoever helps.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use fmc_api::Client;

use crate::bundle::Bundle;
use crate::cli;
use crate::exit::Exit;
use crate::render::Output;

pub(super) async fn run(client: &Client, asked: &cli::Bundle, output: &mut Output) -> anyhow::Result<Exit> {
    let bundle = Bundle::gather(client, &asked.config).await;
    let path = asked.output.clone().unwrap_or_else(|| PathBuf::from("fmc-lb-bundle.tar.gz"));
    // Readable by whoever made it alone, and never in the place of another one.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot create {}", path.display()))?;
    bundle.write("fmc-lb-bundle", file).with_context(|| format!("cannot write {}", path.display()))?;
    output.note(&format!(
        "{}: {} files, secrets removed; look through it before you give it away",
        path.display(),
        bundle.count()
    ))?;
    Ok(Exit::Done)
}
