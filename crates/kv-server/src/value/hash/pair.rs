//! A field with its value, as an entry of a table.

use crate::keyspace::table::{Entry, Slot};
use crate::value::blob::Blob;

/// The field's length in seven bits a byte (all but the last with the top bit set), the field, the value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair(Blob);

impl Pair {
    pub(crate) fn new(field: &[u8], value: &[u8]) -> Self {
        let mut head = [0; 10];
        let mut len = field.len();
        let mut taken = 0;
        loop {
            #[expect(clippy::cast_possible_truncation, reason = "seven bits")]
            let low = (len & 0x7f) as u8;
            len >>= 7;
            head[taken] = if len > 0 { low | 0x80 } else { low };
            taken += 1;
            if len == 0 {
                break;
            }
        }
        Self(Blob::of(&[&head[..taken], field, value]))
    }

    /// The field, and where the value begins.
    #[inline]
    fn parts(&self) -> (&[u8], usize) {
        let bytes = self.0.as_slice();
        let (mut len, mut head) = (0, 0);
        for &byte in bytes {
            len |= usize::from(byte & 0x7f) << (7 * head);
            head += 1;
            if byte < 0x80 {
                break;
            }
        }
        (&bytes[head..head + len], head + len)
    }

    pub(crate) fn value(&self) -> &[u8] {
        &self.0.as_slice()[self.parts().1..]
    }

    pub(crate) fn set_value(&mut self, value: &[u8]) {
        let at = self.parts().1;
        match self.0.as_mut_slice().get_mut(at..) {
            Some(old) if old.len() == value.len() => old.copy_from_slice(value),
            _ => self.0 = Blob::of(&[&self.0.as_slice()[..at], value]),
        }
    }
}

impl Slot for Pair {
    #[inline]
    fn is_vacant(&self) -> bool {
        self.0.is_vacant()
    }

    #[inline]
    fn touch(&self) -> usize {
        self.0.touch()
    }

    #[inline]
    fn memory(&self) -> usize {
        self.0.memory()
    }
}

impl Entry for Pair {
    #[inline]
    fn key(&self) -> &[u8] {
        self.parts().0
    }
}
