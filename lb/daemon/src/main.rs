//! `fmc-lb`: the load balancer. One binary, one unit, three small roles; see ARCHITECTURE.md.

mod admin;
mod administrative;
mod advert_key_file;
mod backoff;
mod channel;
mod check;
mod cli;
mod event_log;
mod exit;
mod explanation;
mod failover_history;
mod fitness;
mod headroom;
mod history;
mod instance;
mod keeper;
mod keygen;
mod lifeline;
mod log;
mod memory_budget;
mod message;
mod node;
mod observations;
mod pair;
mod privilege;
mod proxy;
mod resolution;
mod resolver;
mod runtime_dir;
mod secret_file;
mod state_dir;
mod supervisor;
mod text_file;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use cli::{Cli, Command};
use keygen::Purpose;
use message::Begin;
use nix::sys::signalfd::SignalFd;
use runtime_dir::RuntimeDir;
use state_dir::StateDir;
use supervisor::sketch::Sketch;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { exit::DONE });
        }
    };
    let outcome = match cli.command {
        Command::Run { config, node, runtime_dir, state_dir, observe } => {
            run(Begin { config, node, runtime_dir, state_dir, observe, by_last_good: false, ahead_of_file: false })
        }
        Command::Check { config, effective } => Ok(check::check(&config, effective)),
        Command::Cleanup { runtime_dir } => cleanup(runtime_dir),
        Command::Keygen { file, adverts, add } => {
            let purpose = if adverts { Purpose::Adverts } else { Purpose::Pair };
            let file = file.unwrap_or_else(|| purpose.usual_file().into());
            if add { keygen::add(purpose, &file) } else { keygen::keygen(purpose, &file) }
        }
        Command::Keeper => keeper::main(),
        Command::Proxy => proxy::main(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("fmc-lb: {error:#}");
        ExitCode::from(exit::FAILED)
    })
}

fn run(begin: Begin) -> anyhow::Result<ExitCode> {
    let signals = supervisor::block_signals()?;
    let _log = log::start();
    let (loaded, begin) = match check::load(&begin.config) {
        Ok(loaded) => match applied_over(&loaded, &begin) {
            Some(applied) => (applied, Begin { ahead_of_file: true, ..begin }),
            None => (loaded, begin),
        },
        Err(code) => match last_good(&begin) {
            Some(loaded) => (loaded, Begin { by_last_good: true, ..begin }),
            None => return Ok(code),
        },
    };
    loaded.warnings.show();
    let outcome = supervise(begin, &loaded, signals);
    if !matches!(outcome, Ok(code) if code == ExitCode::SUCCESS) {
        // systemd starts us again at once: a late link or address deserves a moment, the journal deserves fewer lines.
        std::thread::sleep(REFUSED_PAUSE);
    }
    outcome
}

/// The configuration that was in force here last, for a file that is there and wrong: an edit that nobody has put in force yet
/// must not keep this node from serving after a reboot.
fn last_good(begin: &Begin) -> Option<check::Loaded> {
    let text = begin.config.exists().then(|| StateDir::at(begin.state_dir.clone()).last_good())??;
    let loaded = check::take(text, &begin.state_dir.join("last-good.toml")).ok()?;
    tracing::error!(file = %begin.config.display(), "the configuration is wrong: this node works by the last one that was in force");
    Some(loaded)
}

/// What was applied on another node for all nodes, if the file here is still the one that it replaced.
fn applied_over(file: &check::Loaded, begin: &Begin) -> Option<check::Loaded> {
    let text = StateDir::at(begin.state_dir.clone()).applied_over(&file.source)?;
    let loaded = check::take(text, &begin.state_dir.join("applied.toml")).ok()?;
    tracing::warn!(file = %begin.config.display(), "this node works by what was applied on another one since; fmc-lbctl save writes it to the file");
    Some(loaded)
}

/// How long a refusal to start rests before the next try.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

fn supervise(begin: Begin, loaded: &check::Loaded, signals: SignalFd) -> anyhow::Result<ExitCode> {
    let node = node::identify(&loaded.config, begin.node.as_deref())?;
    let sketch = Sketch::new(&loaded.config, node, begin.config.clone(), begin.observe);
    let begin = Begin { node: Some(node.name.to_string()), ..begin };
    supervisor::run(begin, &loaded.source, sketch, signals)
}

fn cleanup(runtime_dir: PathBuf) -> anyhow::Result<ExitCode> {
    let _instance = instance::Instance::lock()?;
    for address in fmc_vrrp::lease::cleanup(&RuntimeDir::leases(&runtime_dir))? {
        check::say(&format!("removed {address}\n"));
    }
    Ok(ExitCode::SUCCESS)
}
