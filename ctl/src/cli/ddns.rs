//! What `lab ddns` takes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::span;

#[derive(Debug, Args)]
pub(crate) struct Ddns {
    /// The inventory; `-` reads it from standard input.
    pub(crate) inventory: PathBuf,

    /// The file with the token, which may edit the zone's records [default: of systemd's credentials, else where the inventory has its
    /// secrets].
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Say what would change, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The public address, instead of asking for it; twice for IPv4 and IPv6.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Vec<IpAddr>,

    /// Who tells the public IPv4 address: a text with `ip=ADDRESS` in a line, or the address alone.
    #[arg(long, value_name = "URL", default_value = "https://1.1.1.1/cdn-cgi/trace")]
    pub(crate) ask: String,

    /// The same for IPv6.
    #[arg(long, value_name = "URL", default_value = "https://[2606:4700:4700::1111]/cdn-cgi/trace")]
    pub(crate) ask6: String,

    /// Where the API is.
    #[arg(long, value_name = "URL", default_value = "https://api.cloudflare.com/client/v4")]
    pub(crate) api: String,

    /// For how long what fails is tried again, less and less often.
    #[arg(long, value_name = "SPAN", default_value = "1m", value_parser = span::parse)]
    pub(crate) patience: Duration,

    /// The address plan [default: the one that the inventory calls live].
    #[arg(long, value_name = "NAME")]
    pub(crate) plan: Option<String>,

    /// The way in from the Internet [default: the one that the inventory calls live].
    #[arg(long, value_name = "NAME")]
    pub(crate) way: Option<String>,
}
