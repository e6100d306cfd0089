//! Writes what is derived from the command tree: shell completions and man pages of the service's program (section 8).
//!
//! `cargo run -p fmc-daemon --example generate -- dist` fills `dist/completions` and `dist/man`.

#![allow(dead_code, reason = "only the command tree is used here, not what it parses into")]

use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

#[path = "../src/cli.rs"]
mod cli;

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args().nth(1) else {
        return Err(io::Error::other("say where: generate DIRECTORY"));
    };
    let (completions, man) = (Path::new(&directory).join("completions"), Path::new(&directory).join("man"));
    std::fs::create_dir_all(&completions)?;
    std::fs::create_dir_all(&man)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut cli::Cli::command(), "fmc-lb", &completions)?;
    }
    let mut program = cli::Cli::command().disable_help_subcommand(true);
    program.build();
    let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
    // Administrators run it, so its section is 8 (man-pages(7)).
    for command in [&program].into_iter().chain(verbs) {
        clap_mangen::Man::new(command.clone()).section("8").generate_to(&man)?;
    }
    Ok(())
}
