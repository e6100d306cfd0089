//! `fmc-lb check`, and reading the configuration for every other command.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use fmc_config::model::Config;

use crate::exit;

/// Reads and parses; every error is printed to stderr. `Err`: the exit code that says so.
pub(crate) fn load(path: &Path) -> Result<Config, ExitCode> {
    let source = std::fs::read_to_string(path).map_err(|error| {
        eprintln!("fmc-lb: cannot read {}: {error}; name the file with --config", path.display());
        ExitCode::from(exit::CONFIG)
    })?;
    Config::parse(&source, &path.display().to_string()).map_err(|diagnostics| {
        eprintln!("{}", diagnostics.render(std::io::stderr().is_terminal()));
        ExitCode::from(exit::CONFIG)
    })
}

/// Exit 0: valid; 1: every error was shown.
pub(crate) fn check(path: &Path, effective: bool) -> ExitCode {
    match load(path) {
        Ok(config) if effective => {
            print!("{}", config.effective());
            ExitCode::SUCCESS
        }
        Ok(config) => {
            let (vips, frontends, backends) = (config.vips.len(), config.frontends.len(), config.backends.len());
            println!("{}: valid: {vips} VIPs, {frontends} frontends, {backends} backends", path.display());
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::from(exit::NO),
    }
}
