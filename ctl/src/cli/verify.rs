//! What `lab verify` takes.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::span;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The inventory; `-` reads it from standard input.
    pub(crate) inventory: PathBuf,

    /// Show only what is not so.
    #[arg(long)]
    pub(crate) failures: bool,

    /// The cluster's kubeconfig: its API must be the virtual address, with a certificate of its CA.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// The cluster's CA instead, in PEM: `/var/lib/rancher/k3s/server/tls/server-ca.crt` of a server.
    #[arg(long, value_name = "FILE", conflicts_with = "kubeconfig")]
    pub(crate) cluster_ca: Option<PathBuf>,

    /// From outside: the public address, at which the forwards must be open and everything else must not.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) public: Option<Ipv4Addr>,

    /// How long an answer is waited for. A port is shut when none came.
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = span::parse)]
    pub(crate) patience: Duration,

    /// The address plan [default: the one that the inventory calls live].
    #[arg(long, value_name = "NAME")]
    pub(crate) plan: Option<String>,

    /// The way in from the Internet [default: the one that the inventory calls live].
    #[arg(long, value_name = "NAME")]
    pub(crate) way: Option<String>,
}
