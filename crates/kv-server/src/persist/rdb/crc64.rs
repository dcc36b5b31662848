//! The checksum at the end of RDB files and DUMP payloads: CRC-64 with the polynomial of David T. Jones.
//!
//! Parameters: polynomial `ad93d23594c935a9`, reflected in and out, initial value 0, no final xor.
//! Eight bytes a step, by eight tables ("slicing-by-8").

/// The CRC of `bytes` appended to data whose CRC is `crc` (0 for none).
pub(super) fn update(mut crc: u64, mut bytes: &[u8]) -> u64 {
    while let Some((chunk, rest)) = bytes.split_first_chunk() {
        let x = (crc ^ u64::from_le_bytes(*chunk)).to_le_bytes();
        crc = TABLES[7][usize::from(x[0])]
            ^ TABLES[6][usize::from(x[1])]
            ^ TABLES[5][usize::from(x[2])]
            ^ TABLES[4][usize::from(x[3])]
            ^ TABLES[3][usize::from(x[4])]
            ^ TABLES[2][usize::from(x[5])]
            ^ TABLES[1][usize::from(x[6])]
            ^ TABLES[0][usize::from(x[7])];
        bytes = rest;
    }
    for byte in bytes {
        let [low, ..] = crc.to_le_bytes();
        crc = TABLES[0][usize::from(low ^ byte)] ^ (crc >> 8);
    }
    crc
}

/// The polynomial with its bits reversed.
const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

/// `TABLES[k][b]` is the CRC of the byte `b` followed by `k` zero bytes.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_check_value_of_the_algorithm() {
        assert_eq!(update(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(update(0, b""), 0);
    }

    #[test]
    fn data_in_pieces_has_the_checksum_of_the_whole() {
        let data: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        let whole = update(0, &data);
        for at in 0..data.len() {
            let (head, tail) = data.split_at(at);
            assert_eq!(update(update(0, head), tail), whole, "split at byte {at}");
        }
    }
}
