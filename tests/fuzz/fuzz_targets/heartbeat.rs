//! Without the key nothing is accepted. Without signatures at most one datagram counts of any two that are the same, and every
//! one is either accepted or counted.

#![no_main]

use fmc_vrrp::heartbeat::session::{Keys, Session};
use fmc_vrrp::heartbeat::{Heartbeat, MAX_VIRTUAL_ROUTERS};
use libfuzzer_sys::fuzz_target;

const SESSION: u64 = 0x0102_0304_0506_0708;

/// The input as the body of a datagram that passes the first checks and echoes the session.
fn framed(input: &[u8]) -> Vec<u8> {
    let count = (input.len().saturating_sub(16) / 12).min(MAX_VIRTUAL_ROUTERS);
    let mut bytes = b"fmc+\x02\x01".to_vec();
    bytes.extend([count as u8, 0]);
    bytes.extend(input.iter().chain(&[0; 16]).take(16));
    bytes.extend(SESSION.to_be_bytes());
    bytes.extend(1_u64.to_be_bytes());
    // Its configuration, and none of our signed advertisements.
    bytes.extend([0; 16]);
    bytes.extend(input.iter().skip(16).take(count * 12));
    bytes
}

fuzz_target!(|input: &[u8]| {
    let mut signed = Session::new(0, 1, SESSION, Keys::new([&[7; 32][..]]));
    assert!(signed.accept(input).is_err());

    let mut open = Session::new(0, 1, SESSION, Keys::default());
    open.encode(0, None, &[], &mut [0; 128]);
    let datagram = framed(input);
    let first: Option<Heartbeat> = open.accept(&datagram).ok();
    if let Some(heartbeat) = &first {
        assert_eq!(heartbeat.rank, 1);
        assert!(heartbeat.virtual_routers.iter().all(|report| report.virtual_router_id != 0));
    }
    assert!(open.accept(&datagram).is_err());
    let rejected: u64 = open.rejected().iter().sum();
    assert_eq!(rejected, 2 - u64::from(first.is_some()));
});
