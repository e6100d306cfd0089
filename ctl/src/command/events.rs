//! `events`: what happened, and with `--follow` what happens.

use std::time::Duration;

use fmc_api::client::{Client, ClientError};
use fmc_api::events::{EventList, EventQuery};
use fmc_api::{Refusal, RefusalKind};
use tokio::time::sleep;

use crate::cli::Events;
use crate::exit::Exit;
use crate::render::{self, Output};

/// Between two questions while following.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(500);

pub(super) async fn run(client: &Client, asked: &Events, output: &mut Output) -> anyhow::Result<Exit> {
    let first = client.events(EventQuery { after: asked.after }).await?;
    if asked.follow {
        return follow(client, first, output).await;
    }
    output.answer(&first, render::events::write)?;
    Ok(Exit::Done)
}

/// Prints forever; ends when the reader does, or on an error that waiting does not mend.
async fn follow(client: &Client, mut seen: EventList, output: &mut Output) -> anyhow::Result<Exit> {
    output.rows(&seen.events, render::events::row)?;
    let mut silent = false;
    loop {
        sleep(FOLLOW_INTERVAL).await;
        let next = match client.events(EventQuery { after: Some(seen.last) }).await {
            Ok(next) => next,
            Err(error) if passes(&error) => {
                if !silent {
                    output.note(&format!("{error}; still following"))?;
                }
                silent = true;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        silent = false;
        seen = if next.epoch == seen.epoch { next } else { restarted(client, output).await? };
        if seen.missed > 0 {
            output.note(&format!("{} events are no longer kept; see: journalctl -u fmc-lb", seen.missed))?;
        }
        output.rows(&seen.events, render::events::row)?;
    }
}

/// A new proxy counts from 1 again: take all that it has.
async fn restarted(client: &Client, output: &mut Output) -> anyhow::Result<EventList> {
    output.note("the proxy has restarted; earlier events are in: journalctl -u fmc-lb")?;
    Ok(client.events(EventQuery::default()).await?)
}

/// Is it what a restart of the proxy looks like?
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::NotRunning { .. } | ClientError::Interrupted { .. } | ClientError::Deadline { .. } => true,
        ClientError::Refused(Refusal { kind, .. }) => *kind == RefusalKind::Unavailable,
        ClientError::PermissionDenied { .. }
        | ClientError::Connect { .. }
        | ClientError::Unreached { .. }
        | ClientError::VersionSkew { .. }
        | ClientError::Foreign { .. } => false,
    }
}
