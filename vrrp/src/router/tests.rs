mod accept;
mod address;
mod fitness;
pub(super) mod harness;
mod heartbeat;
mod moves;
mod stall;
mod table;
mod timers;
