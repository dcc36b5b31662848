//! A string that is long, or that is edited in place.

/// How a string came to be, as far as `OBJECT ENCODING` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Set as it is: `int` if it reads as one, else by its length.
    Plain,
    /// Computed as text (INCRBYFLOAT): never `int`.
    Text,
    /// Edited in place: `raw`.
    Edited,
}

/// Text in an allocation of its own.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    form: Form,
}

impl Text {
    pub(crate) fn new(bytes: Vec<u8>, form: Form) -> Self {
        Self { bytes, form }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, to be edited.
    pub(crate) fn edit(&mut self) -> &mut Vec<u8> {
        self.form = Form::Edited;
        &mut self.bytes
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes, Form::Plain)
    }
}
