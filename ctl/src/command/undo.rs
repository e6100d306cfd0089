//! `undo`: say what is taken back and what that cuts, ask, take it back.

use fmc_api::Client;
use fmc_api::command::Undo as Request;

use super::confirm;
use super::state::{DEADLINE, cut, exit};
use crate::cli::Undo;
use crate::exit::Exit;
use crate::render::{self, Output, others};

pub(super) async fn run(client: &Client, asked: &Undo, output: &mut Output) -> anyhow::Result<Exit> {
    let client = client.clone().with_deadline(DEADLINE);
    let plan = client.undo(Request { dry_run: true, ..Request::default() }).await?;
    if asked.dry_run {
        output.answer(&plan, render::change::undone)?;
        return Ok(exit(&plan.moves));
    }
    output.say(&plan, render::change::undo_plan)?;
    if !confirm::go_on(cut(&plan.changes, &plan.moves) > 0, asked.yes, output)? {
        output.note("nothing was changed")?;
        return Ok(Exit::No);
    }
    // What was shown, and nothing that somebody else has done meanwhile.
    let answer =
        client.undo(Request { act: Some(plan.act.number), by: Some(plan.act.by.clone()), dry_run: false }).await?;
    output.answer(&answer, render::change::undone)?;
    output.unsaved(answer.unsaved.as_deref())?;
    Ok(exit(&answer.moves).and(others::all_agree(&answer.others)))
}
