//! Asks the DNS, on the control thread's runtime. A question never waits for another, and nobody waits for a question.

use std::time::{Duration, Instant};

use fmc_config::model::name::HostName;
use fmc_config::model::service::Dns;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::resolution::Answer;

/// Answers that wait for the control thread; when it is full, further ones wait with their tasks, one for each name.
pub(crate) const ANSWERS_WAITING: usize = 16;

/// One server that says nothing is given up after this, and asked once more.
const ONE_TRY: Duration = Duration::from_secs(1);

/// The whole question, search domains and all.
const WITHIN: Duration = Duration::from_secs(3);

/// What became of a question.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) host: HostName,
    pub(crate) outcome: Result<Answer, String>,
}

/// Where questions go to, and answers come from.
#[derive(Debug)]
pub(crate) struct Resolver {
    answers: mpsc::Sender<Answered>,
    handle: Handle,
}

impl Resolver {
    pub(crate) fn new(answers: mpsc::Sender<Answered>, handle: &Handle) -> Self {
        Self { answers, handle: handle.clone() }
    }

    /// Begins to ask; the answer comes by the channel, always.
    pub(crate) fn ask(&self, host: HostName, rules: &Dns) {
        let (answers, rules) = (self.answers.clone(), rules.clone());
        self.handle.spawn(async move {
            let asked = tokio::time::timeout(WITHIN, look_up(&host, &rules)).await;
            let outcome = asked.unwrap_or_else(|_elapsed| Err("no answer in time".to_owned()));
            // Refused only when the control thread has ended.
            let _ = answers.send(Answered { host, outcome }).await;
        });
    }
}

/// A resolver for each question: a change of /etc/resolv.conf is in force with the next one, and no answer is remembered but by us.
async fn look_up(host: &HostName, rules: &Dns) -> Result<Answer, String> {
    let resolver = resolver(rules).map_err(|error| words(&error))?;
    let found = resolver.lookup_ip(host.as_str()).await.map_err(|error| words(&error))?;
    let ttl = found.valid_until().saturating_duration_since(Instant::now());
    // Most of a second has not passed since the answer came: TTLs are whole seconds.
    Ok(Answer { addresses: found.iter().collect(), ttl: ttl + Duration::from_millis(500) })
}

fn resolver(rules: &Dns) -> Result<TokioResolver, NetError> {
    let mut builder = match rules.resolvers.is_empty() {
        true => TokioResolver::builder_tokio()?,
        false => TokioResolver::builder_with_config(configured(rules), TokioRuntimeProvider::default()),
    };
    let options = builder.options_mut();
    (options.timeout, options.attempts, options.cache_size) = (ONE_TRY, 1, 0);
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

fn configured(rules: &Dns) -> ResolverConfig {
    let server = |address: &std::net::SocketAddr| {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        connections.iter_mut().for_each(|connection| connection.port = address.port());
        NameServerConfig::new(address.ip(), true, connections)
    };
    ResolverConfig::from_name_servers(rules.resolvers.iter().map(server).collect())
}

/// Without the question, which stands beside it.
fn words(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no answer in time".to_owned(),
        error if error.is_nx_domain() => "there is no such name".to_owned(),
        error if error.is_no_records_found() => "the name has no address".to_owned(),
        error => error.to_string(),
    }
}
