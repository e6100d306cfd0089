//! `doctor`: examines this machine; a script reads the exit code.

use fmc_api::Client;

use crate::cli::Doctor;
use crate::doctor::{self, Language};
use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn run(client: &Client, asked: &Doctor, output: &mut Output) -> anyhow::Result<Exit> {
    let language = match asked.lang {
        Some(language) => language.into(),
        None => Language::of_environment(|name| std::env::var_os(name)),
    };
    let service = (!asked.preflight).then_some(client);
    let examined = doctor::examine(&asked.config, service, language).await;
    output.answer(&examined, render::doctor::write)?;
    Ok(if examined.healthy { Exit::Done } else { Exit::No })
}
