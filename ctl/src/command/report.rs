//! `report`: what the moves of VIPs measured of themselves.

use fmc_api::Client;
use fmc_api::failovers::FailoverList;

use crate::cli::Report;
use crate::exit::Exit;
use crate::render::{self, Output};

pub(super) async fn run(client: &Client, asked: &Report, output: &mut Output) -> anyhow::Result<Exit> {
    if let Report::Observed = asked {
        output.answer(&client.observed().await?, render::observed::write)?;
        return Ok(Exit::Done);
    }
    let all = client.failovers().await?;
    match asked {
        Report::Observed | Report::List => output.answer(&all, render::report::list)?,
        Report::Last { vip } => {
            let wanted = all.reports.iter().rev().find(|report| vip.as_ref().is_none_or(|vip| *vip == report.vip));
            let Some(newest) = wanted.cloned() else {
                output.answer(&FailoverList { reports: Vec::new(), ..all }, render::report::list)?;
                return Ok(Exit::Done);
            };
            let move_of_it = all.reports.iter().filter(|report| newest.is_same_move(report)).cloned();
            let last = FailoverList { reports: move_of_it.collect(), ..all };
            output.answer(&last, render::report::one)?;
        }
    }
    Ok(Exit::Done)
}
