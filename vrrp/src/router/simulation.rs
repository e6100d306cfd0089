//! Several routers on one virtual LAN and one virtual clock: seeded loss, delay, partitions, stalls, kills and falls of fitness.
//! A run that fails prints its seed and its event log.

mod clock;
mod hour;
mod lan;
mod scenarios;
mod watch;
mod wire;
