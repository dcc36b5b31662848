//! What reading a value yields, and the interface by which a caller builds its own values instead.

use crate::value::Stream;

/// A value as read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RdbValue {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(Vec<Vec<u8>>),
    Hash(Vec<(Vec<u8>, Vec<u8>)>),
    /// A hash with fields that expire, at Unix times in milliseconds.
    ExpiringHash(Vec<(Vec<u8>, Vec<u8>, Option<i64>)>),
    Zset(Vec<(Vec<u8>, f64)>),
    Stream(Box<Stream>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collection {
    List,
    Set,
    Hash,
    Zset,
}

/// Takes a value apart from how it was encoded, element by element, so that no second copy of a collection exists.
///
/// For a string, `string` is called, then `finish`. For a collection, `begin`, then the method of its kind for each
/// element in the order stored, then `finish`. After an error `finish` is not called; the next value, if there is one,
/// starts anew with `string` or `begin`.
pub(crate) trait Build {
    type Value;

    fn string(&mut self, value: Vec<u8>);

    /// `hint` is how many elements to expect, often less than will come; it is small enough to reserve space for.
    fn begin(&mut self, kind: Collection, hint: usize);

    fn list(&mut self, element: &[u8]);

    fn set(&mut self, member: &[u8]) -> Result<(), Duplicate>;

    fn hash(&mut self, field: &[u8], value: &[u8]) -> Result<(), Duplicate>;

    /// A field that expires at a Unix time in milliseconds, never negative.
    fn expiring_hash(
        &mut self,
        field: &[u8],
        value: &[u8],
        expire_ms: i64,
    ) -> Result<(), Duplicate>;

    /// `score` is a number or infinite, never NaN.
    fn zset(&mut self, member: &[u8], score: f64) -> Result<(), Duplicate>;

    /// A stream comes as a whole, in place of `begin` and its elements.
    fn stream(&mut self, stream: Stream);

    fn finish(&mut self) -> Self::Value;
}

/// The collection has this member or field already, which no Redis writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duplicate;

/// Builds [`RdbValue`]s. Duplicates pass: whoever turns the value into a set or a map will notice.
pub(super) struct Collect(RdbValue);

impl Collect {
    pub(super) fn new() -> Self {
        Self(RdbValue::String(Vec::new()))
    }
}

impl Build for Collect {
    type Value = RdbValue;

    fn string(&mut self, value: Vec<u8>) {
        self.0 = RdbValue::String(value);
    }

    fn begin(&mut self, kind: Collection, hint: usize) {
        self.0 = match kind {
            Collection::List => RdbValue::List(Vec::with_capacity(hint)),
            Collection::Set => RdbValue::Set(Vec::with_capacity(hint)),
            Collection::Hash => RdbValue::Hash(Vec::with_capacity(hint)),
            Collection::Zset => RdbValue::Zset(Vec::with_capacity(hint)),
        };
    }

    fn list(&mut self, element: &[u8]) {
        if let RdbValue::List(list) = &mut self.0 {
            list.push(element.to_vec());
        }
    }

    fn set(&mut self, member: &[u8]) -> Result<(), Duplicate> {
        if let RdbValue::Set(set) = &mut self.0 {
            set.push(member.to_vec());
        }
        Ok(())
    }

    fn hash(&mut self, field: &[u8], value: &[u8]) -> Result<(), Duplicate> {
        match &mut self.0 {
            RdbValue::Hash(hash) => hash.push((field.to_vec(), value.to_vec())),
            RdbValue::ExpiringHash(hash) => hash.push((field.to_vec(), value.to_vec(), None)),
            _ => {}
        }
        Ok(())
    }

    fn expiring_hash(
        &mut self,
        field: &[u8],
        value: &[u8],
        expire_ms: i64,
    ) -> Result<(), Duplicate> {
        if let RdbValue::Hash(hash) = &mut self.0 {
            let plain = std::mem::take(hash).into_iter();
            let plain = plain.map(|(field, value)| (field, value, None));
            self.0 = RdbValue::ExpiringHash(plain.collect());
        }
        if let RdbValue::ExpiringHash(hash) = &mut self.0 {
            hash.push((field.to_vec(), value.to_vec(), Some(expire_ms)));
        }
        Ok(())
    }

    fn zset(&mut self, member: &[u8], score: f64) -> Result<(), Duplicate> {
        if let RdbValue::Zset(zset) = &mut self.0 {
            zset.push((member.to_vec(), score));
        }
        Ok(())
    }

    fn stream(&mut self, stream: Stream) {
        self.0 = RdbValue::Stream(Box::new(stream));
    }

    fn finish(&mut self) -> RdbValue {
        std::mem::replace(&mut self.0, RdbValue::String(Vec::new()))
    }
}
