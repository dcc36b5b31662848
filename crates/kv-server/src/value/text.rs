//! A string that is long, or that is edited in place.

/// Text in an allocation of its own, which knows whether it was edited since it was set.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    /// Edited in place: `OBJECT ENCODING` says `raw`.
    raw: bool,
}

impl Text {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, to be edited.
    pub(crate) fn make_raw(&mut self) -> &mut Vec<u8> {
        self.raw = true;
        &mut self.bytes
    }

    pub(crate) fn is_raw(&self) -> bool {
        self.raw
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, raw: false }
    }
}
