//! `fmc-lbctl`: parse what was typed, decide what it means, do it, render the answer, exit with a code a script can trust.

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use exit::Exit;
use render::Output;

mod bundle;
mod cli;
mod cloudflare;
mod command;
mod doctor;
mod exit;
mod program;
mod render;
mod span;
mod top;
mod verify;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    if let Some(error) = cli.misplaced() {
        return usage(&error).into();
    }
    let mut output = Output::standard(cli.json);
    match run(&cli, &mut output) {
        Ok(exit) => exit.into(),
        Err(error) => output.failure(&error).into(),
    }
}

/// Help and version were asked for and are an answer; anything else is a mistake in the command line.
fn usage(error: &clap::Error) -> Exit {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
    // A reader that has gone away misses the text, and the code still tells.
    let _printed = error.print();
    exit
}

fn run(cli: &Cli, output: &mut Output) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command::run(cli, output))
}
