//! What `sessions` takes.

use std::time::Duration;

use clap::Args;
use fmc_api::sessions::ClientFilter;
use fmc_api::word::SessionOrder;
use fmc_config::model::name::{BackendName, FrontendName, ServerName, VipName};

use crate::span;

#[derive(Debug, Args)]
pub(crate) struct Sessions {
    /// Only on this VIP.
    #[arg(long, value_name = "NAME")]
    pub(crate) vip: Option<VipName>,

    /// Only to this service.
    #[arg(long, value_name = "NAME")]
    pub(crate) frontend: Option<FrontendName>,

    /// Only those sent to this backend.
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<BackendName>,

    /// Only those on this server.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<ServerName>,

    /// Only from this address or network.
    #[arg(long, value_name = "ADDRESS[/LENGTH]")]
    pub(crate) client: Option<ClientFilter>,

    /// Only those that have been open for at least this long.
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    pub(crate) older_than: Option<Duration>,

    /// Only those without a byte for at least this long.
    #[arg(long, value_name = "SPAN", value_parser = span::parse)]
    pub(crate) idle_for: Option<Duration>,

    /// Which come first: the oldest (age), the longest without a byte (idle), those with the most bytes (bytes), by client or by server.
    #[arg(long, value_name = "ORDER", default_value_t = SessionOrder::Age)]
    pub(crate) sort: SessionOrder,

    /// The other way round: the youngest first, say.
    #[arg(long, short)]
    pub(crate) reverse: bool,

    /// At most so many [default: 1000].
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}
