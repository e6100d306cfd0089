//! The balancers' configuration: the shipped examples, and variations of them.

use std::path::{Path, PathBuf};

use crate::lab::Lab;
use crate::server::{COUNT_PORT, ECHO_PORT};

/// A key of signed adverts, number 1: that of the draft's appendix, and of `tests/peers/keepalived-v3-signed.conf`.
pub const ADVERT_KEY: &str = "1 hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

/// A configuration file in the making.
#[derive(Debug, Clone)]
pub struct Configuration {
    text: String,
}

impl Configuration {
    /// `config/examples/flatcar-micro-cloud.toml`, as shipped.
    pub fn flatcar_micro_cloud() -> Self {
        Self::example("flatcar-micro-cloud.toml")
    }

    /// A file of `config/examples`.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn example(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { text }
    }

    /// A file that another program wrote.
    pub fn from_text(text: String) -> Self {
        Self { text }
    }

    /// With more tables at the end.
    pub fn with(mut self, tables: &str) -> Self {
        self.text.push('\n');
        self.text.push_str(tables);
        self
    }

    /// With the workers' echo and count services on the web address: see [`crate::server::ECHO_PORT`].
    pub fn with_streams(self) -> Self {
        let service = |name: &str, port: u16| {
            format!(
                "[frontends.{name}]\nvip = \"web\"\nport = {port}\nprofile = \"traefik-web\"\nbackend = \"workers\"\n"
            )
        };
        self.with(&service("echo", ECHO_PORT)).with(&service("count", COUNT_PORT))
    }

    /// With one text in the place of another.
    ///
    /// # Panics
    /// When the text to replace is not there, because the example has changed.
    pub fn replace(self, old: &str, new: &str) -> Self {
        assert!(self.text.contains(old), "the example no longer says {old:?}");
        Self { text: self.text.replace(old, new) }
    }

    /// With a key for the pair, whose keys are the lines of `keys`; the file is `pair.key` of the lab.
    pub fn with_key(self, lab: &Lab, keys: &str) -> Self {
        let file = lab.write("pair.key", keys);
        self.with(&format!("[pair]\nkey_file = \"{}\"\n", file.display()))
    }

    /// With signed adverts, whose keys are the lines of `keys`, for example [`ADVERT_KEY`]; the file is `adverts.key` of the lab.
    pub fn with_signed_adverts(self, lab: &Lab, keys: &str, mode: &str) -> Self {
        let file = lab.write("adverts.key", keys);
        self.with(&format!("[election.auth_hmac]\nkey_file = \"{}\"\nmode = \"{mode}\"\n", file.display()))
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Writes it where the service's users can read it.
    pub fn write(&self, lab: &Lab, name: &str) -> PathBuf {
        lab.write(name, &self.text)
    }
}
