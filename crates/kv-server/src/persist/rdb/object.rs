//! Values by their kind, in every encoding Redis has used for them.

use std::io::Read;

use super::error::{ErrorKind, Result};
use super::kind;
use super::packed::parse_score;
use super::source::Source;
use super::stream;
use super::string::KEPT;
use super::unpack::{self, Packing};
use super::value::{Build, Collection};

/// Reads values; keeps the space for their elements from one to the next.
#[derive(Default)]
pub(super) struct Objects {
    first: Vec<u8>,
    second: Vec<u8>,
}

/// Whether anything was in the value that was read. Redis has no empty collections, and skips them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Some,
    Empty,
}

impl Objects {
    /// Reads a value of the given kind; on success the caller may call `build.finish()`.
    pub(super) fn read<R: Read, B: Build>(
        &mut self,
        kind: u8,
        source: &mut Source<R>,
        build: &mut B,
    ) -> Result<Content> {
        let count = match kind {
            kind::STRING => {
                let mut string = source.owned_string()?;
                if string.len() > KEPT {
                    string.shrink_to_fit(); // it grew piece by piece, and may have room for as much again
                }
                build.string(string);
                1
            }
            kind::LIST => self.list(source, build)?,
            kind::SET => self.set(source, build)?,
            kind::HASH => self.hash(source, build)?,
            kind::HASH_METADATA => {
                let first = u64::from_le_bytes(source.array()?);
                self.expiring_hash(source, build, |ttl| first.checked_add(ttl - 1))?
            }
            kind::HASH_METADATA_PRE_GA => self.expiring_hash(source, build, Some)?,
            kind::HASH_LISTPACK_EX | kind::HASH_LISTPACK_EX_PRE_GA => {
                if kind == kind::HASH_LISTPACK_EX {
                    // When the first field expires, which the fields say too.
                    let _: [u8; 8] = source.array()?;
                }
                self.packed(source, |bytes| unpack::expiring_hash(bytes, build))?
            }
            kind::ZSET => self.zset(source, build, text_score)?,
            kind::ZSET_2 => self.zset(source, build, binary_score)?,
            kind::LIST_QUICKLIST => self.quicklist(source, build)?,
            kind::LIST_QUICKLIST_2 => self.quicklist_2(source, build)?,
            kind::LIST_ZIPLIST => {
                build.begin(Collection::List, 0);
                self.packed(source, |bytes| unpack::list(Packing::Ziplist, bytes, build))?
            }
            kind::SET_INTSET => self.packed(source, |bytes| unpack::intset(bytes, build))?,
            kind::SET_LISTPACK => self.packed(source, |bytes| unpack::set(bytes, build))?,
            kind::HASH_ZIPMAP => self.packed(source, |bytes| unpack::zipmap(bytes, build))?,
            kind::HASH_ZIPLIST => {
                self.packed(source, |bytes| unpack::hash(Packing::Ziplist, bytes, build))?
            }
            kind::HASH_LISTPACK => self.packed(source, |bytes| {
                unpack::hash(Packing::Listpack, bytes, build)
            })?,
            kind::ZSET_ZIPLIST => {
                self.packed(source, |bytes| unpack::zset(Packing::Ziplist, bytes, build))?
            }
            kind::ZSET_LISTPACK => self.packed(source, |bytes| {
                unpack::zset(Packing::Listpack, bytes, build)
            })?,
            kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => {
                build.stream(stream::read(kind, source, &mut self.first)?);
                // A stream without entries is there all the same.
                1
            }
            other => return Err(source.error(unsupported(other))),
        };
        for space in [&mut self.first, &mut self.second] {
            space.clear();
            space.shrink_to(KEPT);
        }
        Ok(if count == 0 {
            Content::Empty
        } else {
            Content::Some
        })
    }

    fn list<R: Read, B: Build>(&mut self, source: &mut Source<R>, build: &mut B) -> Result<u64> {
        let len = source.length()?;
        build.begin(Collection::List, hint(len));
        for _ in 0..len {
            source.string(&mut self.first)?;
            build.list(&self.first);
        }
        Ok(len)
    }

    fn set<R: Read, B: Build>(&mut self, source: &mut Source<R>, build: &mut B) -> Result<u64> {
        let len = source.length()?;
        build.begin(Collection::Set, hint(len));
        for _ in 0..len {
            source.string(&mut self.first)?;
            build
                .set(&self.first)
                .map_err(|twice| source.error(twice.into()))?;
        }
        Ok(len)
    }

    fn hash<R: Read, B: Build>(&mut self, source: &mut Source<R>, build: &mut B) -> Result<u64> {
        let len = source.length()?;
        build.begin(Collection::Hash, hint(len));
        for _ in 0..len {
            source.string(&mut self.first)?;
            source.string(&mut self.second)?;
            build
                .hash(&self.first, &self.second)
                .map_err(|twice| source.error(twice.into()))?;
        }
        Ok(len)
    }

    /// A number before each field says when it expires: 0 for never, else `absolute` of it.
    fn expiring_hash<R: Read, B: Build>(
        &mut self,
        source: &mut Source<R>,
        build: &mut B,
        absolute: impl Fn(u64) -> Option<u64>,
    ) -> Result<u64> {
        let len = source.length()?;
        build.begin(Collection::Hash, hint(len));
        for _ in 0..len {
            let expire_ms = match source.length()? {
                0 => None,
                ttl => {
                    let at = absolute(ttl).and_then(|at| i64::try_from(at).ok());
                    Some(at.ok_or_else(|| source.error(ErrorKind::FieldExpiry))?)
                }
            };
            source.string(&mut self.first)?;
            source.string(&mut self.second)?;
            match expire_ms {
                Some(at) => build.expiring_hash(&self.first, &self.second, at),
                None => build.hash(&self.first, &self.second),
            }
            .map_err(|twice| source.error(twice.into()))?;
        }
        Ok(len)
    }

    fn zset<R: Read, B: Build>(
        &mut self,
        source: &mut Source<R>,
        build: &mut B,
        read_score: fn(&mut Source<R>) -> Result<f64>,
    ) -> Result<u64> {
        let len = source.length()?;
        build.begin(Collection::Zset, hint(len));
        for _ in 0..len {
            source.string(&mut self.first)?;
            let score = read_score(source)?;
            build
                .zset(&self.first, score)
                .map_err(|twice| source.error(twice.into()))?;
        }
        Ok(len)
    }

    /// A list of ziplists.
    fn quicklist<R: Read, B: Build>(
        &mut self,
        source: &mut Source<R>,
        build: &mut B,
    ) -> Result<u64> {
        let nodes = source.length()?;
        build.begin(Collection::List, hint(nodes));
        let mut count = 0;
        for _ in 0..nodes {
            count += self.packed(source, |bytes| unpack::list(Packing::Ziplist, bytes, build))?;
        }
        Ok(count)
    }

    /// A list of listpacks, and of elements too large for one.
    fn quicklist_2<R: Read, B: Build>(
        &mut self,
        source: &mut Source<R>,
        build: &mut B,
    ) -> Result<u64> {
        let nodes = source.length()?;
        build.begin(Collection::List, hint(nodes));
        let mut count = 0;
        for _ in 0..nodes {
            count += match source.length()? {
                PLAIN => {
                    source.string(&mut self.first)?;
                    build.list(&self.first);
                    1
                }
                PACKED => self.packed(source, |bytes| {
                    unpack::list(Packing::Listpack, bytes, build)
                })?,
                other => return Err(source.error(ErrorKind::Container(other))),
            };
        }
        Ok(count)
    }

    /// Reads one string and hands it to `unpack`, which returns the number of elements in it.
    fn packed<R: Read>(
        &mut self,
        source: &mut Source<R>,
        unpack: impl FnOnce(&[u8]) -> std::result::Result<u64, ErrorKind>,
    ) -> Result<u64> {
        source.string(&mut self.first)?;
        unpack(&self.first).map_err(|kind| source.error(kind))
    }
}

fn binary_score<R: Read>(source: &mut Source<R>) -> Result<f64> {
    let score = f64::from_le_bytes(source.array()?);
    if score.is_nan() {
        return Err(source.error(ErrorKind::Score));
    }
    Ok(score)
}

/// A length of one byte and as much text; three lengths stand for what is not finite.
fn text_score<R: Read>(source: &mut Source<R>) -> Result<f64> {
    let score = match source.byte()? {
        255 => Some(f64::NEG_INFINITY),
        254 => Some(f64::INFINITY),
        253 => None,
        len => {
            let mut text = Vec::new();
            source.bytes(u64::from(len), &mut text)?;
            parse_score(&text)
        }
    };
    score.ok_or_else(|| source.error(ErrorKind::Score))
}

/// How many elements to prepare for when a length announces `len`.
fn hint(len: u64) -> usize {
    usize::try_from(len).map_or(MAX_HINT, |len| len.min(MAX_HINT))
}

/// Whether a kind is one that Redis has used, supported here or not.
pub(super) fn is_known(kind: u8) -> bool {
    !matches!(unsupported(kind), ErrorKind::Opcode(_)) || matches!(kind, 0..=25 if kind != 8)
}

fn unsupported(kind: u8) -> ErrorKind {
    ErrorKind::Unsupported(match kind {
        kind::MODULE | kind::MODULE_2 => "a value of a module",
        _ => return ErrorKind::Opcode(kind),
    })
}

/// The most elements that memory is reserved for before they are seen.
const MAX_HINT: usize = 1_024;

/// What a node of a quicklist holds: one element, or a listpack.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;
