//! A pack of a long list, compressed while it is far from both ends (`list-compress-depth`).

use std::cell::RefCell;
use std::sync::OnceLock;

use crate::lzf::{self, Compressor};
use crate::value::pack::Pack;

/// A pack, in one of two forms.
#[derive(Debug)]
pub(super) enum Page {
    Plain(Pack),
    Squeezed(Box<Squeezed>),
}

/// A compressed pack.
#[derive(Debug)]
pub(super) struct Squeezed {
    bytes: Box<[u8]>,
    /// Elements.
    len: usize,
    /// Bytes before compression.
    plain_bytes: usize,
    listpack_len: usize,
    /// What a reader needed, until [`Page::close`].
    open: OnceLock<Pack>,
}

/// Smaller packs are not compressed. These two are Redis's.
const SQUEEZED_MIN: usize = 48;
/// Compression has to save so many bytes.
const SAVED_MIN: usize = 8;

thread_local! {
    /// Its table is large, and each thread that edits lists needs one.
    static COMPRESSOR: RefCell<(Compressor, Vec<u8>)> = RefCell::new((Compressor::new(), Vec::new()));
}

impl Page {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plain(pack) => pack.len(),
            Self::Squeezed(squeezed) => squeezed.len,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn listpack_len(&self) -> usize {
        match self {
            Self::Plain(pack) => pack.listpack_len(),
            Self::Squeezed(squeezed) => squeezed.listpack_len,
        }
    }

    /// Bytes allocated, but for what readers have opened.
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Plain(pack) => pack.memory(),
            Self::Squeezed(squeezed) => size_of::<Squeezed>() + squeezed.bytes.len(),
        }
    }

    pub(super) fn is_squeezed(&self) -> bool {
        matches!(self, Self::Squeezed(_))
    }

    /// The pack, to be read; [`close`](Self::close) it afterwards.
    #[inline]
    pub(super) fn pack(&self) -> &Pack {
        match self {
            Self::Plain(pack) => pack,
            Self::Squeezed(squeezed) => squeezed.open.get_or_init(|| squeezed.unpack()),
        }
    }

    /// Forgets what readers have opened.
    pub(super) fn close(&mut self) {
        if let Self::Squeezed(squeezed) = self {
            squeezed.open = OnceLock::new();
        }
    }

    /// The pack, to be changed: it is no longer compressed.
    pub(super) fn plain(&mut self) -> &mut Pack {
        if let Self::Squeezed(squeezed) = self {
            let open = std::mem::take(&mut squeezed.open);
            *self = Self::Plain(open.into_inner().unwrap_or_else(|| squeezed.unpack()));
        }
        match self {
            Self::Plain(pack) => pack,
            Self::Squeezed(_) => unreachable!("made plain above"),
        }
    }

    /// Compresses the pack, if that saves something.
    pub(super) fn squeeze(&mut self) {
        let Self::Plain(pack) = self else {
            return;
        };
        let plain = pack.bytes();
        if plain.len() < SQUEEZED_MIN {
            return;
        }
        let squeezed = COMPRESSOR.with_borrow_mut(|(compressor, out)| {
            let saves = compressor.compress(plain, out) && out.len() + SAVED_MIN <= plain.len();
            saves.then(|| Squeezed {
                bytes: out.as_slice().into(),
                len: pack.len(),
                plain_bytes: plain.len(),
                listpack_len: pack.listpack_len(),
                open: OnceLock::new(),
            })
        });
        if let Some(squeezed) = squeezed {
            *self = Self::Squeezed(Box::new(squeezed));
        }
    }
}

impl Squeezed {
    fn unpack(&self) -> Pack {
        let mut plain = Vec::new();
        let whole = lzf::decompress(&self.bytes, self.plain_bytes, &mut plain);
        debug_assert!(whole.is_some(), "what was compressed here");
        Pack::from_bytes(&plain, self.len)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::Plain(Pack::default())
    }
}

impl From<Pack> for Page {
    fn from(pack: Pack) -> Self {
        Self::Plain(pack)
    }
}

impl Clone for Page {
    fn clone(&self) -> Self {
        match self {
            Self::Plain(pack) => Self::Plain(pack.clone()),
            Self::Squeezed(squeezed) => Self::Squeezed(Box::new(Squeezed {
                bytes: squeezed.bytes.clone(),
                open: OnceLock::new(),
                ..**squeezed
            })),
        }
    }
}

const _: () = assert!(size_of::<Page>() == size_of::<Pack>());
