//! Where the keeper's letters arrive and leave: the supervisor's lifeline and the proxy's partner channel, as the election's [`Control`].

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context, Result};
use fmc_config::model::family::Family;
use fmc_config::model::name::VipName;
use fmc_vrrp::boot_instant::BootInstant;
use fmc_vrrp::clock;
use fmc_vrrp::driver::{self, Change, Command, Control, KeeperSettings, Report};
use fmc_vrrp::router::role::Role;
use rustix::event::Timespec;
use rustix::event::epoll;
use tracing::{debug, warn};

use super::roles::backups;
use crate::channel::{Channel, Received, SendError};
use crate::lifeline::Lifeline;
use crate::message::{FROZEN_AFTER, HEARTBEAT, LATE_TURN, Order, ROLES_AGAIN, ToKeeper, ToProxy, VipRole, Word};

/// The election's correspondence.
#[derive(Debug)]
pub(crate) struct Desk {
    lifeline: Lifeline,
    partner: Option<Channel<ToProxy, ToKeeper>>,
    /// Readable when either is: the one descriptor the election polls.
    ready: OwnedFd,
    settings: Option<KeeperSettings>,
    /// Settings that wait for the present election to end.
    next_settings: Option<KeeperSettings>,
    commands: VecDeque<Command>,
    proxy: ProxyLife,
    last_turn: BootInstant,
    next_alive: BootInstant,
    next_roles: BootInstant,
    roles: Vec<VipRole>,
    ended: bool,
    /// Where the addresses of a keeper are recorded.
    leases: PathBuf,
    /// Reports that found the proxy's queue full.
    lost_reports: u64,
}

/// What is known of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProxyLife {
    /// Dead or frozen: the election has been told.
    Lost,
    Alive {
        last_word: BootInstant,
    },
}

impl Desk {
    /// Speaks to the supervisor from the start, to the proxy once introduced.
    pub(crate) fn new(lifeline: Lifeline, leases: PathBuf) -> Result<Self> {
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC).context("no epoll")?;
        watch(&ready, &lifeline).context("cannot watch the lifeline")?;
        let now = clock::now();
        Ok(Self {
            lifeline,
            partner: None,
            ready,
            settings: None,
            next_settings: None,
            commands: VecDeque::new(),
            proxy: ProxyLife::Lost,
            last_turn: now,
            next_alive: now,
            next_roles: now,
            roles: Vec::new(),
            ended: false,
            leases,
            lost_reports: 0,
        })
    }

    /// Waits until the proxy has said what to elect. `None`: told to end.
    pub(crate) fn await_settings(&mut self) -> Option<KeeperSettings> {
        loop {
            self.read(clock::now());
            if self.ended {
                return None;
            }
            if let Some(settings) = self.next_settings.take() {
                self.settings = Some(settings.clone());
                return Some(settings);
            }
            // Without an election there is nothing to command.
            self.commands.clear();
            self.say_alive(clock::now());
            self.wait();
        }
    }

    /// The election stands: the supervisor may tell systemd.
    pub(crate) fn begin(&mut self) {
        self.roles = self.settings.as_ref().map(backups).unwrap_or_default();
        self.tell_supervisor(&Word::Roles(self.roles.clone()));
        self.tell_supervisor(&Word::Ready);
    }

    /// Keeps the supervisor's picture true: it speaks for a keeper that cannot.
    fn note_role(&mut self, vip: &VipName, role: Role) {
        if let Some(known) = self.roles.iter_mut().find(|known| known.vip == *vip) {
            known.role = role;
            self.tell_supervisor(&Word::Roles(self.roles.clone()));
        }
    }

    fn wait(&self) {
        let heartbeat = Timespec { tv_sec: 0, tv_nsec: HEARTBEAT.subsec_nanos().into() };
        let mut events = [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }];
        let _ = epoll::wait(&self.ready, &mut events, Some(&heartbeat));
    }

    fn read(&mut self, now: BootInstant) {
        self.forgive_own_lateness(now);
        self.read_lifeline();
        self.read_partner(now);
        self.judge_proxy(now);
    }

    fn forgive_own_lateness(&mut self, now: BootInstant) {
        let turn = now.saturating_duration_since(self.last_turn);
        self.last_turn = now;
        if let ProxyLife::Alive { last_word } = &mut self.proxy
            && turn > LATE_TURN
        {
            *last_word = *last_word + turn;
        }
    }

    fn read_lifeline(&mut self) {
        loop {
            match self.lifeline.receive() {
                Received::Message(Order::Partner, Some(socket)) => self.meet(socket),
                Received::Message(Order::End, _) | Received::Closed => return self.end(),
                Received::Message(order, _) => debug!(?order, "not for the keeper"),
                Received::Empty => return,
            }
        }
    }

    fn meet(&mut self, socket: OwnedFd) {
        // Its hang-up may still be unread: a new proxy has not bound what the old one had.
        self.lose_proxy("the proxy was replaced");
        self.part();
        if let Err(errno) = watch(&self.ready, &socket) {
            return warn!(%errno, "cannot watch the proxy's channel");
        }
        self.partner = Some(Channel::over(socket));
    }

    fn part(&mut self) {
        if let Some(partner) = self.partner.take() {
            let _ = epoll::delete(&self.ready, &partner);
        }
    }

    fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            let _ = epoll::delete(&self.ready, &self.lifeline);
            self.commands.push_back(Command::Shutdown { linger: true });
        }
    }

    fn read_partner(&mut self, now: BootInstant) {
        while let Some(partner) = &self.partner {
            match partner.receive() {
                Received::Message(message, _) => self.hear(message, now),
                Received::Empty => return,
                Received::Closed => {
                    self.part();
                    self.lose_proxy("the proxy is dead");
                }
            }
        }
    }

    fn hear(&mut self, message: ToKeeper, now: BootInstant) {
        match message {
            ToKeeper::Configure(settings) => self.configure(*settings),
            ToKeeper::Prepare(settings) => self.prepare(*settings),
            ToKeeper::Alive { loop_age } if loop_age > FROZEN_AFTER => {
                self.lose_proxy("a relay loop of the proxy is frozen")
            }
            ToKeeper::Alive { .. } => self.proxy = ProxyLife::Alive { last_word: now },
            ToKeeper::Command(command) if self.proxy != ProxyLife::Lost => self.commands.push_back(command),
            ToKeeper::Command(_) => {}
        }
    }

    fn configure(&mut self, settings: KeeperSettings) {
        match (self.change_to(&settings), &self.next_settings) {
            (Change::Nothing, _) => return,
            (Change::InPlace, None) => return self.retune(settings),
            (Change::InPlace, Some(_)) => {}
            (Change::Anew, _) if self.settings.is_some() => {
                self.commands.push_back(Command::Shutdown { linger: true });
            }
            (Change::Anew, _) => {}
        }
        self.next_settings = Some(settings);
    }

    /// From the settings that an election works by, or will work by next.
    fn change_to(&self, settings: &KeeperSettings) -> Change {
        let present = self.next_settings.as_ref().or(self.settings.as_ref());
        present.map_or(Change::Anew, |present| present.change_to(settings))
    }

    fn retune(&mut self, settings: KeeperSettings) {
        self.know_roles_of(&settings);
        self.tell_supervisor(&Word::Roles(self.roles.clone()));
        self.settings = Some(settings.clone());
        self.commands.push_back(Command::Retune(Box::new(settings)));
    }

    /// Those that are known keep their roles; those that leave are known until they have left.
    fn know_roles_of(&mut self, settings: &KeeperSettings) {
        let before = std::mem::replace(&mut self.roles, backups(settings));
        for known in before {
            let (interval, version) = (settings.interval, settings.version);
            let destinations = settings.destinations(Family::of(known.address)).collect();
            let auth_hmac = settings.auth_hmac.clone();
            let is_it = |role: &&mut VipRole| {
                (role.address, role.virtual_router_id) == (known.address, known.virtual_router_id)
            };
            match self.roles.iter_mut().find(is_it) {
                Some(role) => role.role = known.role,
                None if known.role.holds_address() => {
                    self.roles.push(VipRole { interval, version, destinations, auth_hmac, ..known })
                }
                None => {}
            }
        }
    }

    /// Answers what the settings mean. An election that would begin anew, or has other addresses, asks the kernel first whether it could, on a thread of
    /// its own: the kernel may take its time, and this one advertises.
    fn prepare(&self, settings: KeeperSettings) {
        let change = self.change_to(&settings);
        let Some(answers) = self.partner.as_ref().and_then(|partner| partner.as_fd().try_clone_to_owned().ok()) else {
            return;
        };
        let (answers, leases) = (Channel::<ToProxy, ToKeeper>::over(answers), self.leases.clone());
        let hash = settings.config_hash;
        let has_other_vips = self.settings.as_ref().is_none_or(|present| present.has_other_vips(&settings));
        let answer = move || {
            let found = match change {
                Change::Nothing => Ok(()),
                Change::InPlace if !has_other_vips => Ok(()),
                Change::InPlace | Change::Anew => {
                    driver::check(&settings, &leases).map_err(|refusal| refusal.to_string())
                }
            };
            // A proxy that does not read gives up waiting.
            let _ = answers.send(&ToProxy::Prepared(hash, found.map(|()| change)));
        };
        if let Err(error) = std::thread::Builder::new().name("prepare".to_owned()).spawn(answer) {
            warn!(%error, "no thread to look at new settings");
        }
    }

    fn judge_proxy(&mut self, now: BootInstant) {
        if let ProxyLife::Alive { last_word } = self.proxy
            && now.saturating_duration_since(last_word) > FROZEN_AFTER
        {
            self.lose_proxy("the proxy is frozen");
        }
    }

    fn lose_proxy(&mut self, why: &str) {
        if self.proxy != ProxyLife::Lost {
            warn!("{why}: giving every VIP away");
            self.proxy = ProxyLife::Lost;
            self.commands.push_back(Command::ProxyLost);
        }
    }

    fn say_alive(&mut self, now: BootInstant) {
        if now >= self.next_alive {
            self.next_alive = now + HEARTBEAT;
            self.tell_supervisor(&Word::Alive);
        }
        if now >= self.next_roles {
            self.next_roles = now + ROLES_AGAIN;
            self.tell_supervisor(&Word::Roles(self.roles.clone()));
        }
    }

    fn tell_supervisor(&self, word: &Word) {
        if let Err(error @ (SendError::Encode(_) | SendError::Kernel(_))) = self.lifeline.send(word) {
            warn!(%error, "a word to the supervisor was lost");
        }
    }
}

fn watch(ready: &OwnedFd, source: impl AsFd) -> rustix::io::Result<()> {
    epoll::add(ready, source, epoll::EventData::new_u64(0), epoll::EventFlags::IN)
}

impl Control for Desk {
    fn fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    fn receive(&mut self, now: BootInstant) -> Option<Command> {
        if self.commands.is_empty() {
            self.read(now);
        }
        self.commands.pop_front()
    }

    fn publish(&mut self, report: Report) {
        match &report {
            Report::RoleChanged { vip, change } => self.note_role(vip, change.to),
            // The proxy logs reports; without one they are logged here.
            Report::Log { text, .. } if self.partner.is_none() => warn!("{text}"),
            _ => {}
        }
        if let Some(partner) = &self.partner
            && let Err(SendError::Full) = partner.send(&ToProxy::Report(report))
        {
            self.lost_reports += 1;
        }
    }

    fn tick(&mut self, now: BootInstant) -> BootInstant {
        self.say_alive(now);
        self.next_alive
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::channel;

    /// A desk with a supervisor and a living proxy.
    struct Office {
        desk: Desk,
        supervisor: Channel<Order, Word>,
        proxy: Option<Channel<ToKeeper, ToProxy>>,
        now: BootInstant,
    }

    impl Office {
        fn open() -> Self {
            let (lifeline, supervisor) = channel::pair().expect("a socketpair");
            let (keepers, proxys) = channel::pair().expect("a socketpair");
            let supervisor: Channel<Order, Word> = Channel::over(supervisor);
            supervisor.send_with(&Order::Partner, keepers.as_fd()).expect("sent");
            let desk = Desk::new(Channel::over(lifeline), PathBuf::new()).expect("a desk");
            let mut office = Self { desk, supervisor, proxy: Some(Channel::over(proxys)), now: clock::now() };
            office.proxy_says_alive(Duration::ZERO);
            assert_eq!(office.turn_after(1), None);
            office
        }

        fn proxy_says_alive(&self, loop_age: Duration) {
            let proxy = self.proxy.as_ref().expect("a proxy");
            proxy.send(&ToKeeper::Alive { loop_age }).expect("sent");
        }

        fn turn_after(&mut self, milliseconds: u64) -> Option<Command> {
            self.now = self.now + Duration::from_millis(milliseconds);
            self.desk.receive(self.now)
        }
    }

    #[test]
    fn a_silent_proxy_is_lost_after_its_patience_and_only_once() {
        let mut office = Office::open();
        let turns: Vec<_> = (0..10).filter_map(|turn| office.turn_after(20).map(|command| (turn, command))).collect();
        assert_eq!(turns, [(7, Command::ProxyLost)], "151 ms of silence are over at the eighth turn of 20 ms");
    }

    #[test]
    fn our_own_stall_is_not_held_against_the_proxy() {
        let mut office = Office::open();
        assert_eq!(office.turn_after(3_000), None);
        assert_eq!(office.turn_after(20), None, "what it said meanwhile may not be read yet");
    }

    #[test]
    fn a_dead_proxy_is_lost_at_once() {
        let mut office = Office::open();
        office.proxy = None;
        assert_eq!(office.turn_after(1), Some(Command::ProxyLost));
    }

    #[test]
    fn a_proxy_whose_relay_loop_hangs_is_lost_though_it_speaks() {
        let mut office = Office::open();
        office.proxy_says_alive(FROZEN_AFTER + Duration::from_millis(1));
        assert_eq!(office.turn_after(1), Some(Command::ProxyLost));
    }

    #[test]
    fn a_lost_proxy_is_not_obeyed_until_it_lives_again() {
        let mut office = Office::open();
        office.proxy_says_alive(Duration::from_secs(1));
        assert_eq!(office.turn_after(1), Some(Command::ProxyLost));
        let status =
            |office: &Office| office.proxy.as_ref().expect("a proxy").send(&ToKeeper::Command(Command::Status));
        status(&office).expect("sent");
        assert_eq!(office.turn_after(1), None);
        office.proxy_says_alive(Duration::ZERO);
        status(&office).expect("sent");
        assert_eq!(office.turn_after(1), Some(Command::Status));
    }

    #[test]
    fn the_end_is_a_shutdown_that_lingers_whether_told_or_orphaned() {
        let linger = Some(Command::Shutdown { linger: true });
        let mut told = Office::open();
        told.supervisor.send(&Order::End).expect("sent");
        assert_eq!(told.turn_after(1), linger);
        let mut orphaned = Office::open();
        orphaned.supervisor = Channel::over(channel::pair().expect("a socketpair").0);
        assert_eq!(orphaned.turn_after(1), linger);
    }
}
