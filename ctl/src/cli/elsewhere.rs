//! A daemon of another machine, and what is shown to it.

use std::path::PathBuf;

use clap::Args;
use fmc_api::remote::{Identification, IdentificationError, Remote, RemoteAddress};

/// Said once, for the whole tool: the pages of the verbs would repeat it.
const ELSEWHERE: &str = "From elsewhere";

/// All of it together, or nothing.
#[derive(Debug, Args)]
pub(crate) struct Elsewhere {
    /// Talk to the daemon at https://HOST:PORT, its [admin.remote], instead of --socket.
    #[arg(long, global = true, help_heading = ELSEWHERE, value_name = "URL")]
    pub(crate) remote: Option<RemoteAddress>,

    /// With --remote: whose certificate it must show, PEM.
    #[arg(long, global = true, help_heading = ELSEWHERE, value_name = "FILE", default_value = "/etc/fmc-lb/admin-ca.crt")]
    pub(crate) ca: PathBuf,

    /// With --remote: the token that commands need.
    #[arg(long, global = true, help_heading = ELSEWHERE, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// With --remote: our certificate, PEM, where it asks for one; with --cert-key.
    #[arg(long, global = true, help_heading = ELSEWHERE, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// With --remote: the private key of --cert, PEM.
    #[arg(long, global = true, help_heading = ELSEWHERE, value_name = "FILE")]
    pub(crate) cert_key: Option<PathBuf>,
}

impl Elsewhere {
    /// `None`: the daemon of this machine.
    pub(crate) fn remote(&self) -> Result<Option<Remote>, IdentificationError> {
        let shown = Identification {
            ca_file: self.ca.clone(),
            token_file: self.token_file.clone(),
            certificate: self.cert.clone().zip(self.cert_key.clone()),
        };
        self.remote.clone().map(|address| Remote::new(address, &shown)).transpose()
    }
}
