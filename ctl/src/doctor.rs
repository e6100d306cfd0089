//! `doctor`: what of this machine and its network keeps a balancer from working, each with the edit that mends it.
//!
//! It looks and changes nothing. What is asked of other programs (`ip`, `ss`, `nft`) is asked of their machine-readable answers; each
//! examination is a file, and what it makes of the answers is a function of them.

mod conntrack;
mod firewall;
mod foreign;
mod iptables;
mod language;
mod machine;
mod message;
mod nftables;
mod packet;
mod path;
mod ports;
mod service;
mod site;
mod virtual_routers;

use std::path::Path;

use fmc_api::Client;
use serde::Serialize;

pub(crate) use language::Language;
pub(crate) use message::Message;

use site::Site;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Examination {
    /// Nothing is wrong.
    pub(crate) healthy: bool,
    /// In the order examined.
    pub(crate) findings: Vec<Finding>,
    #[serde(skip)]
    pub(crate) language: Language,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What it is about: the same word in every language.
    pub(crate) about: &'static str,
    /// How it is.
    pub(crate) verdict: Verdict,
    /// What was found, one sentence in the language asked for.
    pub(crate) what: String,
    /// What to do; `null`: nothing.
    pub(crate) fix: Option<String>,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// As it should be.
    Good,
    /// Worth knowing, or not decided here.
    Note,
    /// It keeps a balancer from working, now or when it counts.
    Wrong,
}

/// What is found, in the language asked for.
pub(crate) struct Findings {
    language: Language,
    all: Vec<Finding>,
}

impl Findings {
    pub(crate) fn add(&mut self, about: &'static str, verdict: Verdict, message: &Message) {
        let (what, fix) = message.in_words(self.language);
        self.all.push(Finding { about, verdict, what, fix });
    }

    pub(crate) fn good(&mut self, about: &'static str, message: &Message) {
        self.add(about, Verdict::Good, message);
    }

    pub(crate) fn note(&mut self, about: &'static str, message: &Message) {
        self.add(about, Verdict::Note, message);
    }

    pub(crate) fn wrong(&mut self, about: &'static str, message: &Message) {
        self.add(about, Verdict::Wrong, message);
    }
}

/// Examines this machine for the configuration in `file`; with a client, the running service too.
pub(crate) async fn examine(file: &Path, service: Option<&Client>, language: Language) -> Examination {
    let mut found = Findings { language, all: Vec::new() };
    machine::examine(&mut found);
    conntrack::examine(&mut found);
    if let Some(site) = Site::read(file, service.is_none(), &mut found) {
        ports::examine(&site, &mut found);
        firewall::examine(&site, &mut found);
        foreign::examine(&site, &mut found);
        virtual_routers::examine(&site, &mut found);
        path::examine(&site, &mut found);
        if let Some(client) = service {
            service::examine(client, &site, &mut found).await;
        }
    }
    let healthy = found.all.iter().all(|finding| finding.verdict != Verdict::Wrong);
    Examination { healthy, findings: found.all, language }
}
