//! `fmc-lb check`, and reading the configuration for every other command.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use fmc_config::diagnostic::Diagnostics;
use fmc_config::model::Config;

use crate::exit;

/// Reads and parses. `Err`: every error was printed to stderr; the exit code that says so.
pub(crate) fn load(path: &Path) -> Result<(Config, Warnings), ExitCode> {
    let source = std::fs::read_to_string(path).map_err(|error| {
        eprintln!("fmc-lb: cannot read {}: {error}; name the file with --config", path.display());
        ExitCode::from(exit::CONFIG)
    })?;
    let parsed = Config::parse_with_warnings(&source, &path.display().to_string());
    parsed.map(|(config, warnings)| (config, Warnings(warnings))).map_err(|errors| {
        eprintln!("{}", errors.render(std::io::stderr().is_terminal()));
        ExitCode::from(exit::CONFIG)
    })
}

/// What is legal and probably not meant.
pub(crate) struct Warnings(Diagnostics);

impl Warnings {
    /// Prints them to stderr, for whoever reads the configuration first: `run` and `check`.
    pub(crate) fn show(&self) {
        if !self.0.is_empty() {
            eprintln!("{}", self.0.render(std::io::stderr().is_terminal()));
        }
    }
}

/// Exit 0: valid; 1: every error was shown.
pub(crate) fn check(path: &Path, effective: bool) -> ExitCode {
    let (config, warnings) = match load(path) {
        Ok(loaded) => loaded,
        Err(_) => return ExitCode::from(exit::NO),
    };
    warnings.show();
    if effective {
        print!("{}", config.effective());
    } else {
        let (vips, frontends, backends) = (config.vips.len(), config.frontends.len(), config.backends.len());
        println!("{}: valid: {vips} VIPs, {frontends} frontends, {backends} backends", path.display());
    }
    ExitCode::SUCCESS
}
