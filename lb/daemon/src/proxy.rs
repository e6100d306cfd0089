//! The proxy: everything that meets clients. Three threads, started here.
//!
//! | thread | runs | when it ends |
//! |---|---|---|
//! | `relay` | listeners and relays ([`fmc_lb::DataPlane::run`]) | the process ends: a data plane that stopped is dead |
//! | control (main) | health checks, [`wiring`](crate::wiring), admin API | the process ends |
//! | `link` | channels to keeper and supervisor ([`link`]) | the process ends |

pub(crate) mod appliance;
pub(crate) mod link;
pub(crate) mod metrics;
pub(crate) mod view;

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_config::model::Config;
use fmc_config::model::node::Node;
use fmc_health::{Checker, OBSERVATION_DEPTH};
use fmc_lb::{DataPlane, DialFailed, EndedBy, OnDialFailed};
use fmc_vrrp::driver::{KeeperSettings, PairKeyBytes};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::event_log::EventLog;
use crate::lifeline::{self, Lifeline};
use crate::message::{Order, Word};
use crate::privilege::PROXY;
use crate::wiring::alarms::Alarms;
use crate::wiring::{self, FAILED_DIALS_WAITING, Inbox};
use crate::{admin, check, exit, headroom, log, node};
use appliance::{Appliance, Shared, VipState};
use link::{KeeperLink, LinkThread, NEWS_WAITING};

/// The shortest secret that is worth signing with (RFC 2104 §3: the length of the hash's output).
const SHORTEST_KEY: usize = 32;

/// Relays get this long to end once the service is told to.
const RELAYS_MAY_END: Duration = Duration::from_secs(2);

/// The role's whole life.
pub(crate) fn main() -> Result<ExitCode> {
    let (lifeline, begin) = lifeline::take()?;
    let (admin, partner) = inheritance(&lifeline)?;
    PROXY.assume()?;
    let log = log::start();
    headroom::raise_descriptor_limit();
    let config = match check::load(&begin.config) {
        Ok((config, _)) => config,
        Err(code) => return Ok(code),
    };
    let node = node::identify(&config, begin.node.as_deref())?.clone();
    let recorder = admin::install_recorder()?;
    metrics::describe(&log);
    let (failed_dials, failed_dials_inbox) = mpsc::channel(FAILED_DIALS_WAITING);
    let data_plane = match DataPlane::bind(&config, report_failed_dials(failed_dials)) {
        Ok(data_plane) => data_plane,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("fmc-lb: {error}"));
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    let handle = data_plane.handle();
    let settings = keeper_settings(&config, &node)?;
    let config_hash = settings.config_hash;
    let keeper = KeeperLink::default();
    let (news, news_inbox) = mpsc::channel(NEWS_WAITING);

    let control = control_runtime()?;
    let (observations, observations_inbox) = mpsc::channel(OBSERVATION_DEPTH);
    let checker = Checker::start(&config.backends, observations, control.handle());
    let relay = start_relay(data_plane)?;
    let pulse = handle.clone();
    let loop_age = move || pulse.pulse().age();
    let ready = lifeline_for_ready(&lifeline)?;
    let thread = LinkThread { lifeline, keeper: keeper.clone(), settings: Box::new(settings), loop_age, news };
    std::thread::Builder::new().name("link".to_owned()).spawn(move || thread.run(partner)).context("no thread")?;

    let now = Moment::from(SystemTime::now());
    let appliance = Appliance {
        vips: config.vips.iter().map(|vip| VipState::new(vip.clone(), now)).collect(),
        file: begin.config.clone(),
        config_hash,
        configured_at: now,
        node,
        admin: AdminState::Ready,
        data_plane: handle.clone(),
        checker,
        keeper,
        snapshot: None,
        processes: None,
        events: EventLog::new(SystemTime::now()),
        alarms: Alarms::default(),
        recorder,
        scarce: None,
        started: Instant::now(),
        config,
    };
    let inbox = Inbox { news: news_inbox, observations: observations_inbox, failed_dials: failed_dials_inbox };
    serve(&control, appliance, inbox, admin, &ready)?;
    finish(&handle, relay)
}

/// The sockets that the supervisor made for us: the admin listener and the channel to the keeper.
fn inheritance(lifeline: &Lifeline) -> Result<(UnixListener, OwnedFd)> {
    let (mut admin, mut partner) = (None, None);
    loop {
        match lifeline::wait_for(lifeline)? {
            (Order::Admin, Some(socket)) => admin = Some(UnixListener::from(socket)),
            (Order::Partner, Some(socket)) => partner = Some(socket),
            (Order::End, _) => bail!("told to end before the beginning"),
            _ => {}
        }
        if let (Some(_), Some(_)) = (&admin, &partner)
            && let (Some(admin), Some(partner)) = (admin.take(), partner.take())
        {
            return Ok((admin, partner));
        }
    }
}

fn report_failed_dials(
    sender: mpsc::Sender<(fmc_config::model::name::BackendName, fmc_config::model::name::ServerName)>,
) -> OnDialFailed {
    Arc::new(move |failed: &DialFailed<'_>| {
        // A full queue means that the control thread is behind; the server is probed at its next turn anyway.
        let _ = sender.try_send((failed.backend.clone(), failed.server.clone()));
    })
}

fn keeper_settings(config: &Config, node: &Node) -> Result<KeeperSettings> {
    let key = config.pair.key_file.as_deref().map(read_key).transpose()?;
    Ok(KeeperSettings::new(config, &node.name, key, hash_of(config))?)
}

fn read_key(path: &Path) -> Result<PairKeyBytes> {
    let key = std::fs::read(path).with_context(|| {
        format!("cannot read pair.key_file {}: it must be readable by user {}", path.display(), PROXY.user)
    })?;
    if key.len() < SHORTEST_KEY {
        bail!(
            "pair.key_file {} holds {} bytes, at least {SHORTEST_KEY} are needed; make one with 'head -c 32 /dev/urandom'",
            path.display(),
            key.len()
        );
    }
    Ok(PairKeyBytes::new(key))
}

/// The same on nodes whose configurations mean the same.
fn hash_of(config: &Config) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, config.effective().as_bytes());
    digest.as_ref().iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

fn control_runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("no runtime for the control thread")
}

/// Runs the data plane on a thread of its own; a data plane that ends before it is told to takes the process with it.
fn start_relay(data_plane: DataPlane) -> Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime for the relay loop")?;
    let relay = move || {
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on(data_plane.run()));
        if std::panic::catch_unwind(run).is_err() {
            tracing::error!("the relay loop panicked: ending the process, the supervisor starts another");
            std::process::exit(i32::from(exit::FAILED));
        }
    };
    std::thread::Builder::new().name("relay".to_owned()).spawn(relay).context("no thread for the relay loop")
}

/// A second end of the lifeline, for the one word that the control thread says.
fn lifeline_for_ready(lifeline: &Lifeline) -> Result<Lifeline> {
    use std::os::fd::AsFd;
    Ok(Lifeline::over(lifeline.as_fd().try_clone_to_owned().context("cannot duplicate the lifeline")?))
}

/// Serves the admin API and runs the wiring until told to end.
fn serve(control: &Runtime, appliance: Appliance, inbox: Inbox, admin: UnixListener, ready: &Lifeline) -> Result<()> {
    let local = LocalSet::new();
    let (listen, allow) = (appliance.config.admin.listen.clone(), Rc::from(appliance.config.admin.allow.as_slice()));
    let shared: Shared = Rc::new(RefCell::new(appliance));
    let unix = {
        let _inside = Handle::enter(control.handle());
        admin.set_nonblocking(true)?;
        tokio::net::UnixListener::from_std(admin).context("cannot serve the admin socket")?
    };
    local.spawn_local(admin::serve_unix(unix, shared.clone()));
    local.block_on(control, async {
        for address in listen {
            admin::spawn_tcp(address, &allow, &shared).await;
        }
        if let Err(error) = ready.send(&Word::Ready) {
            tracing::warn!(%error, "cannot tell the supervisor that all is ready");
        }
        wiring::run(shared.clone(), inbox).await;
    });
    shared.borrow_mut().note(Severity::Info, EventKind::Process, Some("proxy".to_owned()), "ending".to_owned());
    Ok(())
}

/// Ends the relays, which by now belong to another node, and the loop.
fn finish(handle: &fmc_lb::Handle, relay: JoinHandle<()>) -> Result<ExitCode> {
    handle.shut_down(EndedBy::VipMoved);
    let deadline = Instant::now() + RELAYS_MAY_END;
    while !relay.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(ExitCode::SUCCESS)
}
