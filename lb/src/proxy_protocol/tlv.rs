//! The extensions of a header of version 2: type, length, value, one after the other (§2.2).

use super::{Malformed, crc32c};

/// CRC-32C over the whole header, computed with these four bytes as zeroes (§2.2.3).
const CRC32C: u8 = 0x03;
/// Padding (§2.2.4).
const NOOP: u8 = 0x04;

/// What a proxy says of a connection beside its addresses: ALPN, the server name, TLS details, its own types. Passed on as it is, but for
/// what was only meant for us: the checksum of the header that it came in, and padding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tlvs(Box<[u8]>);

impl Tlvs {
    /// The extensions of `header`, which begin at `start`.
    pub(super) fn decode(header: &[u8], start: usize) -> Result<Self, Malformed> {
        let (mut kept, mut rest) = (Vec::new(), &header[start..]);
        while !rest.is_empty() {
            let [kind, high, low, ..] = *rest else { return Err(Malformed::Tlv) };
            let length = 3 + usize::from(u16::from_be_bytes([high, low]));
            let (whole, after) = rest.split_at_checked(length).ok_or(Malformed::Tlv)?;
            match kind {
                CRC32C => verify(header, header.len() - rest.len() + 3, &whole[3..])?,
                NOOP => {}
                _ => kept.extend_from_slice(whole),
            }
            rest = after;
        }
        Ok(Self(kept.into()))
    }

    /// As they stand in a header.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// `at` is where the four bytes of the checksum stand in the header.
fn verify(header: &[u8], at: usize, said: &[u8]) -> Result<(), Malformed> {
    let said: [u8; 4] = said.try_into().map_err(|_| Malformed::Tlv)?;
    let parts = [&header[..at], &[0; 4], &header[at + 4..]];
    match crc32c::of(&parts) == u32::from_be_bytes(said) {
        true => Ok(()),
        false => Err(Malformed::Checksum),
    }
}
