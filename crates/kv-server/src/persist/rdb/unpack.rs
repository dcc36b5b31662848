//! Packed collections, handed to a [`Build`] element by element. All functions return the number of elements.

use super::error::ErrorKind;
use super::packed::{Entry, IntBuf, Malformed};
use super::value::{Build, Collection, Duplicate};
use super::{intset, listpack, ziplist, zipmap};

type Result<T> = std::result::Result<T, ErrorKind>;

/// The two packed encodings that hold any entries.
#[derive(Clone, Copy)]
pub(super) enum Packing {
    Ziplist,
    Listpack,
}

/// Adds the entries of one node; the caller has begun the list.
pub(super) fn list(packing: Packing, bytes: &[u8], build: &mut impl Build) -> Result<u64> {
    let mut count = 0;
    let mut text = IntBuf::new();
    packing.entries(bytes, |element| {
        count += 1;
        build.list(element.bytes(&mut text));
        Ok(())
    })?;
    Ok(count)
}

pub(super) fn set(bytes: &[u8], build: &mut impl Build) -> Result<u64> {
    build.begin(Collection::Set, 0);
    let mut count = 0;
    let mut text = IntBuf::new();
    Packing::Listpack.entries(bytes, |member| {
        count += 1;
        Ok(build.set(member.bytes(&mut text))?)
    })?;
    Ok(count)
}

pub(super) fn hash(packing: Packing, bytes: &[u8], build: &mut impl Build) -> Result<u64> {
    build.begin(Collection::Hash, 0);
    let mut field_text = IntBuf::new();
    let mut value_text = IntBuf::new();
    packing.pairs(bytes, |field, value| {
        Ok(build.hash(field.bytes(&mut field_text), value.bytes(&mut value_text))?)
    })
}

/// Fields, values and times in turn; the time 0 is none.
pub(super) fn expiring_hash(bytes: &[u8], build: &mut impl Build) -> Result<u64> {
    build.begin(Collection::Hash, 0);
    let (mut field_text, mut value_text) = (IntBuf::new(), IntBuf::new());
    let mut waiting: [Option<Entry<'_>>; 2] = [None, None];
    let mut count = 0;
    Packing::Listpack.entries(bytes, |entry| {
        let [field, value] = &mut waiting;
        if field.is_none() {
            *field = Some(entry);
        } else if value.is_none() {
            *value = Some(entry);
        } else if let (Some(field), Some(value)) = (field.take(), value.take()) {
            count += 1;
            let (field, value) = (field.bytes(&mut field_text), value.bytes(&mut value_text));
            match entry {
                Entry::Integer(0) => build.hash(field, value)?,
                Entry::Integer(at @ 1..) => build.expiring_hash(field, value, at)?,
                _ => return Err(ErrorKind::FieldExpiry),
            }
        }
        Ok(())
    })?;
    if waiting[0].is_some() {
        return Err(ErrorKind::Packed {
            encoding: Packing::Listpack.name(),
            problem: "a field without a value or a time",
            at: bytes.len(),
        });
    }
    Ok(count)
}

pub(super) fn zset(packing: Packing, bytes: &[u8], build: &mut impl Build) -> Result<u64> {
    build.begin(Collection::Zset, 0);
    let mut text = IntBuf::new();
    packing.pairs(bytes, |member, score| {
        let score = score.score().ok_or(ErrorKind::Score)?;
        Ok(build.zset(member.bytes(&mut text), score)?)
    })
}

pub(super) fn intset(bytes: &[u8], build: &mut impl Build) -> Result<u64> {
    build.begin(Collection::Set, 0);
    let mut count = 0;
    let mut text = IntBuf::new();
    intset::integers(bytes, |number| {
        count += 1;
        Ok::<_, ErrorKind>(build.set(text.format(number))?)
    })?;
    Ok(count)
}

pub(super) fn zipmap(bytes: &[u8], build: &mut impl Build) -> Result<u64> {
    build.begin(Collection::Hash, 0);
    let mut count = 0;
    zipmap::pairs(bytes, |field, value| {
        count += 1;
        Ok::<_, ErrorKind>(build.hash(field, value)?)
    })?;
    Ok(count)
}

impl Packing {
    fn entries<'a>(self, bytes: &'a [u8], each: impl FnMut(Entry<'a>) -> Result<()>) -> Result<()> {
        match self {
            Self::Ziplist => ziplist::entries(bytes, each),
            Self::Listpack => listpack::entries(bytes, each),
        }
    }

    /// Calls `each` with two entries at a time, and returns how often.
    fn pairs<'a>(
        self,
        bytes: &'a [u8],
        mut each: impl FnMut(Entry<'a>, Entry<'a>) -> Result<()>,
    ) -> Result<u64> {
        let mut count = 0;
        let mut waiting = None;
        self.entries(bytes, |entry| match waiting.take() {
            None => {
                waiting = Some(entry);
                Ok(())
            }
            Some(first) => {
                count += 1;
                each(first, entry)
            }
        })?;
        if waiting.is_some() {
            let problem = "an odd number of entries";
            return Err(ErrorKind::Packed {
                encoding: self.name(),
                problem,
                at: bytes.len(),
            });
        }
        Ok(count)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ziplist => "ziplist",
            Self::Listpack => "listpack",
        }
    }
}

impl From<Malformed> for ErrorKind {
    fn from(
        Malformed {
            encoding,
            problem,
            at,
        }: Malformed,
    ) -> Self {
        Self::Packed {
            encoding,
            problem,
            at,
        }
    }
}

impl From<Duplicate> for ErrorKind {
    fn from(Duplicate: Duplicate) -> Self {
        Self::Duplicate
    }
}
