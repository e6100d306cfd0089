//! What the operator looks at, and what the next key means. [core]

use fmc_api::Target;
use fmc_api::command::VipChoice;
use fmc_api::word::AdminState;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::picture::{Picture, Row};

/// Everything on the screen that the daemon does not know.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    pub(crate) picture: Option<Picture>,
    /// Why the picture is old.
    pub(crate) trouble: Option<String>,
    /// Which row of [`Picture::rows`].
    pub(crate) selected: usize,
    pub(crate) sheet: Sheet,
    /// What became of the last act.
    pub(crate) message: Option<String>,
}

/// What lies over the view.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Sheet {
    #[default]
    None,
    Help,
    /// The daemon is asked what the act would do.
    Asking(Act),
    /// What it would do; `y` does it.
    Confirm(Act, String),
}

/// What an operator may do here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Set(Target, AdminState),
    Failover(VipChoice),
}

/// What has to be done outside of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    Quit,
    /// Ask what it would do.
    Plan(Act),
    /// Do it.
    Do(Act),
}

impl Screen {
    /// A new picture, or why there is none.
    pub(crate) fn look(&mut self, picture: Result<Picture, String>) {
        match picture {
            Ok(picture) => {
                self.selected = self.selected.min(picture.rows().len().saturating_sub(1));
                (self.picture, self.trouble) = (Some(picture), None);
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    /// What the act would do, or why it cannot be: it is asked for no longer if the operator went on.
    pub(crate) fn planned(&mut self, act: Act, plan: Result<String, String>) {
        if self.sheet != Sheet::Asking(act.clone()) {
            return;
        }
        self.sheet = match plan {
            Ok(words) => Sheet::Confirm(act, words),
            Err(why) => {
                self.message = Some(why);
                Sheet::None
            }
        };
    }

    /// One key.
    pub(crate) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(Wish::Quit);
        }
        match std::mem::take(&mut self.sheet) {
            Sheet::None => self.choose(key.code),
            Sheet::Help | Sheet::Asking(_) => None,
            Sheet::Confirm(act, _) if matches!(key.code, KeyCode::Char('y' | 'Y')) => Some(Wish::Do(act)),
            Sheet::Confirm(..) => {
                self.message = Some("nothing was changed".to_owned());
                None
            }
        }
    }

    fn choose(&mut self, code: KeyCode) -> Option<Wish> {
        let rows = self.picture.as_ref().map(Picture::rows).unwrap_or_default();
        match code {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Wish::Quit),
            KeyCode::Char('?' | 'h') => self.sheet = Sheet::Help,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => {
                self.selected = (self.selected + 1).min(rows.len().saturating_sub(1));
            }
            KeyCode::Home | KeyCode::Char('g') => self.selected = 0,
            KeyCode::End | KeyCode::Char('G') => self.selected = rows.len().saturating_sub(1),
            KeyCode::Char(letter) => return self.act(letter, rows.get(self.selected)),
            _ => {}
        }
        None
    }

    /// Small letters are for the row, capitals for the node that answers.
    fn act(&mut self, letter: char, row: Option<&Row>) -> Option<Wish> {
        let act = match (letter, row) {
            ('d', Some(Row::Server(server))) => Act::Set(server.clone(), AdminState::Drain),
            ('r', Some(Row::Server(server))) => Act::Set(server.clone(), AdminState::Ready),
            ('m', Some(Row::Server(server))) => Act::Set(server.clone(), AdminState::Maint),
            ('f', Some(Row::Vip(vip))) => Act::Failover(VipChoice::Named(vip.clone())),
            ('D', _) => Act::Set(self.this_node()?, AdminState::Drain),
            ('R', _) => Act::Set(self.this_node()?, AdminState::Ready),
            ('F', _) => Act::Failover(VipChoice::All),
            ('d' | 'r' | 'm', _) => return self.refuse("choose a server for that"),
            ('f', _) => return self.refuse("choose a VIP for that"),
            _ => return None,
        };
        self.message = None;
        self.sheet = Sheet::Asking(act.clone());
        Some(Wish::Plan(act))
    }

    fn this_node(&self) -> Option<Target> {
        self.picture.as_ref().map(|picture| Target::Node(picture.status.node.clone()))
    }

    fn refuse(&mut self, why: &str) -> Option<Wish> {
        self.message = Some(why.to_owned());
        None
    }
}
