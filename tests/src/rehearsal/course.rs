//! What is rehearsed, in this order: the cluster's bootstrap, who may reach what from everywhere, deaths, and the bootstrap the other way round.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fmc_provision::inventory::Role;
use fmc_provision::lab::{Machine, Vip};

use super::balancer::agents;
use super::stand_in::ANYWHERE;
use super::{GUEST, OUTSIDE, Rehearsal};
use crate::exchange::{Target, fetch};

/// How long something may take that takes well under a second on an idle machine.
const SOON: Duration = Duration::from_secs(12);

/// One step and what became of it.
#[derive(Debug)]
pub struct Step {
    /// As a sentence that holds, if it does.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// What was seen, or what is wrong.
    pub outcome: Result<String, String>,
}

/// Every step.
#[derive(Debug, Default)]
pub struct Report {
    /// In their order.
    pub steps: Vec<Step>,
}

impl Report {
    /// The steps that do not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.outcome.is_err())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, said) = match &self.outcome {
            Ok(said) => ("ok", said),
            Err(said) => ("NOT SO", said),
        };
        write!(f, "{word:<6} {:>5.1} s  {}", self.took.as_secs_f64(), self.name)?;
        said.lines().try_for_each(|line| write!(f, "\n                {line}"))
    }
}

type Outcome = Result<String, String>;
type Act = fn(&mut Rehearsal) -> Outcome;

impl Rehearsal {
    /// Runs every step; `told` hears of each as it ends. A step that cannot go on is one that does not hold, and the others are tried.
    pub fn run(&mut self, mut told: impl FnMut(&Step)) -> Report {
        let mut report = Report::default();
        let steps: [(&str, Act); 14] = [
            ("names, time, database, NFS and the tunnel start with what is rendered", Self::services),
            ("masters one by one at the first one's own address, no balancer yet", Self::masters_first),
            ("balancers after them: one owner of each virtual address, the preferred one", Self::balancers_after),
            ("agents join at the virtual address, and it serves by the kubeconfig", Self::agents_join),
            ("who may reach what, names, time, owners, routes, exports: from everywhere", Self::everywhere),
            ("every machine reaches the Internet", Self::internet),
            ("the owner loses power: the other one serves", Self::owner_dies),
            ("all of it again, seen by a guest and from outside, with one balancer", Self::with_one_balancer),
            ("it comes back and takes nothing from who serves, until it is told to", Self::owner_returns),
            ("a worker and a master die: the others serve", Self::servers_die),
            ("the packet filter is loaded again while clients are served", Self::filter_reloaded),
            (
                "balancers first, with no server at all: they hold their addresses and are content",
                Self::balancers_first,
            ),
            ("then masters, even by the virtual address that is held, and agents", Self::masters_after),
            ("faults are found: no packet filter, a second owner, a name server that is gone", Self::faults),
        ];
        for (name, step) in steps {
            let begin = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| step(self)));
            let outcome = outcome.unwrap_or_else(|panic| Err(words(panic.as_ref())));
            let step = Step { name: name.to_owned(), took: begin.elapsed(), outcome };
            told(&step);
            report.steps.push(step);
        }
        report
    }

    fn services(&mut self) -> Outcome {
        self.start_other_stand_ins();
        let ends = self.start_tunnel();
        self.start_services();
        Ok(format!("{} hosts, {ends} ends of the tunnel", self.hosts.len()))
    }

    fn masters_first(&mut self) -> Outcome {
        let servers: Vec<Machine> = self.described.servers().into_iter().cloned().collect();
        let mut joined = Vec::new();
        for server in servers {
            let place = server.name.to_string();
            if let Some(url) = self.node(&server).server {
                self.reaches_api(&place, &url)?;
                joined.push(format!("{place} joins {url}"));
            } else {
                joined.push(format!("{place} begins"));
            }
            self.start_stand_ins(&place);
            self.wait_for_api(&place, server.address())?;
        }
        Ok(joined.join(", "))
    }

    fn balancers_after(&mut self) -> Outcome {
        self.start_balancers_in_turn()
    }

    /// Of two that start at once, whichever the machine gives less time comes second, and nobody owes it an address.
    fn start_balancers_in_turn(&mut self) -> Outcome {
        let balancers = self.balancers();
        let first = balancers.first().ok_or("the lab has no balancer")?;
        self.start_balancer(first);
        self.wait_for_owner(first)?;
        balancers[1..].iter().for_each(|name| self.start_balancer(name));
        let answers =
            || self.quiet_balancer(&balancers).map_or(Ok(String::new()), |name| Err(format!("{name} does not answer")));
        within(SOON, answers)?;
        self.wait_for_owner(first)
    }

    /// A balancer that does not answer its tool.
    fn quiet_balancer<'a>(&self, balancers: &'a [String]) -> Option<&'a String> {
        balancers.iter().find(|name| !self.ctl(name, &["status"]).status.success())
    }

    fn agents_join(&mut self) -> Outcome {
        for agent in agents(&self.described.machines) {
            let url = self.node(&agent).server.ok_or("an agent joins nobody")?;
            self.reaches_api(agent.name.as_str(), &url)?;
            self.start_stand_ins(agent.name.as_str());
        }
        self.wait_until_the_web_is_served(GUEST)?;
        let vip = self.api().ok_or("the lab has no API")?;
        self.reaches_api(GUEST, &format!("https://{}:6443", vip.address))
    }

    /// What is not so is asked once more, a place at a time: whatever is rehearsed shares its processors with whoever asks.
    fn everywhere(&mut self) -> Outcome {
        let (mut said, mut wrong) = (Vec::new(), 0);
        for (place, mut it) in self.verify_everywhere() {
            if it.not_so > 0 {
                it = self.verify_from(&place);
            }
            said.push(format!("{}: {} so, {} not so, {} not judged", it.from, it.so, it.not_so, it.not_judged));
            said.extend(it.rows.iter().map(|row| format!("  {row}")));
            wrong += it.not_so;
        }
        if wrong > 0 { Err(said.join("\n")) } else { Ok(said.join("\n")) }
    }

    fn internet(&mut self) -> Outcome {
        let somebody = self.address_outside();
        let blocked = self.described.machines.iter().filter(|machine| {
            let place = machine.name.as_str();
            !self.host(place).run(|| std::net::TcpStream::connect_timeout(&somebody, Duration::from_secs(3)).is_ok())
        });
        let blocked: Vec<_> = blocked.map(|machine| machine.name.to_string()).collect();
        let all = format!("{} machines", self.described.machines.len());
        if blocked.is_empty() { Ok(all) } else { Err(format!("not from {}", blocked.join(", "))) }
    }

    fn owner_dies(&mut self) -> Outcome {
        let balancers = self.balancers();
        let [first, others @ ..] = &balancers[..] else { return Err("the lab has no balancer".to_owned()) };
        let begin = Instant::now();
        self.crash_balancer(first);
        self.wait_until_the_web_is_served(GUEST)?;
        let served = begin.elapsed();
        let owners = self.wait_for_owners(others)?;
        Ok(format!("{first} died, a guest was served {} ms later, by {}", served.as_millis(), owners.join(" and ")))
    }

    fn with_one_balancer(&mut self) -> Outcome {
        let seen: Vec<_> = self.verify_from_each(&[GUEST, OUTSIDE]).into_iter().map(|(_, seen)| seen).collect();
        let dead = self.balancers().first().cloned().unwrap_or_default();
        let address = self.described.machines.iter().find(|it| it.name.as_str() == dead).map(Machine::address);
        // Its own ports died with it.
        let others = seen.iter().flat_map(|it| &it.rows).map(ToString::to_string);
        let others: Vec<_> =
            others.filter(|row| address.is_none_or(|it| !row.contains(&format!("-> {it}:")))).collect();
        if others.is_empty() { Ok(String::new()) } else { Err(others.join("\n")) }
    }

    fn owner_returns(&mut self) -> Outcome {
        let balancers = self.balancers();
        let [first, others @ ..] = &balancers[..] else { return Err("the lab has no balancer".to_owned()) };
        self.start_balancer(first);
        let answers =
            || self.quiet_balancer(&balancers).map_or(Ok(String::new()), |name| Err(format!("{name} does not answer")));
        within(SOON, answers)?;
        std::thread::sleep(Duration::from_secs(1));
        let kept = self.wait_for_owners(others)?;
        within(SOON, || {
            for owner in &self.wait_for_owners(&balancers)? {
                let moved = self.ctl(owner, &["failover", "--to", first, "--yes"]);
                if owner != first && !moved.status.success() {
                    return Err(String::from_utf8_lossy(&moved.stderr).into_owned());
                }
            }
            self.wait_for_owner(first)
        })?;
        Ok(format!("{} kept them, then gave them to {first}", kept.join(" and ")))
    }

    fn servers_die(&mut self) -> Outcome {
        let worker = self.described.with_role(Role::Ingress).next().map(|it| it.name.to_string());
        let master = self.described.servers().first().map(|it| it.name.to_string());
        let dead: Vec<String> = worker.into_iter().chain(master).collect();
        dead.iter().for_each(|name| self.stop_stand_ins(name));
        let served = self.wait_until_the_web_is_served(GUEST).and_then(|_| {
            let vip = self.api().ok_or("the lab has no API")?;
            self.reaches_api(GUEST, &format!("https://{}:6443", vip.address))
        });
        dead.iter().for_each(|name| self.start_stand_ins(name));
        served.map(|_| format!("without {}", dead.join(" and ")))
    }

    fn filter_reloaded(&mut self) -> Outcome {
        let file = self.rendered("host/root/etc/fmc-lab/fmc-lab.nft");
        for _ in 0..5 {
            self.host(super::HYPERVISOR).expect("nft", &["-f", &file.to_string_lossy()]);
            let vip = self.api().ok_or("the lab has no API")?;
            self.ask_api(GUEST, SocketAddr::from((vip.address, 6443)))?;
        }
        Ok(String::new())
    }

    fn balancers_first(&mut self) -> Outcome {
        let nodes: Vec<String> =
            self.described.machines.iter().filter(|it| it.is_node()).map(|it| it.name.to_string()).collect();
        nodes.iter().for_each(|name| self.stop_stand_ins(name));
        let balancers = self.balancers();
        balancers.iter().for_each(|name| self.stop_balancer(name));
        self.start_balancers_in_turn()?;
        // Long enough for every check to have failed.
        std::thread::sleep(Duration::from_secs(3));
        let owners = self.wait_for_owners(&balancers)?;
        match self.quiet_balancer(&balancers) {
            Some(name) => Err(format!("{name} does not answer its tool")),
            None => Ok(format!("{} holds them and waits", owners.join(" and "))),
        }
    }

    fn masters_after(&mut self) -> Outcome {
        let servers: Vec<Machine> = self.described.servers().into_iter().cloned().collect();
        let vip = self.api().ok_or("the lab has no API")?.address;
        for (at, server) in servers.iter().enumerate() {
            let place = server.name.as_str();
            if at > 0 {
                self.reaches_api(place, &format!("https://{vip}:6443"))?;
            }
            self.start_stand_ins(place);
            self.wait_for_api(place, server.address())?;
        }
        for agent in agents(&self.described.machines) {
            self.start_stand_ins(agent.name.as_str());
        }
        self.wait_until_the_web_is_served(GUEST)?;
        self.reaches_api(GUEST, &format!("https://{vip}:6443"))
    }

    /// What `verify` would not find it would not be worth running.
    fn faults(&mut self) -> Outcome {
        let vip = self.api().ok_or("the lab has no API")?.address;
        self.host(super::HYPERVISOR).expect("nft", &["delete", "table", "inet", "fmc_lab"]);
        self.host(super::ADMINISTRATOR).expect("ip", &["address", "add", &format!("{vip}/32"), "dev", "eth0"]);
        let dns =
            self.described.with_role(Role::Dns).next().map(|it| it.name.to_string()).ok_or("the lab has no names")?;
        self.stop(&format!("{dns}: {:?}", Role::Dns));
        let owner = self.balancers().last().cloned().unwrap_or_default();
        let seen = self.verify_from_each(&[GUEST, &owner]);
        let rows: Vec<String> = seen.iter().flat_map(|(_, it)| &it.rows).map(ToString::to_string).collect();
        let wanted = ["expected shut, found open", "owner api", "name "];
        let lan = super::wire::lan(&self.described).prefix;
        let missing = wanted.iter().filter(|it| **it != "owner api" || lan.contains(&vip));
        let missing: Vec<_> = missing.filter(|wanted| !rows.iter().any(|row| row.contains(**wanted))).collect();
        let said = format!("{} things that are not so", rows.len());
        if missing.is_empty() { Ok(said) } else { Err(format!("nothing is said of {missing:?}\n{}", rows.join("\n"))) }
    }

    fn api(&self) -> Option<Vip> {
        self.described.k3s.as_ref().and_then(|k3s| self.described.vip(&k3s.api)).cloned()
    }

    fn address_outside(&self) -> SocketAddr {
        let own = self.host(OUTSIDE).expect("ip", &["-4", "-o", "address", "show", "dev", "eth0"]);
        let address = own.split_whitespace().nth(3).and_then(|prefix| prefix.split('/').next()).unwrap_or_default();
        format!("{address}:{ANYWHERE}").parse().unwrap_or_else(|error| panic!("{own}: {error}"))
    }

    /// Asks the API as its clients do, trusting the cluster's CA alone, until it answers.
    fn reaches_api(&self, place: &str, url: &str) -> Outcome {
        let at = url.trim_start_matches("https://").parse().map_err(|error| format!("{url}: {error}"))?;
        within(SOON, || self.ask_api(place, at)).map(|server| format!("{url} answers {place} by {server}"))
    }

    fn ask_api(&self, place: &str, at: SocketAddr) -> Outcome {
        let target = Target::https(&at.to_string(), &self.authority).within(Duration::from_secs(2));
        fetch(self.host(place), &target).outcome.map_err(|error| format!("{at} from {place}: {error}"))
    }

    fn wait_for_api(&self, place: &str, address: Ipv4Addr) -> Outcome {
        within(SOON, || self.ask_api(place, SocketAddr::from((address, 6443))))
    }

    fn wait_until_the_web_is_served(&self, place: &str) -> Outcome {
        let exposed = self.described.vips.iter().find(|vip| vip.services.iter().any(|it| it.to == Role::Ingress));
        let vip = exposed.ok_or("no virtual address leads to the ingress")?;
        let target = Target::http(&format!("{}:80", vip.address)).within(Duration::from_secs(1));
        within(SOON, || fetch(self.host(place), &target).outcome.map_err(|error| format!("{target}: {error}")))
    }

    /// Waits until `name` alone holds every virtual address.
    fn wait_for_owner(&self, name: &str) -> Outcome {
        self.wait_for_owners(&[name.to_owned()])?;
        Ok(format!("{name} holds {} addresses", self.described.vips.len()))
    }

    /// Waits until each virtual address has one owner and that is one of `names`; returns whoever owns any.
    fn wait_for_owners(&self, names: &[String]) -> Result<Vec<String>, String> {
        let mut owners = Vec::new();
        within(SOON, || {
            owners.clear();
            for vip in &self.described.vips {
                match &self.holders(vip.address)[..] {
                    [owner] if names.contains(owner) => owners.push(owner.clone()),
                    others => return Err(format!("{} is held by {others:?}, not by one of {names:?}", vip.address)),
                }
            }
            Ok(String::new())
        })?;
        owners.sort();
        owners.dedup();
        Ok(owners)
    }
}

/// The last refusal, when it did not become true in time.
fn within(limit: Duration, mut attempt: impl FnMut() -> Outcome) -> Outcome {
    let begin = Instant::now();
    loop {
        match attempt() {
            Err(_) if begin.elapsed() < limit => std::thread::sleep(Duration::from_millis(20)),
            outcome => return outcome,
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned())).unwrap_or_else(|| "it panicked".to_owned())
}
