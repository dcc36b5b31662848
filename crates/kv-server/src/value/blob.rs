//! Bytes in 16 bytes of table: short ones inside, longer ones behind a thin pointer.

/// The bytes of one entry of a [`Table`](crate::keyspace::table::Table). The default is vacant, which differs from empty.
///
/// A boxed slice would take the same room and always allocate. Here most members of sets do not, and those that do
/// have allocations of the sizes that allocators have.
#[derive(Debug, Clone, Default)]
pub(crate) enum Blob {
    #[default]
    Vacant,
    Inline(u8, [u8; INLINE]),
    /// Of exactly one byte more: the length needs no place of its own.
    Full([u8; INLINE + 1]),
    To24(u8, Box<[u8; 24]>),
    To32(u8, Box<[u8; 32]>),
    To48(u8, Box<[u8; 48]>),
    To64(u8, Box<[u8; 64]>),
    To80(u8, Box<[u8; 80]>),
    To96(u8, Box<[u8; 96]>),
    To128(u8, Box<[u8; 128]>),
    Long(Box<Box<[u8]>>),
}

/// What fits beside the variant and the length.
const INLINE: usize = 14;

const _: () = assert!(size_of::<Blob>() == 16);

impl Blob {
    /// Copies `parts` one behind the other.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum();
        let mut blob = Self::zeroed(len);
        let mut rest = blob.as_mut_slice();
        for part in parts {
            let (to, behind) = rest.split_at_mut(part.len());
            to.copy_from_slice(part);
            rest = behind;
        }
        blob
    }

    fn zeroed(len: usize) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "used where it is at most 128"
        )]
        let short = len as u8;
        match len {
            ..=INLINE => Self::Inline(short, [0; INLINE]),
            15 => Self::Full([0; INLINE + 1]),
            16..=24 => Self::To24(short, Box::new([0; 24])),
            25..=32 => Self::To32(short, Box::new([0; 32])),
            33..=48 => Self::To48(short, Box::new([0; 48])),
            49..=64 => Self::To64(short, Box::new([0; 64])),
            65..=80 => Self::To80(short, Box::new([0; 80])),
            81..=96 => Self::To96(short, Box::new([0; 96])),
            97..=128 => Self::To128(short, Box::new([0; 128])),
            _ => Self::Long(Box::new(vec![0; len].into_boxed_slice())),
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        let (len, bytes): (&u8, &[u8]) = match self {
            Self::Vacant => return &[],
            Self::Full(bytes) => return bytes,
            Self::Long(bytes) => return bytes,
            Self::Inline(len, bytes) => (len, bytes),
            Self::To24(len, bytes) => (len, &**bytes),
            Self::To32(len, bytes) => (len, &**bytes),
            Self::To48(len, bytes) => (len, &**bytes),
            Self::To64(len, bytes) => (len, &**bytes),
            Self::To80(len, bytes) => (len, &**bytes),
            Self::To96(len, bytes) => (len, &**bytes),
            Self::To128(len, bytes) => (len, &**bytes),
        };
        &bytes[..usize::from(*len)]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        let (len, bytes): (&u8, &mut [u8]) = match self {
            Self::Vacant => return &mut [],
            Self::Full(bytes) => return bytes,
            Self::Long(bytes) => return bytes,
            Self::Inline(len, bytes) => (len, bytes),
            Self::To24(len, bytes) => (len, &mut **bytes),
            Self::To32(len, bytes) => (len, &mut **bytes),
            Self::To48(len, bytes) => (len, &mut **bytes),
            Self::To64(len, bytes) => (len, &mut **bytes),
            Self::To80(len, bytes) => (len, &mut **bytes),
            Self::To96(len, bytes) => (len, &mut **bytes),
            Self::To128(len, bytes) => (len, &mut **bytes),
        };
        &mut bytes[..usize::from(*len)]
    }

    pub(crate) fn is_vacant(&self) -> bool {
        matches!(self, Self::Vacant)
    }

    /// Reads a byte of whatever is allocated.
    pub(crate) fn touch(&self) -> usize {
        match self {
            Self::Vacant | Self::Inline(..) | Self::Full(_) => 0,
            _ => self.as_slice().first().copied().map_or(0, usize::from),
        }
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Vacant | Self::Inline(..) | Self::Full(_) => 0,
            Self::To24(..) => 24,
            Self::To32(..) => 32,
            Self::To48(..) => 48,
            Self::To64(..) => 64,
            Self::To80(..) => 80,
            Self::To96(..) => 96,
            Self::To128(..) => 128,
            Self::Long(bytes) => size_of::<Box<[u8]>>() + bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_holds_its_parts_at_every_length() {
        let text: Vec<u8> = (0..=255).collect();
        for len in 0..=200 {
            let (one, two) = text[..len].split_at(len / 3);
            let mut blob = Blob::of(&[one, two]);
            assert!(!blob.is_vacant());
            assert_eq!(blob.as_slice(), &text[..len]);
            assert_eq!(blob.as_mut_slice(), &text[..len]);
            assert!(
                blob.memory() == 0 && len <= INLINE + 1
                    || (len..len + 20).contains(&blob.memory())
                    || len > 96,
                "{len}"
            );
        }
        assert!(Blob::default().is_vacant());
    }
}
