//! The proxy: everything that meets clients. Three threads, started here.
//!
//! | thread | runs |
//! |---|---|
//! | `relay` | listeners and relays ([`fmc_lb::DataPlane::run`]) |
//! | `control` | health checks, [`wiring`](crate::wiring), admin API |
//! | main | channels to keeper and supervisor ([`link`]), at the lowest real-time priority |
//!
//! Whichever ends takes the process with it. The main thread gets its priority while it is still root and passes it on to nobody
//! (SCHED_RESET_ON_FORK): heartbeats leave in time on a CPU that relays keep busy, and no thread that meets clients is real-time.

pub(crate) mod appliance;
mod control;
pub(crate) mod control_pulse;
pub(crate) mod link;
pub(crate) mod loop_pulse;
pub(crate) mod metrics;
mod relay;
pub(crate) mod saver;
pub(crate) mod view;

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use fmc_config::model::Config;
use fmc_config::model::node::Node;
use fmc_lb::{DataPlane, DialFailed, OnDialFailed};
use fmc_vrrp::driver::{KeeperSettings, PairKeys, Secrets};
use fmc_vrrp::realtime;
use tokio::sync::mpsc;

use crate::advert_key_file;
use crate::lifeline::{self, Lifeline};
use crate::message::Order;
use crate::pair::key_file;
use crate::privilege::PROXY;
use crate::state_dir::StateDir;
use crate::wiring::{FAILED_DIALS_WAITING, FailedClient};
use crate::{admin, check, exit, headroom, log, node, text_file};
use control::Control;
use control_pulse::ControlPulse;
use link::{KeeperLink, LinkThread, NEWS_WAITING};
use loop_pulse::LoopPulse;
use relay::Relay;

/// Real-time priority of the link, below both threads of the keeper.
const LINK_PRIORITY: i32 = 1;

/// The role's whole life.
pub(crate) fn main() -> Result<ExitCode> {
    let (lifeline, begin) = lifeline::take()?;
    // What ps(1) and ss(8) show.
    nix::sys::prctl::set_name(c"fmc-lb-proxy")?;
    let Inheritance { admin, configuration } = Inheritance::receive(&lifeline)?;
    // Without the privilege heartbeats leave like everything else; the keeper, which needs it more, says so.
    let _ = realtime::schedule(LINK_PRIORITY);
    PROXY.assume()?;
    let log = log::start();
    headroom::raise_descriptor_limit();
    let config = match check::parse(&configuration, &begin.config) {
        Ok((config, _)) => config,
        Err(code) => return Ok(code),
    };
    let node = node::identify(&config, begin.node.as_deref())?.clone();
    let recorder = admin::install_recorder()?;
    metrics::describe();
    let (failed_dials, failed_dials_inbox) = mpsc::channel(FAILED_DIALS_WAITING);
    let Some(data_plane) = bind(&config, begin.observe, report_failed_dials(failed_dials)) else {
        return Ok(ExitCode::from(exit::FAILED));
    };
    let settings = keeper_settings(&config, &node, begin.observe)?;
    let state_dir = StateDir::at(begin.state_dir);
    let (keeper, handle) = (KeeperLink::new(settings.clone()), data_plane.handle());
    let (news, news_inbox) = mpsc::channel(NEWS_WAITING);
    let (tell_end, ended) = sync_channel(THREADS);
    let relay = Relay::start(data_plane, tell_end.clone())?;
    let relay_loop = Arc::new(LoopPulse::new(handle.clone(), relay.thread_id()));
    let pulse = Arc::new(ControlPulse::new(Instant::now()));
    let control = Control {
        config,
        file: begin.config,
        observe: begin.observe,
        by_last_good: begin.by_last_good,
        ahead_of_file: begin.ahead_of_file,
        text: configuration,
        config_hash: settings.config_hash,
        node,
        recovered: state_dir.recover(),
        state_dir,
        data_plane: handle,
        keeper: keeper.clone(),
        recorder,
        log_lines: log.unwritten(),
        news: news_inbox,
        failed_dials: failed_dials_inbox,
        admin,
        relay_loop: relay_loop.clone(),
        pulse: pulse.clone(),
        supervisor: second_end(&lifeline)?,
    };
    control.start(relay, tell_end)?;
    let link = LinkThread { lifeline, keeper, relay_loop, control: pulse, news, ended };
    Ok(ExitCode::from(link.run()))
}

/// Threads whose end ends the process: relay and control.
const THREADS: usize = 2;

/// What the supervisor made for us.
struct Inheritance {
    /// The admin listener.
    admin: UnixListener,
    /// The text that the supervisor has checked.
    configuration: String,
}

impl Inheritance {
    fn receive(lifeline: &Lifeline) -> Result<Self> {
        let (mut admin, mut configuration) = (None, None);
        loop {
            match lifeline::wait_for(lifeline)? {
                (Order::Admin, Some(socket)) => admin = Some(socket),
                (Order::Configuration, Some(file)) => configuration = Some(file),
                (Order::End, _) => bail!("told to end before the beginning"),
                _ => {}
            }
            if admin.is_some() && configuration.is_some() {
                break;
            }
        }
        let missing = || anyhow::anyhow!("the supervisor did not hand everything over");
        Ok(Self {
            admin: UnixListener::from(admin.ok_or_else(missing)?),
            configuration: text_file::text_of(configuration.ok_or_else(missing)?)?,
        })
    }
}

/// Every listener, or `None` after saying what stands in the way of each that cannot be bound.
fn bind(config: &Config, observe: bool, on_dial_failed: OnDialFailed) -> Option<DataPlane> {
    if observe {
        return Some(DataPlane::without_listeners(config, on_dial_failed));
    }
    let bound = DataPlane::bind(config, on_dial_failed);
    bound.inspect_err(|errors| errors.iter().for_each(|error| eprintln!("fmc-lb: {error}"))).ok()
}

fn report_failed_dials(sender: mpsc::Sender<FailedClient>) -> OnDialFailed {
    Arc::new(move |failed: &DialFailed<'_>| {
        // A full queue means that the control thread is behind; the server is probed at its next turn anyway.
        let _ = sender.try_send(FailedClient {
            backend: failed.backend.clone(),
            server: failed.server.clone(),
            is_out: failed.is_out,
        });
    })
}

/// The keeper's part of a configuration. Errors: what is wrong with a key file.
pub(crate) fn keeper_settings(config: &Config, node: &Node, observe: bool) -> Result<KeeperSettings> {
    let pair = config.pair.key_file.as_deref().map_or_else(|| Ok(PairKeys::default()), key_file::read)?;
    let advert_keys = config.election.auth_hmac.as_ref().map(|auth| auth.key_file.as_path());
    let adverts = advert_keys.map_or_else(|| Ok(Vec::new()), advert_key_file::read)?;
    let settings = KeeperSettings::new(config, &node.name, Secrets { pair, adverts }, hash_of(config))?;
    Ok(KeeperSettings { observe, ..settings })
}

/// The same on nodes whose configurations mean the same.
fn hash_of(config: &Config) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, config.effective().as_bytes());
    digest.as_ref().iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

/// A second end of the lifeline, for the one word that the control thread says.
fn second_end(lifeline: &Lifeline) -> Result<Lifeline> {
    Ok(Lifeline::over(lifeline.as_fd().try_clone_to_owned().context("cannot duplicate the lifeline")?))
}
