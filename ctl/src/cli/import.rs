//! What `import` is told beside the files.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use fmc_config::model::name::{NameError, NodeName, VipName};

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// HAProxy's configuration; the same on every node.
    #[arg(value_name = "HAPROXY_CFG")]
    pub(crate) haproxy: PathBuf,

    /// Keepalived's, one file for each node, or one with @name lines for all.
    #[arg(value_name = "KEEPALIVED_CONF")]
    pub(crate) keepalived: Vec<PathBuf>,

    /// Where the configuration goes; a file that is there already stays. Without it there is only the report.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// A balancer and its own address, in the order of the Keepalived files; once for each.
    // Another name than the global `--node`, which asks a running node.
    #[arg(long = "balancer", value_name = "NAME=ADDRESS", value_parser = named_address::<NodeName>)]
    pub(crate) nodes: Vec<(NodeName, IpAddr)>,

    /// A virtual address, where no Keepalived file names it.
    #[arg(long = "vip", value_name = "NAME=ADDRESS", value_parser = named_address::<VipName>)]
    pub(crate) vips: Vec<(VipName, IpAddr)>,

    /// For a live migration: speak what Keepalived speaks, and rank below it.
    #[arg(long)]
    pub(crate) beside_keepalived: bool,
}

fn named_address<N: std::str::FromStr<Err = NameError>>(text: &str) -> Result<(N, IpAddr), String> {
    let (name, address) = text.split_once('=').ok_or("write NAME=ADDRESS")?;
    let address = address.parse().map_err(|_| format!("{address:?} is no address"))?;
    Ok((name.parse().map_err(|error: NameError| error.to_string())?, address))
}
