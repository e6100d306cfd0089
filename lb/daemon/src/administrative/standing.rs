//! What is in force of one subject because an operator asked for it.

use fmc_api::word::AdminState;
use fmc_api::{Asked, Moment, Target};
use fmc_config::model::Config;
use fmc_config::model::backend::{Server, Weight};
use fmc_config::model::name::NodeName;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Stale, Subject, Wanted};

/// What operators have asked of one subject; what they have not is as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    pub(super) of: Subject,
    /// Where the server was when it was asked: under the same name at another place it is another server. `None`: a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// `None`: ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateAsked>,
    /// `None`: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<WeightAsked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateAsked {
    is: AdminState,
    at: Moment,
    uid: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightAsked {
    #[serde(serialize_with = "write_weight", deserialize_with = "read_weight")]
    is: Weight,
    /// What the configuration said then; when it says something else now, it has been thought about since.
    #[serde(serialize_with = "write_weight", deserialize_with = "read_weight")]
    configured: Weight,
    at: Moment,
    uid: u32,
}

impl Standing {
    pub(super) fn nothing(of: Subject) -> Self {
        Self { of, place: None, state: None, weight: None }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.state.is_none() && self.weight.is_none()
    }

    /// The state in force; `None`: ready.
    pub(crate) fn state(&self) -> Option<AdminState> {
        self.state.map(|state| state.is)
    }

    /// The weight in force; `None`: as configured.
    pub(crate) fn weight(&self) -> Option<Weight> {
        self.weight.map(|weight| weight.is)
    }

    /// Who asked for the state.
    pub(crate) fn state_asked(&self) -> Option<Asked> {
        self.state.map(|StateAsked { at, uid, is: _ }| Asked { at, uid })
    }

    /// Who asked for the weight.
    pub(crate) fn weight_asked(&self) -> Option<Asked> {
        self.weight.map(|WeightAsked { at, uid, is: _, configured: _ }| Asked { at, uid })
    }

    /// As it is once `wanted` is asked of it. What is in force already keeps its first signature.
    pub(super) fn with(&self, wanted: Wanted, asked: Asked, config: &Config) -> Self {
        let Asked { at, uid } = asked;
        let place = configured(&self.of, config).map(place);
        match wanted {
            Wanted::State(is) if is == self.state().unwrap_or(AdminState::Ready) => self.clone(),
            Wanted::State(AdminState::Ready) => Self { state: None, ..self.clone() }.tidied(),
            Wanted::State(is) => Self { place, state: Some(StateAsked { is, at, uid }), ..self.clone() },
            Wanted::Weight(is) => {
                let Some(configured) = configured_weight(&self.of, config) else { return self.clone() };
                if is == self.weight().unwrap_or(configured) {
                    self.clone()
                } else if is == configured {
                    Self { weight: None, ..self.clone() }.tidied()
                } else {
                    Self { place, weight: Some(WeightAsked { is, configured, at, uid }), ..self.clone() }
                }
            }
        }
    }

    /// What the configuration leaves of it, and a sentence for each thing that it does not.
    pub(super) fn reconciled(self, config: &Config, this: &NodeName) -> (Self, Vec<Stale>) {
        let gone = match (&self.of, configured(&self.of, config)) {
            (Subject::Node(node), _) if node != this => Some(format!("this is {this}")),
            (Subject::Node(_), _) => None,
            (Subject::Server(..), None) => Some("the configuration has no such server".to_owned()),
            (Subject::Server(..), Some(server)) => {
                let now = place(server);
                let then = self.place.as_ref().filter(|then| **then != now);
                then.map(|then| format!("the server of that name is at {now} now and was at {then}"))
            }
        };
        match gone {
            Some(why) if !self.is_nothing() => {
                let text = format!("no longer in force: {}; {why}", self.sentence());
                (Self::nothing(self.of.clone()), vec![Stale { of: self.of, text }])
            }
            Some(_) => (Self::nothing(self.of), Vec::new()),
            None => self.with_live_weight(config),
        }
    }

    fn with_live_weight(self, config: &Config) -> (Self, Vec<Stale>) {
        let now = configured_weight(&self.of, config);
        match (self.weight, now) {
            (Some(weight), Some(now)) if weight.configured != now => {
                let (then, now, said) = (weight.configured.get(), now.get(), weight_words(&weight));
                let text = format!("no longer in force: {said}; the configuration says {now} now and said {then}");
                let of = self.of.clone();
                (Self { weight: None, ..self }.tidied(), vec![Stale { of, text }])
            }
            _ => (self, Vec::new()),
        }
    }

    /// What is in force and who asked, in words.
    pub(super) fn sentence(&self) -> String {
        let state = self.state.map(|state| format!("{}, asked by uid {} at {}", state.is, state.uid, state.at));
        let weight = self.weight.as_ref().map(weight_words);
        [state, weight].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// Nothing in force is at no place.
    fn tidied(self) -> Self {
        if self.is_nothing() { Self::nothing(self.of) } else { self }
    }
}

fn weight_words(weight: &WeightAsked) -> String {
    format!("weight {}, asked by uid {} at {}", weight.is.get(), weight.uid, weight.at)
}

/// The weight that the configuration gives a server; `None`: a node, or a server it does not have.
pub(super) fn configured_weight(of: &Subject, config: &Config) -> Option<Weight> {
    configured(of, config).map(|server| server.weight)
}

fn configured<'a>(of: &Subject, config: &'a Config) -> Option<&'a Server> {
    let Subject::Server(backend, server) = of else { return None };
    let backend = config.backends.iter().find(|known| known.name == *backend)?;
    backend.servers.iter().find(|known| known.name == *server)
}

fn place(server: &Server) -> String {
    match server.port {
        Some(port) => format!("{}:{port}", server.address),
        None => server.address.to_string(),
    }
}

fn write_weight<S: Serializer>(weight: &Weight, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(weight.get())
}

fn read_weight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Weight, D::Error> {
    let number = u16::deserialize(deserializer)?;
    Weight::new(number).ok_or_else(|| serde::de::Error::custom(format!("{number} is no weight: 0 to 256")))
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Target::from(self.clone()).fmt(f)
    }
}
