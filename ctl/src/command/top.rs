//! `top`: asks, draws, and does what keys wish.

use std::io::IsTerminal;
use std::time::Duration;

use fmc_api::Client;
use fmc_api::command::{Failover, SetState};
use ratatui::crossterm::event::Event;
use tokio::sync::mpsc::{Sender, channel};

use super::state::DEADLINE;
use crate::cli::Top;
use crate::exit::Exit;
use crate::render::{self, Output, Paint};
use crate::top::draw;
use crate::top::picture::Picture;
use crate::top::screen::{Act, Screen, Wish};
use crate::top::terminal::{self, Terminal};

/// Keys and answers on their way to the screen: more than a person types between two of them.
const ON_THE_WAY: usize = 64;

/// What can happen to the view.
enum Heard {
    Terminal(Event),
    Picture(Result<Box<Picture>, String>),
    Planned(Act, Result<String, String>),
    Done(Result<String, String>),
}

pub(super) async fn run(client: &Client, asked: &Top, output: &mut Output) -> anyhow::Result<Exit> {
    if output.is_json() || !std::io::stdout().is_terminal() {
        output.note("top draws on a terminal; for scripts there are `status --json`, `backends --json` and `events --follow --json`")?;
        return Ok(Exit::Usage);
    }
    let (to, mut heard) = channel(ON_THE_WAY);
    let (mut terminal, mut screen, paint) = (Terminal::take()?, Screen::default(), Paint::on(&std::io::stdout()));
    terminal::listen(to.clone(), Heard::Terminal)?;
    tokio::spawn(watch(client.clone(), asked.interval, to.clone()));
    loop {
        terminal.0.draw(|frame| draw::draw(&screen, paint, frame))?;
        // The sender lives as long as this.
        let Some(heard) = heard.recv().await else { return Ok(Exit::Done) };
        match take(heard, &mut screen) {
            None => {}
            Some(Wish::Quit) => return Ok(Exit::Done),
            Some(Wish::Plan(act)) => drop(tokio::spawn(plan(client.clone(), act, to.clone()))),
            Some(Wish::Do(act)) => drop(tokio::spawn(act_on(client.clone(), act, to.clone()))),
        }
    }
}

fn take(heard: Heard, screen: &mut Screen) -> Option<Wish> {
    match heard {
        Heard::Terminal(Event::Key(key)) => return screen.press(key),
        // Another size: it is drawn anew.
        Heard::Terminal(_) => {}
        Heard::Picture(picture) => screen.look(picture.map(|picture| *picture)),
        Heard::Planned(act, plan) => screen.planned(act, plan),
        Heard::Done(done) => screen.message = Some(done.unwrap_or_else(|why| why)),
    }
    None
}

/// Ends when nobody listens.
async fn watch(client: Client, interval: Duration, to: Sender<Heard>) {
    loop {
        let picture = Picture::take(&client).await.map(Box::new).map_err(|error| error.to_string());
        if to.send(Heard::Picture(picture)).await.is_err() {
            return;
        }
        tokio::time::sleep(interval).await;
    }
}

async fn plan(client: Client, act: Act, to: Sender<Heard>) {
    let plan = ask(&client, &act, true).await.map_err(|error| format!("{error:#}"));
    // Nobody listens any more: the operator has left.
    let _ = to.send(Heard::Planned(act, plan)).await;
}

async fn act_on(client: Client, act: Act, to: Sender<Heard>) {
    let done = ask(&client, &act, false).await.map(|text| text.lines().next().unwrap_or_default().to_owned());
    let _ = to.send(Heard::Done(done.map_err(|error| format!("{error:#}")))).await;
}

/// The same words as of the verbs.
async fn ask(client: &Client, act: &Act, dry_run: bool) -> anyhow::Result<String> {
    let client = client.clone().with_deadline(DEADLINE);
    match act {
        Act::Set(target, state) => {
            let request = SetState { target: target.clone(), dry_run };
            let answer = client.set_state(*state, &request).await?;
            let words = if dry_run { render::change::plan } else { render::change::states };
            Ok(words(&answer, Paint::plain()))
        }
        Act::Failover(vips) => {
            let request = Failover { vips: vips.clone(), to: None, dry_run };
            Ok(render::moves::answer(&client.failover(&request).await?, Paint::plain()))
        }
    }
}
