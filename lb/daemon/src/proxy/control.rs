//! The control thread: a tokio loop of its own with the checker, the wiring and the admin API.

use std::cell::RefCell;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_config::model::Config;
use fmc_config::model::node::Node;
use fmc_health::{Agents, Checker, OBSERVATION_DEPTH};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::appliance::{Appliance, Shared, VipState};
use super::control_pulse::ControlPulse;
use super::link::{KeeperLink, News};
use super::loop_pulse::LoopPulse;
use super::relay::Relay;
use super::saver::Saver;
use crate::admin::status_address::{self, StatusAddresses};
use crate::event_log::EventLog;
use crate::failover_history::FailoverHistory;
use crate::history::History;
use crate::lifeline::Lifeline;
use crate::log::Unwritten;
use crate::memory_budget::MemoryBudget;
use crate::message::Word;
use crate::pair::channel::{self, Channel};
use crate::resolution::Resolution;
use crate::resolver::{ANSWERS_WAITING, Resolver};
use crate::state_dir::{Recovered, StateDir};
use crate::wiring::alarms::Alarms;
use crate::wiring::observing::Observing;
use crate::wiring::{self, FailedClient, Inbox, operator, reload};
use crate::{admin, exit};

/// What the thread starts with.
pub(crate) struct Control {
    pub(crate) config: Config,
    pub(crate) file: PathBuf,
    /// Take no part.
    pub(crate) observe: bool,
    /// The file is wrong, and the text is that of the last configuration that was in force.
    pub(crate) by_last_good: bool,
    /// The text was applied on another node, and the file says otherwise.
    pub(crate) ahead_of_file: bool,
    /// What the configuration was parsed from.
    pub(crate) text: String,
    pub(crate) config_hash: u64,
    pub(crate) node: Node,
    pub(crate) state_dir: StateDir,
    /// What operators had asked before this start.
    pub(crate) recovered: Recovered,
    pub(crate) data_plane: fmc_lb::Handle,
    pub(crate) keeper: KeeperLink,
    pub(crate) recorder: PrometheusHandle,
    pub(crate) log_lines: Unwritten,
    pub(crate) news: mpsc::Receiver<News>,
    pub(crate) failed_dials: mpsc::Receiver<FailedClient>,
    pub(crate) admin: UnixListener,
    pub(crate) relay_loop: Arc<LoopPulse>,
    pub(crate) pulse: Arc<ControlPulse>,
    /// Hears that all is ready, and later what was put in force.
    pub(crate) supervisor: Lifeline,
}

impl Control {
    /// Starts the thread. However it ends, `ended` learns the exit code of the process.
    pub(crate) fn start(self, relay: Relay, ended: SyncSender<u8>) -> Result<()> {
        let runtime =
            Builder::new_current_thread().enable_all().build().context("no runtime for the control thread")?;
        let run = move || {
            let data_plane = self.data_plane.clone();
            let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.serve(&runtime)));
            let code = match served {
                Ok(Ok(())) => {
                    relay.finish(&data_plane);
                    exit::DONE
                }
                Ok(Err(error)) => {
                    tracing::error!("{error:#}");
                    exit::FAILED
                }
                Err(_) => exit::FAILED,
            };
            let _ = ended.try_send(code);
        };
        std::thread::Builder::new().name("control".to_owned()).spawn(run).context("no control thread")?;
        Ok(())
    }

    /// Serves the admin API and runs the wiring until told to end.
    fn serve(self, runtime: &Runtime) -> Result<()> {
        let (observations, observations_inbox) = mpsc::channel(OBSERVATION_DEPTH);
        let checker = Checker::start(&self.config.backends, observations, runtime.handle());
        let (agents, agents_inbox) = mpsc::channel(OBSERVATION_DEPTH);
        let agents = Agents::start(&self.config.backends, agents, runtime.handle());
        let (answers, answers_inbox) = mpsc::channel(ANSWERS_WAITING);
        let resolver = Resolver::new(answers, runtime.handle());
        let inbox = Inbox {
            news: self.news,
            observations: observations_inbox,
            agents: agents_inbox,
            failed_dials: self.failed_dials,
            answers: answers_inbox,
        };
        let now = Moment::from(SystemTime::now());
        let shared: Shared = Rc::new(RefCell::new(Appliance {
            resolution: Resolution::new(&self.config, Instant::now()),
            resolver,
            vips: self.config.vips.iter().map(|vip| VipState::new(vip.clone(), now)).collect(),
            config: self.config,
            file: self.file,
            observing: self.observe.then(|| Observing::start(&self.state_dir, now, runtime.handle())),
            by_last_good: self.by_last_good,
            config_hash: self.config_hash,
            configured_at: now,
            text: self.text.into(),
            trial: None,
            confirmed: None,
            ahead_of_file: self.ahead_of_file,
            events: EventLog::new(self.node.name.clone(), SystemTime::now()),
            node: self.node,
            administrative: self.recovered.layer,
            saver: Saver::start(self.state_dir.clone(), StateDir::save, runtime.handle()),
            failovers: FailoverHistory::recover(self.state_dir.failovers().as_deref()),
            last_good_saver: Saver::start(self.state_dir.clone(), StateDir::save_good, runtime.handle()),
            applied_saver: Saver::start(self.state_dir.clone(), StateDir::save_applied, runtime.handle()),
            failover_saver: Saver::start(self.state_dir.clone(), StateDir::save_failovers, runtime.handle()),
            state_dir: self.state_dir,
            data_plane: self.data_plane,
            checker,
            agents,
            said: std::collections::BTreeMap::new(),
            keeper: self.keeper,
            channel: Channel::default(),
            supervisor: self.supervisor,
            preparing: None,
            leaving: Vec::new(),
            status: StatusAddresses::default(),
            snapshot: None,
            processes: None,
            alarms: Alarms::default(),
            recorder: self.recorder,
            ledger: RefCell::default(),
            history: History::default(),
            streams: Rc::default(),
            began: Instant::now(),
            log_lines: self.log_lines,
            relay_loop: self.relay_loop,
            scarce: None,
            memory: MemoryBudget::new(),
            rebalancing: Vec::new(),
            in_force_since: Instant::now(),
        }));
        if let Some(refused) = self.recovered.refused {
            shared.borrow_mut().note(Severity::Error, EventKind::Command, None, refused);
        }
        reload::keep(&shared.borrow());
        operator::resume(&mut shared.borrow_mut());
        self.admin.set_nonblocking(true)?;
        LocalSet::new().block_on(runtime, async {
            let unix = tokio::net::UnixListener::from_std(self.admin).context("cannot serve the admin socket")?;
            tokio::task::spawn_local(admin::serve_unix(unix, shared.clone()));
            status_address::serve(Default::default(), &shared);
            channel::renew(None, &shared);
            if let Err(error) = shared.borrow().supervisor.send(&Word::Ready) {
                tracing::warn!(%error, "cannot tell the supervisor that all is ready");
            }
            wiring::run(shared.clone(), inbox, &self.pulse).await;
            shared.borrow_mut().note(Severity::Info, EventKind::Process, Some("proxy".to_owned()), "ending".to_owned());
            Ok(())
        })
    }
}
