//! `bundle`: everything that somebody who helps needs to see of the nodes, as files of text without secrets.
//!
//! It looks and changes nothing. What cannot be had is named in `missing.txt`, with the reason: a bundle is made when things are broken.

mod machine;
mod scrub;

use std::path::Path;

use fmc_api::client::ClientError;
use fmc_api::events::EventQuery;
use fmc_api::sessions::SessionQuery;
use fmc_api::{Client, Nodes};
use serde::Serialize;

use crate::doctor;
use scrub::Secrets;

/// Files by their names, in the order gathered.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    files: Vec<(String, String)>,
    missing: String,
}

impl Bundle {
    /// Of this machine, and of every node that its service reaches. `config` is the file that the service starts with.
    pub(crate) async fn gather(client: &Client, config: &Path) -> Self {
        let mut bundle = Self::default();
        let text = std::fs::read_to_string(config);
        let secrets = text.as_deref().map(Secrets::of).unwrap_or_default();
        bundle.put("configuration.toml", text.map_err(|error| format!("{}: {error}", config.display())));
        bundle.ask_nodes(client).await;
        let examined = doctor::examine(config, Some(client), doctor::Language::En).await;
        bundle.put("doctor.json", serde_json::to_string_pretty(&examined).map_err(|error| error.to_string()));
        machine::gather(&mut bundle);
        bundle.finish(&secrets)
    }

    async fn ask_nodes(&mut self, client: &Client) {
        let here = client.clone().for_nodes(Nodes::This);
        let status = here.status().await;
        let others: Vec<_> = status.iter().flat_map(|status| &status.peers).map(|peer| peer.node.clone()).collect();
        let name = status.as_ref().map_or_else(|_| "this-node".to_owned(), |status| status.node.to_string());
        self.ask(&name, &here).await;
        for node in others {
            self.ask(node.as_str(), &client.clone().for_nodes(Nodes::Node(node.clone()))).await;
        }
    }

    async fn ask(&mut self, node: &str, client: &Client) {
        self.answer(node, "status", client.status().await);
        self.answer(node, "backends", client.backends().await);
        self.answer(node, "sessions", client.sessions(&SessionQuery::default()).await);
        self.answer(node, "events", client.events(EventQuery::default()).await);
        self.answer(node, "failovers", client.failovers().await);
        let in_force = client.configuration().await.map(|answer| answer.text);
        self.put(&format!("{node}/in-force.toml"), in_force.map_err(|error| error.to_string()));
    }

    fn answer<T: Serialize>(&mut self, node: &str, what: &str, answer: Result<T, ClientError>) {
        let text = answer
            .map_err(|error| error.to_string())
            .and_then(|answer| serde_json::to_string_pretty(&answer).map_err(|error| error.to_string()));
        self.put(&format!("{node}/{what}.json"), text);
    }

    fn put(&mut self, name: &str, text: Result<String, String>) {
        match text {
            Ok(text) => self.files.push((name.to_owned(), text)),
            Err(why) => self.missing.push_str(&format!("{name}: {why}\n")),
        }
    }

    fn finish(mut self, secrets: &Secrets) -> Self {
        let missing = std::mem::take(&mut self.missing);
        self.files.push(("missing.txt".to_owned(), missing));
        self.files.iter_mut().for_each(|(_, text)| *text = secrets.removed_from(text));
        self
    }

    /// A gzip-compressed tar archive, every file below the directory `name`.
    ///
    /// # Errors
    /// What `to` does not take.
    pub(crate) fn write(&self, name: &str, to: impl std::io::Write) -> std::io::Result<()> {
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(to, flate2::Compression::default()));
        for (file, text) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(now());
            archive.append_data(&mut header, format!("{name}/{file}"), text.as_bytes())?;
        }
        archive.into_inner()?.finish()?.flush()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.files.len()
    }
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}
