//! The checksum of a header: CRC-32C (RFC 9260 appendix A), bit by bit. A header has a few hundred bytes, and few carry one.

/// The polynomial, its bits in the order that the checksum takes them.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Over all parts, one after the other.
pub(super) fn of(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc)))
}

fn shift(crc: u32) -> u32 {
    if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_is_the_published_one() {
        assert_eq!(super::of(&[b"1234", b"56789"]), 0xe306_9283);
    }
}
