//! What the agents of servers want, told to the pools. An observation: the operator's word stands beside it, and above it.

use std::time::SystemTime;

use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_health::{AgentSaid, AgentState, AgentWords};
use fmc_lb::AgentWish;

use super::tell_fitness;
use crate::proxy::appliance::Appliance;

/// An agent that cannot be reached, or says nothing that means something, changes nothing.
pub(super) fn hear(said: AgentSaid, appliance: &mut Appliance) {
    let AgentSaid { backend, server, words } = said;
    let subject = format!("{backend}/{server}");
    let words = match words {
        Ok(words) => words,
        Err(why) => {
            metrics::counter!("fmc_agent_failures_total", "backend" => backend.to_string(), "server" => server.to_string())
                .increment(1);
            return tracing::debug!(subject, why, "the agent has not answered");
        }
    };
    let key = (backend, server);
    let before = appliance.said.get(&key).map(|(words, _)| words.clone());
    if before.as_ref().is_none_or(|before| is_news(before, &words)) {
        let (severity, text) = sentence(&words);
        appliance.note(severity, EventKind::Health, Some(subject), text);
    }
    let (backend, server) = &key;
    if words.says_something()
        && let Some(pool) = appliance.data_plane.pool(backend.as_str())
    {
        let wish = wish(&words);
        if pool.set_agent(server.as_str(), wish).is_some_and(|before| before != wish) {
            tell_fitness(appliance);
        }
    }
    appliance.said.insert(key, (words, Moment::from(SystemTime::now())));
}

/// An agent may say another percentage or limit each second, which the metrics and `backends` show: the history is for what an operator acts on.
fn is_news(before: &AgentWords, words: &AgentWords) -> bool {
    let takes_none = |words: &AgentWords| words.percent == Some(0);
    before.state != words.state || takes_none(before) != takes_none(words) || before.unknown != words.unknown
}

fn sentence(words: &AgentWords) -> (Severity, String) {
    let unknown = words.unknown.join(" ");
    match (words.says_something(), unknown.is_empty()) {
        (true, true) => (Severity::Info, format!("its agent says: {words}")),
        (true, false) => (Severity::Warning, format!("its agent says: {words}; and what means nothing: {unknown}")),
        (false, _) => (Severity::Warning, format!("its agent says nothing that means something: {unknown}")),
    }
}

fn wish(words: &AgentWords) -> AgentWish {
    let state = words.state.unwrap_or(AgentState::Up);
    AgentWish {
        takes_new: !matches!(state, AgentState::Drain | AgentState::Maint),
        is_down: state == AgentState::Down,
        percent: words.percent.unwrap_or(100),
        max_connections: words.max_connections,
    }
}
