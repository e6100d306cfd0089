//! What a server's agent says of it: one line of words (HAProxy's `agent-check`, configuration manual §5.2). [core]
//!
//! ```text
//! 75% ready maxconn:30        words in any order, between blanks, commas or line ends
//! down#replication is behind  what follows '#' is the reason, to the end of the line
//! ```

use std::fmt;

/// What an agent wants for its server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentWords {
    /// How it wants to be used; `None`: it has not said.
    pub state: Option<AgentState>,
    /// Of its weight, 0 to 100 and more; `None`: it has not said.
    pub percent: Option<u16>,
    /// Connections at once; `None`: it has not said.
    pub max_connections: Option<u32>,
    /// Why, in its own words.
    pub reason: Option<String>,
    /// Words that mean nothing.
    pub unknown: Vec<String>,
}

/// How a server wants to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// `ready`, `up`: as its check finds it.
    Up,
    /// `drain`: nothing new.
    Drain,
    /// `maint`: nothing new; what is open stays, as it is not the operator who asks.
    Maint,
    /// `down`, `failed`, `stopped`: it does not serve, whatever its check finds.
    Down,
}

/// Characters of a reason that are kept.
const REASON: usize = 120;

/// Words that are kept although they mean nothing, to be named.
const UNKNOWN: usize = 4;

/// The most that a weight is raised to, in percent.
const MOST_PERCENT: u16 = 1000;

impl AgentWords {
    /// From the first line that is not empty.
    pub fn parse(said: &str) -> Self {
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let (words, reason) = line.split_once('#').map_or((line, None), |(words, reason)| (words, Some(reason)));
        let mut heard = Self { reason: reason.and_then(clean), ..Self::default() };
        for word in words.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            heard.take(word);
        }
        heard
    }

    /// Whether it has said anything that means something.
    pub fn says_something(&self) -> bool {
        self.state.is_some() || self.percent.is_some() || self.max_connections.is_some()
    }

    fn take(&mut self, word: &str) {
        match word.to_ascii_lowercase().as_str() {
            "up" | "ready" => self.state = Some(AgentState::Up),
            "drain" => self.state = Some(AgentState::Drain),
            "maint" => self.state = Some(AgentState::Maint),
            "down" | "failed" | "stopped" => self.state = Some(AgentState::Down),
            other => self.take_number(other),
        }
    }

    fn take_number(&mut self, word: &str) {
        let percent = word.strip_suffix('%').and_then(|number| number.parse::<u16>().ok());
        let most = word.strip_prefix("maxconn:").and_then(|number| number.parse::<u32>().ok());
        match (percent, most) {
            (Some(percent), _) => self.percent = Some(percent.min(MOST_PERCENT)),
            (None, Some(most)) => self.max_connections = Some(most),
            (None, None) if self.unknown.len() < UNKNOWN => self.unknown.extend(clean(word)),
            (None, None) => {}
        }
    }
}

fn clean(text: &str) -> Option<String> {
    let kept: String = text.trim().chars().filter(|c| !c.is_control()).take(REASON).collect();
    (!kept.is_empty()).then_some(kept)
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::Down => "down",
        })
    }
}

impl fmt::Display for AgentWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.map(|state| state.to_string());
        let percent = self.percent.map(|percent| format!("{percent} %"));
        let most = self.max_connections.map(|most| format!("at most {most} connections"));
        let said: Vec<String> = [state, percent, most].into_iter().flatten().collect();
        f.write_str(&if said.is_empty() { "nothing".to_owned() } else { said.join(", ") })?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_word_means_what_it_means_to_haproxy() {
        for (said, state) in [
            ("up\n", Some(AgentState::Up)),
            ("ready", Some(AgentState::Up)),
            ("DRAIN\r\n", Some(AgentState::Drain)),
            ("maint", Some(AgentState::Maint)),
            ("down", Some(AgentState::Down)),
            ("failed", Some(AgentState::Down)),
            ("stopped", Some(AgentState::Down)),
            ("50%", None),
        ] {
            assert_eq!(AgentWords::parse(said).state, state, "{said:?}");
        }
    }

    #[test]
    fn words_stand_in_any_order_and_the_reason_follows_them() {
        let heard = AgentWords::parse("\n75%, ready maxconn:30\tdown#replication is behind, by 5 s\nnext line\n");
        assert_eq!((heard.state, heard.percent, heard.max_connections), (Some(AgentState::Down), Some(75), Some(30)));
        assert_eq!(heard.reason.as_deref(), Some("replication is behind, by 5 s"));
        assert_eq!(heard.to_string(), "down, 75 %, at most 30 connections (replication is behind, by 5 s)");
    }

    #[test]
    fn words_that_mean_nothing_are_named_and_change_nothing() {
        let heard = AgentWords::parse("HTTP/1.1 400 Bad Request");
        assert!(!heard.says_something());
        assert_eq!(heard.unknown, ["http/1.1", "400", "bad", "request"]);
        assert!(!AgentWords::parse("").says_something());
        assert_eq!(
            AgentWords::parse("x%  -5% maxconn: 99999999999%").unknown,
            ["x%", "-5%", "maxconn:", "99999999999%"]
        );
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_panics_or_is_kept_without_bound(said in ".{0,400}") {
            let heard = AgentWords::parse(&said);
            prop_assert!(heard.unknown.len() <= UNKNOWN && heard.to_string().len() < 1000);
        }
    }
}
