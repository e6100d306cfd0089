//! `lab verify`: whether the lab is what its inventory says, as seen from this machine.

use std::path::Path;

use anyhow::Context;
use fmc_provision::kubeconfig;
use fmc_provision::lab::Lab;
use fmc_provision::verify::{self, Expectation, Vantage, Verdict};

use crate::cli::lab::Verify;
use crate::exit::Exit;
use crate::render::{Output, verify as shown};
use crate::verify::{self as probes, Authority, Means};

pub(super) async fn run(asked: &Verify, output: &mut Output) -> anyhow::Result<Exit> {
    let Some(checked) = super::read(&asked.inventory)? else { return Ok(Exit::No) };
    let lab = checked.lab(asked.plan.as_deref(), asked.way.as_deref()).map_err(anyhow::Error::msg)?;
    let means = means(asked)?;
    let vantage = vantage(asked, &lab, means.authority.is_some())?;
    let expectations = verify::expectations(&lab, &vantage);
    let seen = probes::observe(&expectations, means).await;
    let rows = expectations.iter().zip(&seen).map(|(Expectation { what, purpose, look, .. }, seen)| {
        shown::Row::new(what, verify::judge(what, seen), purpose, look)
    });
    let report = shown::Report::new(verify::seat(&lab, &vantage), rows.collect());
    let wrong = report.count(Verdict::False) > 0;
    output.answer(&if asked.failures { report.failures() } else { report }, shown::report)?;
    Ok(if wrong { Exit::No } else { Exit::Done })
}

fn vantage(asked: &Verify, lab: &Lab, has_ca: bool) -> anyhow::Result<Vantage> {
    let own = probes::own().context("cannot list this machine's addresses")?;
    let sources = probes::sources(verify::destinations(lab, asked.public));
    Ok(Vantage { own, sources, public: asked.public, has_ca })
}

fn means(asked: &Verify) -> anyhow::Result<Means> {
    let (mut authority, mut api) = (None, None);
    if let Some(file) = &asked.cluster_ca {
        authority = Some(authority_of(file)?);
    }
    if let Some(file) = &asked.kubeconfig {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let kubeconfig = kubeconfig::read(&text).map_err(anyhow::Error::msg);
        let kubeconfig = kubeconfig.with_context(|| format!("{} is no kubeconfig of a cluster", file.display()))?;
        authority = Some(match &kubeconfig.authority {
            kubeconfig::Authority::File(path) => authority_of(&file.parent().unwrap_or(Path::new(".")).join(path))?,
            kubeconfig::Authority::Inline(pem) => {
                Authority::from_pem(pem).with_context(|| format!("the CA in {}", file.display()))?
            }
        });
        api = Some(kubeconfig.server);
    }
    Ok(Means { patience: asked.patience, authority, api })
}

fn authority_of(file: &Path) -> anyhow::Result<Authority> {
    let pem = std::fs::read(file).with_context(|| format!("cannot read the CA {}", file.display()))?;
    Authority::from_pem(&pem).with_context(|| format!("the CA {}", file.display()))
}
