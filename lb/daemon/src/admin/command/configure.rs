//! `plan`, `apply` and `reload`: a configuration is prepared by every part, and then put in force whole, or not at all.

use std::net::IpAddr;
use std::time::Duration;

use fmc_api::configure::{ConfigChange, Configure, ConfigureAnswer, ElectionChange};
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_api::{Refusal, RefusalKind};
use fmc_config::difference::{self, Difference};
use fmc_config::model::Config;
use fmc_config::model::backend::{Backend, Server};
use fmc_config::model::name::{FrontendName, VipName};
use fmc_config::model::node::Node;
use fmc_lb::Session;
use fmc_vrrp::driver::{Change, KeeperSettings};
use tokio::sync::oneshot;

use crate::admin::read;
use crate::administrative::Order;
use crate::message::ToKeeper;
use crate::proxy::appliance::{Appliance, Shared};
use crate::wiring::reload::{self, Doors, Next};
use crate::wiring::trial;
use crate::{node, proxy};

/// A keeper that has not looked at its settings by then does not live.
const KEEPER_LOOKS_WITHIN: Duration = Duration::from_secs(3);

/// Prepares, says what would change, and unless it is a dry run changes it.
pub(crate) async fn configure(wanted: Configure, order: &Order, shared: &Shared) -> Result<ConfigureAnswer, Refusal> {
    let trial = trial_of(&wanted, &shared.borrow())?;
    let config = parse(&wanted)?;
    let node = same_node(&config, &shared.borrow())?;
    let observe = shared.borrow().observing.is_some();
    let settings = proxy::keeper_settings(&config, &node, observe)
        .map_err(|error| no(format!("{error:#}"), "mend it, and try again"))?;
    let hash_before = shared.borrow().config_hash;
    let election = ask_keeper(&settings, shared).await?;
    if shared.borrow().config_hash != hash_before {
        return Err(no("another configuration came into force meanwhile", "look at it, and try again"));
    }
    let doors = Doors::bind(&config, &node, &settings, &shared.borrow())
        .map_err(|error| no(format!("{error:#}"), "free what is taken, or name another port"))?;
    let before = shared.borrow().text.clone();
    let mut answer = prepare_and_commit(wanted, config, node, settings, election, order, &mut shared.borrow_mut())?;
    if !answer.dry_run {
        let this = shared.borrow().node.name.clone();
        match trial {
            Some(within) => trial::begin(before, within, order.stamp.clone(), shared),
            None => answer.unsaved = reload::remember(order.stamp.by != this, &mut shared.borrow_mut()),
        }
        doors.open(shared);
    }
    Ok(answer)
}

/// How long it is on trial; `None`: it stays. One trial at a time: what would come back must be what somebody has wanted.
fn trial_of(wanted: &Configure, appliance: &Appliance) -> Result<Option<Duration>, Refusal> {
    if appliance.trial.is_some() {
        return Err(no("a configuration is on trial", "fmc-lbctl confirm or fmc-lbctl rollback first"));
    }
    match wanted.confirm_within_ms {
        Some(ms) if !Configure::TRIAL_MS.contains(&ms) => {
            Err(Refusal::new(RefusalKind::BadRequest, format!("a trial of {ms} ms"), "use 1s to 1d"))
        }
        within => Ok(within.map(Duration::from_millis)),
    }
}

fn parse(wanted: &Configure) -> Result<Config, Refusal> {
    let file = wanted.file.display();
    Config::parse(&wanted.text, &file.to_string())
        .map_err(|errors| no(format!("{file} is no valid configuration:\n{}", errors.lines()), "mend it"))
}

/// Between the first bind and the last word nothing else of this thread runs.
fn prepare_and_commit(
    wanted: Configure,
    config: Config,
    node: Node,
    settings: KeeperSettings,
    election: Change,
    order: &Order,
    appliance: &mut Appliance,
) -> Result<ConfigureAnswer, Refusal> {
    // What is known of names that stay; those that are new are asked for at the next turn.
    let config = config.with_addresses(|named| appliance.resolution.addresses(named));
    let data_plane = appliance.data_plane.prepare(&config).map_err(|errors| {
        let sentences: Vec<_> = errors.iter().map(ToString::to_string).collect();
        no(sentences.join("\n"), "free what is taken, or name another port")
    })?;
    let mut answer = plan(&config, &settings, election, appliance);
    answer.dry_run = wanted.dry_run;
    if !wanted.dry_run {
        reload::commit(Next { config, text: wanted.text.into(), node, settings, data_plane }, appliance);
        note(&answer, &wanted.file.display().to_string(), order, appliance);
    }
    Ok(answer)
}

fn no(error: impl Into<String>, fix: &str) -> Refusal {
    Refusal::new(RefusalKind::No, error, format!("{fix}; nothing has changed"))
}

fn same_node(config: &Config, appliance: &Appliance) -> Result<Node, Refusal> {
    let name = appliance.node.name.as_str();
    let node = node::identify(config, Some(name)).map_err(|_| {
        let fix = "give it back its name, or restart the service to become another node";
        no(format!("[nodes] does not have {name}, which this node is"), fix)
    })?;
    Ok(node.clone())
}

/// What the settings mean for the election, once the keeper has found everything that they name.
async fn ask_keeper(settings: &KeeperSettings, shared: &Shared) -> Result<Change, Refusal> {
    let heard = {
        let mut appliance = shared.borrow_mut();
        if appliance.preparing.as_ref().is_some_and(|(_, waiting)| !waiting.is_closed()) {
            return Err(no("another configuration is being prepared", "try again when that is done"));
        }
        let (tell, heard) = oneshot::channel();
        if !appliance.keeper.tell(&ToKeeper::Prepare(Box::new(settings.clone()))) {
            return Err(Refusal::new(
                RefusalKind::Unavailable,
                "the keeper is not running, so nobody can say whether it could work by this",
                "try again in a moment; nothing has changed",
            ));
        }
        appliance.preparing = Some((settings.config_hash, tell));
        heard
    };
    match tokio::time::timeout(KEEPER_LOOKS_WITHIN, heard).await {
        Ok(Ok(Ok(change))) => Ok(change),
        Ok(Ok(Err(sentence))) => Err(no(sentence, "mend the configuration or the machine")),
        Ok(Err(_)) | Err(_) => Err(Refusal::new(
            RefusalKind::Unavailable,
            "the keeper does not answer",
            "see fmc-lbctl events, and try again; nothing has changed",
        )),
    }
}

fn plan(config: &Config, settings: &KeeperSettings, election: Change, appliance: &Appliance) -> ConfigureAnswer {
    let (consequences, connections_cut) = consequences(config, election, appliance);
    ConfigureAnswer {
        now: read::now(),
        dry_run: true,
        changes: difference::between(&appliance.config, config).into_iter().map(change).collect(),
        election: match election {
            Change::Nothing => ElectionChange::Nothing,
            Change::InPlace if settings.differs_in_hash_only(&appliance.keeper.settings()) => ElectionChange::Nothing,
            Change::InPlace => ElectionChange::InPlace,
            Change::Anew => ElectionChange::Anew,
        },
        consequences,
        connections_cut,
        hash_before: format!("{:016x}", appliance.config_hash),
        hash: format!("{:016x}", settings.config_hash),
        unsaved: None,
        others: Vec::new(),
    }
}

fn change(difference: Difference) -> ConfigChange {
    let Difference { field, before, after } = difference;
    ConfigChange { field, before, after }
}

/// A sentence for each thing that connections or operators notice, and how many connections end.
fn consequences(next: &Config, election: Change, appliance: &Appliance) -> (Vec<String>, u64) {
    let (mut said, cut) = addresses(next, election, appliance);
    said.extend(frontends(next, appliance));
    said.extend(servers(next, appliance));
    let stale = appliance.administrative.clone().reconcile(next);
    said.extend(stale.into_iter().map(|stale| stale.text));
    (said, cut)
}

/// Addresses that go, or move because the election begins anew.
fn addresses(next: &Config, election: Change, appliance: &Appliance) -> (Vec<String>, u64) {
    let (mut said, mut cut) = (Vec::new(), 0);
    for state in &appliance.vips {
        let (name, address) = (&state.vip.name, state.vip.address);
        let what = match next.vips.iter().find(|vip| vip.address == address) {
            None => "is given up",
            Some(_) if !state.role.holds_address() => continue,
            Some(_) if election == Change::Anew => "moves to another node first",
            Some(vip) if vip.virtual_router_id != state.vip.virtual_router_id => "is elected anew, by its other VRID",
            Some(vip) if group(next, &vip.name) != group(&appliance.config, name) => {
                "is elected anew, in another group"
            }
            Some(_) => continue,
        };
        let open = appliance.connections_on(address);
        said.push(format!("{address} ({name}) {what}; {open} connections on it end"));
        cut += open;
    }
    (said, cut)
}

/// The addresses that one election gives away together.
fn group(config: &Config, vip: &VipName) -> Vec<IpAddr> {
    config.elected_with(vip).map(|vip| vip.address).collect()
}

fn frontends(next: &Config, appliance: &Appliance) -> Vec<String> {
    let is_gone = |name: &FrontendName| !next.frontends.iter().any(|kept| kept.name == *name);
    let gone = appliance.config.frontends.iter().map(|frontend| &frontend.name).filter(|name| is_gone(name));
    let sentence = |name: &FrontendName| {
        let open = open(appliance, |session| session.frontend().settings().name == *name);
        format!("frontend {name} closes its ports; {open} connections go on to their end")
    };
    gone.map(sentence).collect()
}

/// Servers that are configured no more, or elsewhere.
fn servers(next: &Config, appliance: &Appliance) -> Vec<String> {
    let stays = |backend: &Backend, server: &Server| {
        let same = |kept: &Server| (&kept.name, kept.address, kept.port) == (&server.name, server.address, server.port);
        next.backends.iter().any(|kept| kept.name == backend.name && kept.servers.iter().any(same))
    };
    let all = appliance.config.backends.iter().flat_map(|backend| backend.servers.iter().map(move |s| (backend, s)));
    let sentence = |(backend, server): (&Backend, &Server)| {
        let open = open(appliance, |session| session.goes_to(backend.name.as_str(), server.name.as_str()));
        format!("{}/{} gets nothing new where it was; {open} connections go on to their end", backend.name, server.name)
    };
    all.filter(|(backend, server)| !stays(backend, server)).map(sentence).collect()
}

fn open(appliance: &Appliance, wanted: impl Fn(&Session) -> bool) -> usize {
    appliance.data_plane.sessions().list(wanted).len()
}

fn note(answer: &ConfigureAnswer, file: &str, order: &Order, appliance: &mut Appliance) {
    let text = format!(
        "the configuration {} of {file} is in force, {} changes, asked by {order}",
        answer.hash,
        answer.changes.len()
    );
    appliance.note(Severity::Info, EventKind::Command, None, text);
}
