//! Exit codes of `fmc-lb`, as in sysexits.h where it has one.

/// Done.
pub(crate) const DONE: u8 = 0;
/// The answer is no: `check` found the configuration invalid.
pub(crate) const NO: u8 = 1;
/// Failed; also a role that refuses to start for a reason an operator must mend.
pub(crate) const FAILED: u8 = 2;
/// The configuration is invalid (EX_CONFIG); the unit does not restart after it.
pub(crate) const CONFIG: u8 = 78;

/// Whether a role that never worked and ends with `code` will end so again: the service reports it and stops.
pub(crate) fn is_refusal(code: i32) -> bool {
    code == i32::from(FAILED) || code == i32::from(CONFIG)
}
