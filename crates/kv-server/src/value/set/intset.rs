//! Integers in ascending order, all as wide as the widest needs.

use crate::value::pack::class;

/// A sorted array of integers of 2, 4 or 8 bytes.
///
/// The first byte is the width; nothing at all is an empty set.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntSet {
    bytes: Vec<u8>,
}

/// Bytes before the numbers.
const HEAD: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    fn of(number: i64) -> Self {
        if i16::try_from(number).is_ok() {
            Self::Two
        } else if i32::try_from(number).is_ok() {
            Self::Four
        } else {
            Self::Eight
        }
    }

    fn bytes(self) -> usize {
        self as usize
    }
}

impl IntSet {
    fn width(&self) -> Width {
        match self.bytes.first() {
            None | Some(2) => Width::Two,
            Some(4) => Width::Four,
            _ => Width::Eight,
        }
    }

    fn numbers(&self) -> &[u8] {
        self.bytes.get(HEAD..).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers().len() / self.width().bytes()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.numbers().is_empty()
    }

    /// The number at an index below the length.
    pub(crate) fn at(&self, index: usize) -> i64 {
        let width = self.width().bytes();
        decode(&self.bytes[HEAD + index * width..][..width])
    }

    /// In ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> {
        self.numbers()
            .chunks_exact(self.width().bytes())
            .map(decode)
    }

    pub(crate) fn first(&self) -> Option<i64> {
        (!self.is_empty()).then(|| self.at(0))
    }

    pub(crate) fn last(&self) -> Option<i64> {
        self.len().checked_sub(1).map(|index| self.at(index))
    }

    pub(crate) fn contains(&self, number: i64) -> bool {
        self.search(number).is_ok()
    }

    /// Where a number is, or would be.
    fn search(&self, number: i64) -> Result<usize, usize> {
        let (mut from, mut to) = (0, self.len());
        // Numbers often come in order.
        if self.last().is_some_and(|last| last < number) {
            return Err(to);
        }
        while from < to {
            let middle = from.midpoint(to);
            match self.at(middle).cmp(&number) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        Err(from)
    }

    /// `false` if it is there already.
    pub(crate) fn insert(&mut self, number: i64) -> bool {
        let Err(index) = self.search(number) else {
            return false;
        };
        let wanted = Width::of(number);
        if wanted > self.width() {
            self.widen(wanted);
        }
        if self.bytes.is_empty() {
            self.bytes.push(wanted as u8);
        }
        let width = self.width().bytes();
        let len = self.bytes.len() + width;
        if len > self.bytes.capacity() {
            // Little room to spare: the set is small or does not stay in this form.
            self.bytes.reserve_exact(class(len) - self.bytes.len());
        }
        let at = HEAD + index * width;
        self.bytes
            .splice(at..at, number.to_le_bytes().into_iter().take(width));
        true
    }

    /// `false` if it is not there.
    pub(crate) fn remove(&mut self, number: i64) -> bool {
        let Ok(index) = self.search(number) else {
            return false;
        };
        self.remove_at(index);
        true
    }

    pub(crate) fn remove_at(&mut self, index: usize) {
        let width = self.width().bytes();
        let at = HEAD + index * width;
        self.bytes.drain(at..at + width);
        if self.bytes.len() * 2 <= self.bytes.capacity() {
            self.bytes.shrink_to_fit();
        }
    }

    fn widen(&mut self, width: Width) {
        let mut bytes = Vec::with_capacity(class(HEAD + (self.len() + 1) * width.bytes()));
        bytes.push(width as u8);
        for number in self.iter() {
            bytes.extend_from_slice(&number.to_le_bytes()[..width.bytes()]);
        }
        *self = Self { bytes };
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Two's complement, little-endian, of 2 to 8 bytes.
fn decode(bytes: &[u8]) -> i64 {
    match *bytes {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        _ => bytes
            .first_chunk()
            .map_or(0, |bytes| i64::from_le_bytes(*bytes)),
    }
}
