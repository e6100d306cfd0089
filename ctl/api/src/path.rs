//! The paths of the admin API. `GET` unless said otherwise; `POST` is answered on the unix socket, and over TLS by `[admin.remote]`.

/// [`crate::status::Status`].
pub const STATUS: &str = "/v1/status";
/// [`crate::status::VipList`].
pub const VIPS: &str = "/v1/vips";
/// [`crate::backends::BackendList`].
pub const BACKENDS: &str = "/v1/backends";
/// [`crate::sessions::SessionList`]; takes a [`crate::sessions::SessionQuery`].
pub const SESSIONS: &str = "/v1/sessions";
/// [`crate::events::EventList`]; takes an [`crate::events::EventQuery`].
pub const EVENTS: &str = "/v1/events";
/// [`crate::history::HistoryList`].
pub const HISTORY: &str = "/v1/history";
/// Server-sent events `status`, `backends`, `events` and `history`, each with what is answered at the path of that name.
pub const LIVE: &str = "/v1/live";
/// [`crate::failovers::FailoverList`].
pub const FAILOVERS: &str = "/v1/failovers";
/// [`crate::observed`].
pub const OBSERVED: &str = "/v1/observed";
/// `POST` [`crate::command::SetState`], answered by [`crate::command::StateAnswer`].
pub const DRAIN: &str = "/v1/drain";
/// `POST` [`crate::command::SetState`], answered by [`crate::command::StateAnswer`].
pub const READY: &str = "/v1/ready";
/// `POST` [`crate::command::SetState`], answered by [`crate::command::StateAnswer`].
pub const MAINT: &str = "/v1/maint";
/// `POST` [`crate::command::SetWeight`], answered by [`crate::command::WeightAnswer`].
pub const WEIGHT: &str = "/v1/weight";
/// `POST` [`crate::command::Undo`], answered by [`crate::command::UndoAnswer`].
pub const UNDO: &str = "/v1/undo";
/// `POST` [`crate::command::Pin`], answered by [`crate::command::PinAnswer`].
pub const PIN: &str = "/v1/pin";
/// `POST` [`crate::command::Kill`], answered by [`crate::command::KillAnswer`].
pub const KILL: &str = "/v1/kill";
/// `POST` [`crate::probe::Probe`], answered by [`crate::probe::ProbeAnswer`].
pub const PROBE: &str = "/v1/probe";
/// `POST` [`crate::command::Failover`], answered by [`crate::command::FailoverAnswer`].
pub const FAILOVER: &str = "/v1/failover";
/// `POST` [`crate::rebalance::Rebalance`], answered by [`crate::rebalance::RebalanceAnswer`].
pub const REBALANCE: &str = "/v1/rebalance";
/// `POST` [`crate::configure::Configure`], answered by [`crate::configure::ConfigureAnswer`].
pub const CONFIGURE: &str = "/v1/configure";
/// [`crate::pair::PairReport`]; takes a [`crate::pair::PairQuery`]. Not on the status addresses.
pub const PAIR: &str = "/v1/pair";
/// What operators asked of any node and server, as a TOML record of the daemon. Not on the status addresses.
pub const PAIR_ADMINISTRATIVE: &str = "/v1/pair/administrative";
/// `POST` [`crate::configure::Confirm`], answered by [`crate::configure::ConfirmAnswer`]: what is on trial stays.
pub const CONFIRM: &str = "/v1/confirm";
/// `POST` [`crate::configure::Confirm`], answered by [`crate::configure::ConfirmAnswer`]: what is on trial goes.
pub const ROLLBACK: &str = "/v1/rollback";
/// [`crate::configure::ConfigurationText`]. Not on the status addresses.
pub const CONFIGURATION: &str = "/v1/configuration";
/// Followed by a name: [`crate::explain::VipExplanation`].
pub const EXPLAIN_VIP: &str = "/v1/explain/vip/";
/// Followed by a name: [`crate::explain::BackendExplanation`].
pub const EXPLAIN_BACKEND: &str = "/v1/explain/backend/";
