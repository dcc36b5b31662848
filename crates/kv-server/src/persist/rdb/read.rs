//! RDB files, read item by item.

use std::io::{self, Cursor, Read};

use super::error::{ErrorKind, Result};
use super::object::{Content, Objects, is_known};
use super::source::Source;
use super::value::{Build, Collect, RdbValue};
use super::{MAX_VERSION, opcode};

/// Reads a file from its header to its checksum.
///
/// Buffers by itself. After an error the rest makes no sense: drop the reader.
pub(crate) struct Reader<R> {
    source: Source<R>,
    objects: Objects,
    version: u16,
    db: u64,
    empty_keys: u64,
    finished: bool,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub(crate) enum Item<V = RdbValue> {
    /// A fact about the file, such as `redis-ver` or `ctime`; unknown names are to be ignored.
    Aux { name: Vec<u8>, value: Vec<u8> },
    /// How many keys of database `db` follow, and how many of them expire: a hint that anybody can write, so bound what
    /// is reserved from it.
    Size { db: u64, keys: u64, expires: u64 },
    /// A key with its value.
    Entry(Entry<V>),
    /// The source code of a library of functions (FUNCTION LOAD).
    Function(Vec<u8>),
    /// Data that a module keeps beside the keys, skipped.
    ModuleAux { module_id: u64 },
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<V = RdbValue> {
    pub(crate) db: u64,
    pub(crate) key: Vec<u8>,
    /// When the key expires, in milliseconds since 1970; may lie in the past.
    pub(crate) expire_ms: Option<i64>,
    /// How long the key had not been used when the file was written, in seconds (with an LRU policy).
    pub(crate) idle_s: Option<u64>,
    /// How often it was used, on the scale of OBJECT FREQ (with an LFU policy).
    pub(crate) frequency: Option<u8>,
    pub(crate) value: V,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// Fails if there is no `REDIS` with a version from 1 to [`MAX_VERSION`].
    pub(crate) fn new(inner: R) -> Result<Self> {
        let mut source = Source::new(inner, BUFFER);
        let header: [u8; 9] = source.array()?;
        let Some(version) = header.strip_prefix(b"REDIS").and_then(decimal) else {
            return Err(source.error(ErrorKind::Magic));
        };
        if version == 0 || version > MAX_VERSION {
            let (version, max) = (version.into(), MAX_VERSION.into());
            return Err(source.error(ErrorKind::Version { version, max }));
        }
        if version < FIRST_WITH_CHECKSUM {
            source.ignore_checksum();
        }
        Ok(Self {
            source,
            objects: Objects::default(),
            version,
            db: 0,
            empty_keys: 0,
            finished: false,
        })
    }

    /// Takes the file without checking its checksum, as `rdbchecksum no` does. Call it first.
    #[must_use]
    pub(crate) fn ignore_checksum(mut self) -> Self {
        self.source.ignore_checksum();
        self
    }

    /// The version in the header.
    pub(crate) fn version(&self) -> u16 {
        self.version
    }

    /// How many bytes were consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// How many keys with an empty collection were skipped, as Redis skips them (old versions could write such).
    pub(crate) fn empty_keys(&self) -> u64 {
        self.empty_keys
    }

    /// The next part of the file; `None` after the last, once the checksum was found to be right.
    pub(crate) fn next(&mut self) -> Result<Option<Item>> {
        self.next_with(&mut Collect::new())
    }

    /// Like [`next`](Self::next), with a value of the caller's.
    pub(crate) fn next_with<B: Build>(&mut self, build: &mut B) -> Result<Option<Item<B::Value>>> {
        if self.finished {
            return Ok(None);
        }
        let mut about = About::default();
        loop {
            let source = &mut self.source;
            match source.byte()? {
                opcode::EXPIRE_S => {
                    let seconds = i32::from_le_bytes(source.array()?);
                    about.expire_ms = Some(i64::from(seconds) * 1_000);
                }
                opcode::EXPIRE_MS => about.expire_ms = Some(i64::from_le_bytes(source.array()?)),
                opcode::FREQ => about.frequency = Some(source.byte()?),
                opcode::IDLE => about.idle_s = Some(source.length()?),
                opcode::SELECT_DB => self.db = source.length()?,
                opcode::SLOT_INFO => {
                    for _ in 0..3 {
                        source.length()?;
                    }
                }
                opcode::RESIZE_DB => {
                    let (db, keys, expires) = (self.db, source.length()?, source.length()?);
                    return Ok(Some(Item::Size { db, keys, expires }));
                }
                opcode::AUX => {
                    let (name, value) = (source.owned_string()?, source.owned_string()?);
                    return Ok(Some(Item::Aux { name, value }));
                }
                opcode::FUNCTION_2 => return Ok(Some(Item::Function(source.owned_string()?))),
                opcode::FUNCTION_PRE_GA => {
                    return Err(source.error(ErrorKind::Unsupported(
                        "a function of a 7.0 release candidate",
                    )));
                }
                opcode::MODULE_AUX => {
                    let module_id = self.module_aux()?;
                    return Ok(Some(Item::ModuleAux { module_id }));
                }
                opcode::EOF => {
                    self.trailer()?;
                    self.finished = true;
                    return Ok(None);
                }
                kind => match self.entry(kind, about, build)? {
                    Some(entry) => return Ok(Some(Item::Entry(entry))),
                    None => about = About::default(),
                },
            }
        }
    }

    /// What follows the file in the same stream, for instance the commands of an append-only file.
    pub(crate) fn into_rest(self) -> io::Chain<Cursor<Vec<u8>>, R> {
        let (ahead, inner) = self.source.into_parts();
        Cursor::new(ahead).chain(inner)
    }

    fn entry<B: Build>(
        &mut self,
        kind: u8,
        about: About,
        build: &mut B,
    ) -> Result<Option<Entry<B::Value>>> {
        if !is_known(kind) {
            return Err(self.source.error(ErrorKind::Opcode(kind)));
        }
        let key = self.source.owned_string()?;
        let read = self.objects.read(kind, &mut self.source, build);
        if read.map_err(|error| error.in_key(&key))? == Content::Empty {
            self.empty_keys += 1;
            return Ok(None);
        }
        Ok(Some(Entry {
            db: self.db,
            key,
            expire_ms: about.expire_ms,
            idle_s: about.idle_s,
            frequency: about.frequency,
            value: build.finish(),
        }))
    }

    /// Skips what a module stored: its id, when it was stored, then values that say what they are.
    fn module_aux(&mut self) -> Result<u64> {
        let source = &mut self.source;
        let module_id = source.length()?;
        // When the module wrote it comes as the first value.
        let mut skipped = Vec::new();
        loop {
            match source.length()? {
                MODULE_EOF => return Ok(module_id),
                MODULE_SINT | MODULE_UINT => {
                    source.length()?;
                }
                MODULE_FLOAT => {
                    source.array::<4>()?;
                }
                MODULE_DOUBLE => {
                    source.array::<8>()?;
                }
                MODULE_STRING => source.string(&mut skipped)?,
                other => return Err(source.error(ErrorKind::ModuleOpcode(other))),
            }
        }
    }

    fn trailer(&mut self) -> Result<()> {
        if self.version < FIRST_WITH_CHECKSUM {
            return Ok(());
        }
        let computed = self.source.crc();
        let stored = u64::from_le_bytes(self.source.array()?);
        match computed {
            Some(computed) if stored != 0 && stored != computed => {
                Err(self.source.error(ErrorKind::Checksum { stored, computed }))
            }
            _ => Ok(()),
        }
    }
}

/// What was said about the key to follow.
#[derive(Default)]
struct About {
    expire_ms: Option<i64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

fn decimal(digits: &[u8]) -> Option<u16> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

const BUFFER: usize = 64 * 1024;
const FIRST_WITH_CHECKSUM: u16 = 5;

const MODULE_EOF: u64 = 0;
const MODULE_SINT: u64 = 1;
const MODULE_UINT: u64 = 2;
const MODULE_FLOAT: u64 = 3;
const MODULE_DOUBLE: u64 = 4;
const MODULE_STRING: u64 = 5;
