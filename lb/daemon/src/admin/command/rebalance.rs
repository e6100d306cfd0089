//! `rebalance`: idle connections of servers with more than their share are closed, a few a second.

mod plan;
mod run;

use fmc_api::rebalance::{Rebalance, RebalanceAnswer, RebalanceOutcome};
use fmc_api::{Refusal, RefusalKind};

use crate::admin::read;
use crate::admin::response::Answer;
use crate::proxy::appliance::Shared;
use plan::Plan;
use run::Run;

/// Closes what the command asks for, or says what it would close. Dropped when the caller hangs up, which ends it.
pub(crate) async fn rebalance(wanted: &Rebalance, shared: &Shared) -> Result<Answer, Refusal> {
    if wanted.per_second.get() > Rebalance::FASTEST {
        let error = format!("{} a second is too fast", wanted.per_second);
        return Err(Refusal::new(RefusalKind::BadRequest, error, "use 1 to 1000"));
    }
    let plan = Plan::new(wanted, &shared.borrow())?;
    let closes: Vec<u64> = plan.servers.iter().map(|server| server.closes()).collect();
    let (closed, outcome) = match closes.iter().sum() {
        _ if plan.over() == 0 => (closes, RebalanceOutcome::Even),
        0 => (closes, plan.too_few_idle()),
        sum if wanted.dry_run => (closes, RebalanceOutcome::WouldClose { takes_ms: plan.takes_ms(sum) }),
        _ => Run::begin(&plan, shared)?.finish().await,
    };
    let servers =
        plan.servers.iter().zip(closed).map(|(server, closed)| server.share(closed, wanted.dry_run)).collect();
    let Rebalance { backend, dry_run, .. } = wanted;
    Ok(Answer::json(&RebalanceAnswer {
        now: read::now(),
        dry_run: *dry_run,
        backend: backend.clone(),
        servers,
        outcome,
    }))
}
