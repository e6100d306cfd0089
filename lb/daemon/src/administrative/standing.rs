//! What is in force of one subject because an operator asked for it.

use std::num::NonZeroU16;
use std::time::Duration;

use fmc_api::word::AdminState;
use fmc_api::{Asked, Moment, Target};
use fmc_config::model::Config;
use fmc_config::model::backend::Weight;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Aspect, Order, Stale, Stamp, Subject, Wanted};

/// What operators have asked of one subject; what they have not is as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    pub(super) of: Subject,
    /// Of the last act on its state: what has a higher one is newer. Stays when nothing is in force any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state_stamp: Option<Stamp>,
    /// Of the last act on its weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight_stamp: Option<Stamp>,
    /// Of the last act on its pin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin_stamp: Option<Stamp>,
    /// Where the server was when it was asked: under the same name at another place it is another server. `None`: a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// `None`: ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateAsked>,
    /// `None`: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<WeightAsked>,
    /// Of a node; `None`: it fails back as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<Pin>,
}

/// No address moves back to a node only because that node ranks higher, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    for_ms: u64,
    at: Moment,
    uid: u32,
}

impl Pin {
    /// How long it still holds. The only thing here that a wall clock is asked for, and a clock that was set back makes it hold for its
    /// whole time at most.
    pub(crate) fn left(&self, now: Moment) -> Duration {
        Duration::from_millis(self.for_ms).saturating_sub(self.at.until(now))
    }

    /// Who asked.
    pub(crate) fn asked(&self) -> Asked {
        Asked { at: self.at, uid: self.uid }
    }
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
        Self {
            of,
            state_stamp: None,
            weight_stamp: None,
            pin_stamp: None,
            place: None,
            state: None,
            weight: None,
            pin: None,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.state.is_none() && self.weight.is_none() && self.pin.is_none()
    }

    /// The state in force; `None`: ready.
    pub(crate) fn state(&self) -> Option<AdminState> {
        self.state.map(|state| state.is)
    }

    /// The weight in force; `None`: as configured.
    pub(crate) fn weight(&self) -> Option<Weight> {
        self.weight.map(|weight| weight.is)
    }

    /// The pin in force, or one that is over.
    pub(crate) fn pin(&self) -> Option<Pin> {
        self.pin
    }

    /// Without a pin that is over.
    pub(super) fn expired(self, now: Moment) -> Self {
        let pin = self.pin.filter(|pin| !pin.left(now).is_zero());
        Self { pin, ..self }.tidied()
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
    pub(super) fn with(&self, wanted: Wanted, order: &Order, config: &Config) -> Self {
        let after = self.asking(wanted, order.asked, config);
        if after == *self { after } else { after.stamped(wanted.aspect(), &order.stamp) }
    }

    /// Of the last act on that aspect; `None`: there was none.
    pub(super) fn stamp(&self, aspect: Aspect) -> Option<&Stamp> {
        match aspect {
            Aspect::State => self.state_stamp.as_ref(),
            Aspect::Weight => self.weight_stamp.as_ref(),
            Aspect::Pin => self.pin_stamp.as_ref(),
        }
    }

    fn stamped(self, aspect: Aspect, stamp: &Stamp) -> Self {
        let stamp = Some(stamp.clone());
        match aspect {
            Aspect::State => Self { state_stamp: stamp, ..self },
            Aspect::Weight => Self { weight_stamp: stamp, ..self },
            Aspect::Pin => Self { pin_stamp: stamp, ..self },
        }
    }

    /// As it is once one aspect is again as in `before`, by the act of `stamp`.
    pub(super) fn back_to(self, before: &Self, aspect: Aspect, stamp: &Stamp) -> Self {
        self.like(before, aspect).stamped(aspect, stamp)
    }

    /// As it is once what is newer in `other` is taken over, aspect by aspect.
    pub(super) fn newest(self, other: &Self) -> Self {
        let newer = |ours: &Self, aspect| other.stamp(aspect) > ours.stamp(aspect);
        Aspect::ALL
            .into_iter()
            .fold(self, |this, aspect| if newer(&this, aspect) { this.like(other, aspect) } else { this })
    }

    /// One aspect is the other's, with its stamp.
    fn like(self, other: &Self, aspect: Aspect) -> Self {
        let place = other.place.clone().or(self.place.clone());
        let this = match aspect {
            Aspect::State => Self { state: other.state, state_stamp: other.state_stamp.clone(), ..self },
            Aspect::Weight => Self { weight: other.weight, weight_stamp: other.weight_stamp.clone(), ..self },
            Aspect::Pin => Self { pin: other.pin, pin_stamp: other.pin_stamp.clone(), ..self },
        };
        Self { place, ..this }.tidied()
    }

    fn asking(&self, wanted: Wanted, asked: Asked, config: &Config) -> Self {
        let Asked { at, uid } = asked;
        let place = configured(&self.of, config).map(|configured| configured.place);
        match wanted {
            Wanted::State(is) if is == self.state().unwrap_or(AdminState::Ready) => self.clone(),
            Wanted::State(AdminState::Ready) => Self { state: None, ..self.clone() }.tidied(),
            Wanted::State(is) => Self { place, state: Some(StateAsked { is, at, uid }), ..self.clone() },
            Wanted::Pin(span) if span.is_zero() => Self { pin: None, ..self.clone() }.tidied(),
            Wanted::Pin(span) => {
                let for_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
                Self { pin: Some(Pin { for_ms, at, uid }), ..self.clone() }
            }
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

    /// Whether the configuration knows what it is about.
    pub(super) fn is_configured(&self, config: &Config) -> bool {
        match &self.of {
            Subject::Node(node) => config.nodes.iter().any(|known| known.name == *node),
            Subject::Server(..) => configured(&self.of, config).is_some(),
        }
    }

    /// What the configuration leaves of it, and a sentence for each thing that it does not.
    pub(super) fn reconciled(self, config: &Config) -> (Self, Vec<Stale>) {
        let gone = match (&self.of, configured(&self.of, config)) {
            (Subject::Node(_), _) if self.is_configured(config) => None,
            (Subject::Node(_), _) => Some("the configuration has no such node".to_owned()),
            (Subject::Server(..), None) => Some("the configuration has no such server".to_owned()),
            (Subject::Server(..), Some(Configured { place: now, .. })) => {
                let then = self.place.as_ref().filter(|then| **then != now);
                then.map(|then| format!("the server of that name is at {now} now and was at {then}"))
            }
        };
        match gone {
            Some(why) if !self.is_nothing() => {
                let text = format!("no longer in force: {}; {why}", self.sentence());
                let of = self.of.clone();
                (self.emptied(), vec![Stale { of, text }])
            }
            Some(_) => (self.emptied(), Vec::new()),
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
        let pin =
            self.pin.map(|pin| format!("pinned for {} s, asked by uid {} at {}", pin.for_ms / 1000, pin.uid, pin.at));
        [state, weight, pin].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// Nothing in force is at no place.
    fn tidied(self) -> Self {
        if self.is_nothing() { self.emptied() } else { self }
    }

    /// Nothing is in force, and that is as new as it was.
    fn emptied(self) -> Self {
        let Self { of, state_stamp, weight_stamp, pin_stamp, .. } = self;
        Self { state_stamp, weight_stamp, pin_stamp, ..Self::nothing(of) }
    }
}

fn weight_words(weight: &WeightAsked) -> String {
    format!("weight {}, asked by uid {} at {}", weight.is.get(), weight.uid, weight.at)
}

/// The weight that the configuration gives a server; `None`: a node, or a server it does not have.
pub(super) fn configured_weight(of: &Subject, config: &Config) -> Option<Weight> {
    configured(of, config).map(|configured| configured.weight)
}

/// What the configuration says of a server.
struct Configured {
    weight: Weight,
    /// Its address, or the name that tells it, whatever that is now.
    place: String,
}

fn configured(of: &Subject, config: &Config) -> Option<Configured> {
    let Subject::Server(backend, server) = of else { return None };
    let backend = config.backends.iter().find(|known| known.name == *backend)?;
    if let Some(named) = backend.named.iter().find(|named| named.may_be(server)) {
        return Some(Configured { weight: named.weight, place: place(&named.host, named.port) });
    }
    let server = backend.servers.iter().find(|known| known.name == *server)?;
    Some(Configured { weight: server.weight, place: place(&server.address, server.port) })
}

fn place(at: &impl std::fmt::Display, port: Option<NonZeroU16>) -> String {
    port.map_or_else(|| at.to_string(), |port| format!("{at}:{port}"))
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
