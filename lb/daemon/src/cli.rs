//! The whole command line and its help.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// L4 load balancer with health checks and VRRP for a small Kubernetes site.
#[derive(Debug, Parser)]
#[command(name = "fmc-lb", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the balancer: own the virtual addresses, forward what arrives at them.
    Run {
        /// The configuration, the same file on every node.
        #[arg(long, value_name = "FILE", default_value = "/etc/fmc-lb/fmc-lb.toml")]
        config: PathBuf,
        /// Which node of the configuration this is; by default the one whose address this machine has.
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// Lock, admin socket and record of addresses.
        #[arg(long, value_name = "DIR", default_value = "/run/fmc-lb")]
        runtime_dir: PathBuf,
        /// What must outlive the service: what operators have asked.
        #[arg(long, value_name = "DIR", default_value = "/var/lib/fmc-lb")]
        state_dir: PathBuf,
        /// Beside a running HAProxy and Keepalived: hear the elections and check the servers, listen for no client, advertise and own
        /// nothing, and tell what this balancer would have done. `fmc-lbctl report observed` sums it up.
        #[arg(long)]
        observe: bool,
    },
    /// Check a configuration; exit 0 when it is valid, 1 with every error shown when not.
    Check {
        /// The configuration to check.
        #[arg(long, value_name = "FILE", default_value = "/etc/fmc-lb/fmc-lb.toml")]
        config: PathBuf,
        /// Print the configuration with every default filled in.
        #[arg(long)]
        effective: bool,
    },
    /// Remove every address that is ours and was left behind.
    Cleanup {
        /// The runtime directory of the instance that left it.
        #[arg(long, value_name = "DIR", default_value = "/run/fmc-lb")]
        runtime_dir: PathBuf,
    },
    /// Make the secret that the nodes sign their heartbeats with; never replaces a file.
    Keygen {
        /// Where to; as `key_file` in the configuration. /etc/fmc-lb/pair.key, or adverts.key beside it.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// A key for signed advertisements instead, which a Keepalived may have too.
        #[arg(long)]
        adverts: bool,
        /// Add a key to the file, as the first step of replacing the one in it: it is accepted, the one before it signs.
        #[arg(long)]
        add: bool,
    },
    /// Started by `run`.
    #[command(hide = true)]
    Keeper,
    /// Started by `run`.
    #[command(hide = true)]
    Proxy,
}
