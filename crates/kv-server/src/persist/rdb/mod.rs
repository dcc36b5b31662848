//! Redis's RDB format: snapshot files, and the payloads of DUMP and RESTORE.
//!
//! Pure: bytes come from an `io::Read` and go to an `io::Write`; files, time and databases are the caller's.
//!
//! Reading takes what Redis 2.x to 7.2 writes for strings, lists, sets, hashes, sorted sets and streams, in every encoding;
//! a module's value is [`ErrorKind::Unsupported`]. Duplicate keys, expiries gone by and database numbers out
//! of range are left to the caller, who knows the keyspace, the time and the configuration.
//!
//! Memory follows the bytes that arrived, never a length they announce: a compressed string may take 88 times its size,
//! everything else a small multiple.
//!
//! Writing uses the plain encodings of [`VERSION`] 8, the oldest format that holds all of this.
//!
//! | file | holds |
//! |---|---|
//! | `read.rs`, `write.rs` | whole files: header, sections, keys, trailer |
//! | `dump.rs` | payloads of DUMP and RESTORE |
//! | `object.rs`, `value.rs`, `encode.rs` | values by kind; what reading them builds; how they are written |
//! | `stream.rs` | streams, whose nodes are in memory what they are in a file |
//! | `listpack.rs`, `ziplist.rs`, `intset.rs`, `zipmap.rs`, `packed.rs`, `unpack.rs` | collections in one string |
//! | `string.rs`, `length.rs`, `crc64.rs`, `source.rs`, `error.rs` | what all of it is made of |
//! | `law.rs` | what holds for any bytes, fuzzed |
//!
//! The format is described by `rdb.c` and `rdb.h` of Redis; third-party description: <https://rdb.fnordig.de>.

mod crc64;
mod dump;
mod encode;
mod error;
mod intset;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod law;
mod length;
mod listpack;
mod object;
mod packed;
mod read;
mod source;
mod stream;
mod string;
#[cfg(test)]
mod tests;
mod unpack;
mod value;
mod write;
mod ziplist;
mod zipmap;

pub(crate) use dump::{Dump, restore, restore_value};
pub(crate) use error::{Error, ErrorKind, Result};
pub(crate) use read::{Entry, Item, Reader};
pub(crate) use value::{Build, Collection, Duplicate, RdbValue};
pub(crate) use write::{Options, Writer};

/// The version in the header of files and payloads that we write.
///
/// 8, of Redis 4.0, is the first with scores as binary doubles and with lengths of 64 bits. What came later serves
/// encodings and functions (10), none of which is written here, streams, and hashes with fields that expire (12). A stream
/// is written as Redis 7.0 does, and such a hash as Redis 7.4; what is older does not know their kinds.
pub(crate) const VERSION: u16 = 8;

/// The latest version that is read, of Redis 7.4.
pub(crate) const MAX_VERSION: u16 = 12;

/// The byte before a key: what its value is.
mod kind {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    /// Scores are text.
    pub(super) const ZSET: u8 = 3;
    pub(super) const HASH: u8 = 4;
    /// Scores are binary.
    pub(super) const ZSET_2: u8 = 5;
    pub(super) const MODULE: u8 = 6;
    pub(super) const MODULE_2: u8 = 7;
    pub(super) const HASH_ZIPMAP: u8 = 9;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const ZSET_ZIPLIST: u8 = 12;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_QUICKLIST: u8 = 14;
    pub(super) const STREAM: u8 = 15;
    pub(super) const HASH_LISTPACK: u8 = 16;
    pub(super) const ZSET_LISTPACK: u8 = 17;
    pub(super) const LIST_QUICKLIST_2: u8 = 18;
    pub(super) const STREAM_2: u8 = 19;
    pub(super) const SET_LISTPACK: u8 = 20;
    pub(super) const STREAM_3: u8 = 21;
    /// Hashes whose fields may expire; the first two are of release candidates of Redis 7.4.
    pub(super) const HASH_METADATA_PRE_GA: u8 = 22;
    pub(super) const HASH_LISTPACK_EX_PRE_GA: u8 = 23;
    pub(super) const HASH_METADATA: u8 = 24;
    pub(super) const HASH_LISTPACK_EX: u8 = 25;
}

/// The byte that stands where a key's kind could: a section, or something about the key that follows.
mod opcode {
    pub(super) const SLOT_INFO: u8 = 244;
    pub(super) const FUNCTION_2: u8 = 245;
    /// Of release candidates of Redis 7.0.
    pub(super) const FUNCTION_PRE_GA: u8 = 246;
    pub(super) const MODULE_AUX: u8 = 247;
    pub(super) const IDLE: u8 = 248;
    pub(super) const FREQ: u8 = 249;
    pub(super) const AUX: u8 = 250;
    pub(super) const RESIZE_DB: u8 = 251;
    pub(super) const EXPIRE_MS: u8 = 252;
    pub(super) const EXPIRE_S: u8 = 253;
    pub(super) const SELECT_DB: u8 = 254;
    pub(super) const EOF: u8 = 255;
}
