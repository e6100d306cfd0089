//! The keeper: elects the owners of the VIPs and holds their addresses. Synchronous, no runtime, no TOML.
//!
//! Its settings come from the proxy, at each introduction. The same settings again change nothing; other ones end the
//! election in good order and begin a new one, unless the one under way can take them over in place.

mod desk;
mod roles;

use std::process::ExitCode;

use anyhow::Result;
use fmc_vrrp::driver::Keeper;
use tracing::{error, info};

use crate::privilege::KEEPER;
use crate::runtime_dir::RuntimeDir;
use crate::{exit, lifeline, log};
use desk::Desk;

/// The role's whole life.
pub(crate) fn main() -> Result<ExitCode> {
    let (lifeline, begin) = lifeline::take()?;
    // What ps(1) and ss(8) show.
    nix::sys::prctl::set_name(c"fmc-lb-keeper")?;
    KEEPER.assume()?;
    let _log = log::start();
    let leases = RuntimeDir::leases(&begin.runtime_dir);
    let mut desk = Desk::new(lifeline, leases.clone())?;
    while let Some(settings) = desk.await_settings() {
        let vips = settings.vips.len();
        match Keeper::start(settings, &leases) {
            Ok(keeper) => {
                info!(vips, "the election begins");
                desk.begin();
                keeper.run(&mut desk);
            }
            Err(refusal) => {
                error!("{refusal}");
                return Ok(ExitCode::from(exit::FAILED));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
