//! `fmc-lb check`, and reading the configuration for every other command.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use fmc_config::diagnostic::Diagnostics;
use fmc_config::model::Config;

use crate::exit;

/// Reads and parses. `Err`: every error was printed to stderr; the exit code that says so.
pub(crate) fn load(path: &Path) -> Result<Loaded, ExitCode> {
    let source = std::fs::read_to_string(path).map_err(|error| {
        eprintln!("fmc-lb: cannot read {}: {error}; name the file with --config", path.display());
        ExitCode::from(exit::CONFIG)
    })?;
    take(source, path)
}

/// Parses a text that was read elsewhere. `Err`: as for [`load`].
pub(crate) fn take(source: String, path: &Path) -> Result<Loaded, ExitCode> {
    let (config, warnings) = parse(&source, path)?;
    Ok(Loaded { config, warnings, source })
}

/// Parses what was read before. `Err`: as for [`load`].
pub(crate) fn parse(source: &str, path: &Path) -> Result<(Config, Warnings), ExitCode> {
    let parsed = Config::parse_with_warnings(source, &path.display().to_string());
    parsed.map(|(config, warnings)| (config, Warnings(warnings))).map_err(|errors| {
        eprintln!("{}", errors.render(std::io::stderr().is_terminal()));
        ExitCode::from(exit::CONFIG)
    })
}

/// A valid configuration and the text that it was read from.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) warnings: Warnings,
    pub(crate) source: String,
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
    let Loaded { config, warnings, .. } = match load(path) {
        Ok(loaded) => loaded,
        Err(_) => return ExitCode::from(exit::NO),
    };
    warnings.show();
    if effective {
        say(&config.effective());
    } else {
        let (vips, frontends, backends) = (config.vips.len(), config.frontends.len(), config.backends.len());
        say(&format!("{}: valid: VIPs {vips}, frontends {frontends}, backends {backends}\n", path.display()));
    }
    ExitCode::SUCCESS
}

/// Prints to stdout; a reader that has gone, such as `head`, has what it wanted.
pub(crate) fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
