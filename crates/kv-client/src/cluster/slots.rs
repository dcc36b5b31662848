//! Which of the 16384 slots a key is in.

/// Number of slots.
pub(crate) const SLOTS: usize = 16384;

/// The slot of a key in a cluster, from 0 to 16383: CRC16 of its hash tag, or of the whole key if it has none.
///
/// The hash tag is what stands between the first `{` and the next `}`, unless that is nothing. Keys with the same tag are in
/// the same slot, and so can be used together by one command or transaction; see the [cluster specification].
///
/// ```
/// use kv_client::key_slot;
///
/// assert_eq!(key_slot("{user:1}:name"), key_slot("{user:1}:visits"));
/// ```
///
/// [cluster specification]: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
#[must_use]
pub fn key_slot(key: impl AsRef<[u8]>) -> u16 {
    crc16(tag(key.as_ref())) % 16384
}

fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else {
        return key;
    };
    let behind = &key[open + 1..];
    match behind.iter().position(|&byte| byte == b'}') {
        None | Some(0) => key,
        Some(len) => &behind[..len],
    }
}

/// CRC-16/XMODEM: polynomial 0x1021, starting with 0.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, &byte| {
        (crc << 8) ^ TABLE[usize::from((crc >> 8) ^ u16::from(byte))]
    })
}

/// The checksum of each byte by itself.
static TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, slot) in [("", 0), ("foo", 12182), ("bar", 5061), ("hello", 866)] {
            assert_eq!(key_slot(key), slot, "{key}");
        }
    }

    #[test]
    fn only_the_first_tag_counts_and_an_empty_one_is_none() {
        for (key, tag) in [
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo{bar", "foo{bar"),
            ("}{", "}{"),
        ] {
            assert_eq!(super::tag(key.as_bytes()), tag.as_bytes(), "{key}");
        }
    }
}
