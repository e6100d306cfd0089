//! `lab ddns`: finds the public address, and has the names at Cloudflare follow it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use anyhow::Context;
use fmc_provision::ddns::{self, Change, Wanted};
use fmc_provision::lab::Lab;
use serde::Serialize;

use super::lab;
use crate::cli::lab::Ddns;
use crate::cloudflare::{self, Cloudflare};
use crate::exit::Exit;
use crate::render::{Output, Paint};

#[derive(Serialize)]
struct Row {
    state: &'static str,
    #[serde(flatten)]
    record: Wanted,
    /// What it was.
    before: Option<String>,
}

pub(super) fn run(asked: &Ddns, output: &mut Output) -> anyhow::Result<Exit> {
    let Some(checked) = lab::read(&asked.inventory)? else { return Ok(Exit::No) };
    let lab = checked.lab(asked.plan.as_deref(), asked.way.as_deref()).map_err(anyhow::Error::msg)?;
    let Some(cloudflare) = &lab.cloudflare else {
        output.note("the inventory has no [cloudflare]: there are no names to follow the address")?;
        return Ok(Exit::No);
    };
    let (file, token) = token(asked, &lab)?;
    let (v4, v6) = addresses(asked, &lab, output)?;
    let api = Cloudflare::new(&asked.api, &token, file.display().to_string(), asked.patience);
    let zone = api.zone(&cloudflare.zone.to_string())?;
    let mut rows = Vec::new();
    for wanted in ddns::wanted(&lab, v4, v6) {
        rows.push(follow(&api, &zone, wanted, asked.dry_run)?);
    }
    output.rows(&rows, row)?;
    Ok(Exit::Done)
}

fn follow(api: &Cloudflare<'_>, zone: &str, wanted: Wanted, dry_run: bool) -> anyhow::Result<Row> {
    let there = api.records(zone, &wanted.name)?;
    match ddns::change(wanted, &there) {
        Change::Nothing(record) => Ok(Row { state: "unchanged", record, before: None }),
        Change::Create(record) => {
            if !dry_run {
                api.create(zone, &record)?;
            }
            Ok(Row { state: if dry_run { "would create" } else { "created" }, record, before: None })
        }
        Change::Update { record: old, to: record } => {
            if !dry_run {
                api.update(zone, &old, &record)?;
            }
            let before = Some(format!("{}{}", old.content, if old.proxied { ", proxied" } else { "" }));
            Ok(Row { state: if dry_run { "would update" } else { "updated" }, record, before })
        }
    }
}

fn row(row: &Row, _: Paint) -> String {
    let Row { state, record: Wanted { name, kind, content, proxied, .. }, before } = row;
    let proxied = if *proxied { ", proxied" } else { "" };
    let before = before.as_ref().map(|before| format!(" (was {before})")).unwrap_or_default();
    format!("{state:<12} {kind:<4} {name} {content}{proxied}{before}")
}

/// Where it is, and what it says.
fn token(asked: &Ddns, lab: &Lab) -> anyhow::Result<(PathBuf, String)> {
    let name = lab.cloudflare.as_ref().map(|cloudflare| cloudflare.token.file().to_string()).unwrap_or_default();
    let of_systemd = || std::env::var_os("CREDENTIALS_DIRECTORY").map(|directory| PathBuf::from(directory).join(&name));
    let of_inventory = || PathBuf::from(lab.site.secrets.to_string()).join(&name);
    let file = asked.token_file.clone().or_else(of_systemd).unwrap_or_else(of_inventory);
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("cannot read the token in {}", file.display()))?;
    let token = text.trim().to_owned();
    anyhow::ensure!(
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "{} holds no token: one line, without blanks",
        file.display()
    );
    Ok((file, token))
}

/// IPv6 is a wish: where there is none, IPv4 still follows.
fn addresses(asked: &Ddns, lab: &Lab, output: &mut Output) -> anyhow::Result<(Option<Ipv4Addr>, Option<Ipv6Addr>)> {
    let given4 = asked.address.iter().find_map(|address| if let IpAddr::V4(v4) = address { Some(*v4) } else { None });
    let given6 = asked.address.iter().find_map(|address| if let IpAddr::V6(v6) = address { Some(*v6) } else { None });
    if let Some(fixed) = given4.or_else(|| ddns::fixed_address(lab)) {
        return Ok((Some(fixed), given6));
    }
    if given6.is_some() {
        return Ok((None, given6));
    }
    let IpAddr::V4(v4) = cloudflare::seen_from(&asked.ask, asked.patience)? else {
        anyhow::bail!("{} tells an IPv6 address where IPv4 was asked for: name another with --ask", asked.ask);
    };
    if !ddns::wants_ipv6(lab) {
        return Ok((Some(v4), None));
    }
    match cloudflare::seen_from(&asked.ask6, asked.patience) {
        Ok(IpAddr::V6(v6)) => Ok((Some(v4), Some(v6))),
        Ok(IpAddr::V4(_)) => Ok((Some(v4), None)),
        Err(error) => {
            output.note(&format!("AAAA records stay as they are, no IPv6 address was found: {error:#}"))?;
            Ok((Some(v4), None))
        }
    }
}
