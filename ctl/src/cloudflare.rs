//! Cloudflare's API v4, as far as records of one zone go; and whoever tells the public address.

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fmc_provision::ddns::{Record, Wanted};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{Response, StatusCode};

/// One question and its answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// The first pause after a failure; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Nobody has more records of one name.
const LONGEST_ANSWER: u64 = 1 << 20;

/// The API with a token.
pub(crate) struct Cloudflare<'a> {
    agent: Agent,
    base: &'a str,
    token: &'a str,
    /// Where the token is had, for whom it is refused.
    token_is_in: String,
    patience: Duration,
}

/// What every answer is wrapped in.
#[derive(Deserialize)]
struct Answer<T> {
    success: bool,
    #[serde(default)]
    errors: Vec<Trouble>,
    result: Option<T>,
}

#[derive(Deserialize)]
struct Trouble {
    code: i64,
    message: String,
}

#[derive(Deserialize)]
struct Zone {
    id: String,
}

/// What is asked for.
enum Question<'q> {
    Get,
    Post(&'q str),
    Patch(&'q str),
}

impl<'a> Cloudflare<'a> {
    pub(crate) fn new(base: &'a str, token: &'a str, token_is_in: String, patience: Duration) -> Self {
        Self { agent: agent(), base: base.trim_end_matches('/'), token, token_is_in, patience }
    }

    /// The zone's identifier.
    pub(crate) fn zone(&self, name: &str) -> anyhow::Result<String> {
        let zones: Vec<Zone> = self.ask(&format!("/zones?name={name}"), &Question::Get)?;
        let zone = zones.into_iter().next();
        zone.map(|zone| zone.id).with_context(|| {
            format!("Cloudflare shows no zone {name} to this token: name the zone in [cloudflare], or let the token of {} see it", self.token_is_in)
        })
    }

    /// The records of a name, of every type.
    pub(crate) fn records(&self, zone: &str, name: &str) -> anyhow::Result<Vec<Record>> {
        self.ask(&format!("/zones/{zone}/dns_records?name={name}&per_page=100"), &Question::Get)
    }

    pub(crate) fn create(&self, zone: &str, wanted: &Wanted) -> anyhow::Result<Record> {
        self.ask(&format!("/zones/{zone}/dns_records"), &Question::Post(&serde_json::to_string(wanted)?))
    }

    pub(crate) fn update(&self, zone: &str, record: &Record, to: &Wanted) -> anyhow::Result<Record> {
        let path = format!("/zones/{zone}/dns_records/{}", record.id);
        self.ask(&path, &Question::Patch(&serde_json::to_string(to)?))
    }

    fn ask<T: DeserializeOwned>(&self, path: &str, question: &Question<'_>) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.base);
        let (status, text) = patiently(self.patience, || self.once(&url, question))?;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            bail!(
                "Cloudflare refuses the token of {}: make one that may edit DNS of this zone, and write it there",
                self.token_is_in
            );
        }
        let answer: Answer<T> =
            serde_json::from_str(&text).with_context(|| format!("{url} answers {status}, and not as the API does"))?;
        let troubles: Vec<String> =
            answer.errors.iter().map(|trouble| format!("{} ({})", trouble.message, trouble.code)).collect();
        match answer.result.filter(|_| answer.success) {
            Some(result) => Ok(result),
            None => bail!("{url} answers {status}: {}", troubles.join("; ")),
        }
    }

    fn once(&self, url: &str, question: &Question<'_>) -> Result<Response<ureq::Body>, ureq::Error> {
        let bearer = format!("Bearer {}", self.token);
        match question {
            Question::Get => self.agent.get(url).header("Authorization", bearer).call(),
            Question::Post(body) => self.agent.post(url).header("Authorization", bearer).content_type(JSON).send(*body),
            Question::Patch(body) => {
                self.agent.patch(url).header("Authorization", bearer).content_type(JSON).send(*body)
            }
        }
    }
}

const JSON: &str = "application/json";

/// The address from which this machine is seen.
pub(crate) fn seen_from(url: &str, patience: Duration) -> anyhow::Result<IpAddr> {
    let agent = agent();
    let (status, text) = patiently(patience, || agent.get(url).call())?;
    let told = text.lines().find_map(|line| line.strip_prefix("ip=")).unwrap_or(text.as_str()).trim();
    told.parse().with_context(|| {
        let start: String = told.chars().take(40).collect();
        format!("{url} answers {status} and {start:?}, which is no address: name another with --ask, or the address with --address")
    })
}

fn agent() -> Agent {
    let config = Agent::config_builder().timeout_global(Some(ANSWERED_WITHIN)).http_status_as_error(false);
    config.user_agent(concat!("fmc-lbctl/", env!("CARGO_PKG_VERSION"))).build().into()
}

/// Asks until an answer comes that another try would not better, or patience ends: no answer, 429 and 5xx may pass.
fn patiently(
    patience: Duration,
    ask: impl Fn() -> Result<Response<ureq::Body>, ureq::Error>,
) -> anyhow::Result<(StatusCode, String)> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        let answer = ask();
        let wanted = answer.as_ref().ok().and_then(retry_after);
        let passes = answer.as_ref().map_or(true, |answer| may_pass(answer.status()));
        let next = wanted.unwrap_or(pause);
        if !passes || began.elapsed() + next > patience {
            let mut answer = answer?;
            let text = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string()?;
            return Ok((answer.status(), text));
        }
        sleep(next);
        pause *= 2;
    }
}

fn may_pass(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// In seconds (RFC 9110 §10.2.3); a date is not waited for.
fn retry_after(answer: &Response<ureq::Body>) -> Option<Duration> {
    let value = answer.headers().get("retry-after")?.to_str().ok()?;
    value.parse().ok().map(Duration::from_secs)
}
