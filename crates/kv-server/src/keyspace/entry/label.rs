//! The key of what is not packed.

use super::NEVER;
use crate::value::Blob;

/// The key of an object, and when it expires: most collections never do, and have short keys.
#[derive(Debug)]
pub(super) enum Label {
    Forever(Blob),
    Until(Box<Until>),
}

#[derive(Debug)]
pub(super) struct Until {
    /// Unix time in milliseconds.
    at: i64,
    key: Blob,
}

impl Label {
    pub(super) fn new(key: &[u8], expire_at: i64) -> Self {
        let key = Blob::of(&[key]);
        match expire_at {
            NEVER => Self::Forever(key),
            at => Self::Until(Box::new(Until { at, key })),
        }
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        match self {
            Self::Forever(key) => key.as_slice(),
            Self::Until(until) => until.key.as_slice(),
        }
    }

    #[inline]
    pub(super) fn expire_at(&self) -> i64 {
        match self {
            Self::Forever(_) => NEVER,
            Self::Until(until) => until.at,
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Forever(key) => key.memory(),
            Self::Until(until) => size_of::<Until>() + until.key.memory(),
        }
    }
}
