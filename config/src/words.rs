//! The words of the file for the choices of the model, in one place, so that reading and writing agree.

use crate::model::backend::{Balance, ProxyProtocol};
use crate::model::election::{AuthMode, ChecksumForm, Transport};
use crate::model::frontend::{Profile, Protocol, WhenNoServer};

/// Words and what each means.
pub(crate) type Words<T> = &'static [(&'static str, T)];

pub(crate) const PROFILE: Words<Profile> =
    &[("k8s-api", Profile::K8sApi), ("traefik-web", Profile::TraefikWeb), ("tcp", Profile::Tcp)];

pub(crate) const PROTOCOL: Words<Protocol> =
    &[(Protocol::Tcp.word(), Protocol::Tcp), (Protocol::Udp.word(), Protocol::Udp)];

pub(crate) const BALANCE: Words<Balance> = &[
    ("least-connections", Balance::LeastConnections),
    ("round-robin", Balance::RoundRobin),
    ("power-of-two", Balance::PowerOfTwo),
    ("source-hash", Balance::SourceHash),
    ("first", Balance::First),
];

pub(crate) const PROXY_PROTOCOL: Words<ProxyProtocol> = &[("v2", ProxyProtocol::V2)];

pub(crate) const WHEN_NO_SERVER: Words<WhenNoServer> =
    &[("reset", WhenNoServer::Reset), ("close", WhenNoServer::Close)];

pub(crate) const CHECKSUM: Words<ChecksumForm> =
    &[("pseudo-header", ChecksumForm::PseudoHeader), ("message", ChecksumForm::Message)];

pub(crate) const TRANSPORT: Words<Transport> = &[("multicast", Transport::Multicast), ("unicast", Transport::Unicast)];

pub(crate) const AUTH_MODE: Words<AuthMode> =
    &[("receive-only", AuthMode::ReceiveOnly), ("permissive", AuthMode::Permissive), ("enforce", AuthMode::Enforce)];

/// What `[election] profile` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElectionProfile {
    Standard,
    Fast,
    Compat,
}

pub(crate) const ELECTION_PROFILE: Words<ElectionProfile> =
    &[("standard", ElectionProfile::Standard), ("fast", ElectionProfile::Fast), ("compat", ElectionProfile::Compat)];

/// What `check.type` may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckKind {
    Tcp,
    Tls,
    Http,
    Https,
    SendExpect,
    Command,
    K3sApi,
}

pub(crate) const CHECK_KIND: Words<CheckKind> = &[
    ("tcp", CheckKind::Tcp),
    ("tls", CheckKind::Tls),
    ("http", CheckKind::Http),
    ("https", CheckKind::Https),
    ("send-expect", CheckKind::SendExpect),
    ("command", CheckKind::Command),
    ("k3s-api", CheckKind::K3sApi),
];

/// The word for `meaning`.
pub(crate) fn word<T: Copy + PartialEq>(words: Words<T>, meaning: T) -> &'static str {
    words.iter().find(|(_, candidate)| *candidate == meaning).map_or("", |(word, _)| *word)
}
