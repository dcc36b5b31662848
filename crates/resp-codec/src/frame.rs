//! `Frame`: one value of the protocol, for general use.

use bytes::Bytes;

use crate::tape::Kind;

/// One value of the protocol.
///
/// Comparing is by value, so a double that is `nan` equals nothing, not even itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Frame {
    /// `+OK`: a text without line ends.
    SimpleString(Bytes),
    /// `-ERR text`: an error without line ends.
    Error(Bytes),
    /// `:1`
    Integer(i64),
    /// `$2 ok`: any bytes. A streamed string arrives as one of these.
    BulkString(Bytes),
    /// `_`, in RESP2 `$-1`.
    Null,
    /// RESP2's `*-1`; in RESP3 there is one null only, and this is written as that.
    NullArray,
    /// `*2 ...`
    Array(Vec<Self>),
    /// `,1.5`
    Double(f64),
    /// `#t`
    Boolean(bool),
    /// `(12345`: a decimal integer of any size, as text.
    BigNumber(Bytes),
    /// `!5 ERR x`: an error of any bytes.
    BulkError(Bytes),
    /// `=6 txt:ok`: a text that says how it is to be shown.
    Verbatim {
        /// `txt`, `mkd`, or another three bytes.
        format: [u8; 3],
        /// The text.
        data: Bytes,
    },
    /// `%1 ...`: keys and values in the order of the wire.
    Map(Vec<(Self, Self)>),
    /// `~2 ...`: elements in the order of the wire.
    Set(Vec<Self>),
    /// `>2 ...`: data that nobody asked for, such as a message of a channel.
    Push(Vec<Self>),
    /// `|1 ...`: a frame with attributes, which a reader may ignore. RESP2 gets the frame alone.
    Attributed {
        /// Keys and values in the order of the wire.
        attributes: Vec<(Self, Self)>,
        /// The frame that they describe.
        frame: Box<Self>,
    },
}

impl Frame {
    /// `+text`
    #[must_use]
    pub fn simple(text: impl Into<Bytes>) -> Self {
        Self::SimpleString(text.into())
    }

    /// `-text`
    #[must_use]
    pub fn error(text: impl Into<Bytes>) -> Self {
        Self::Error(text.into())
    }

    /// A bulk string.
    #[must_use]
    pub fn bulk(data: impl Into<Bytes>) -> Self {
        Self::BulkString(data.into())
    }

    /// An array.
    #[must_use]
    pub fn array(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::Array(elements.into_iter().collect())
    }

    /// A request: an array of bulk strings.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use resp_codec::{Frame, Version};
    ///
    /// let mut out = BytesMut::new();
    /// Frame::request(["GET", "k"]).write(&mut out, Version::Resp2);
    /// assert_eq!(out, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    /// ```
    #[must_use]
    pub fn request<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::array(
            args.into_iter()
                .map(|arg| Self::BulkString(Bytes::copy_from_slice(arg.as_ref()))),
        )
    }

    /// The type; of a frame with attributes, that of the frame.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.value() {
            Self::SimpleString(_) => Kind::SimpleString,
            Self::Error(_) => Kind::Error,
            Self::Integer(_) => Kind::Integer,
            Self::BulkString(_) => Kind::BulkString,
            Self::Null | Self::Attributed { .. } => Kind::Null, // `value` ends at no attributes
            Self::NullArray => Kind::NullArray,
            Self::Array(_) => Kind::Array,
            Self::Double(_) => Kind::Double,
            Self::Boolean(_) => Kind::Boolean,
            Self::BigNumber(_) => Kind::BigNumber,
            Self::BulkError(_) => Kind::BulkError,
            Self::Verbatim { .. } => Kind::Verbatim,
            Self::Map(_) => Kind::Map,
            Self::Set(_) => Kind::Set,
            Self::Push(_) => Kind::Push,
        }
    }

    /// The frame without its attributes.
    #[must_use]
    pub fn value(&self) -> &Self {
        let mut frame = self;
        while let Self::Attributed { frame: inner, .. } = frame {
            frame = inner;
        }
        frame
    }

    /// The frame without its attributes.
    #[must_use]
    pub fn into_value(self) -> Self {
        let mut frame = self;
        while let Self::Attributed { frame: inner, .. } = frame {
            frame = *inner;
        }
        frame
    }

    /// The bytes of a string, an error, a big number or a verbatim string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.bytes().map(|bytes| &**bytes)
    }

    /// [`Frame::as_bytes`], if they are UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// [`Frame::as_bytes`], taken out without copying.
    #[must_use]
    pub fn into_bytes(self) -> Option<Bytes> {
        match self.into_value() {
            Self::SimpleString(b)
            | Self::Error(b)
            | Self::BulkString(b)
            | Self::BigNumber(b)
            | Self::BulkError(b) => Some(b),
            Self::Verbatim { data, .. } => Some(data),
            _ => None,
        }
    }

    /// The value of an integer.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Integer(value) = self.value() {
            Some(*value)
        } else {
            None
        }
    }

    /// The value of a double.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Double(value) = self.value() {
            Some(*value)
        } else {
            None
        }
    }

    /// The value of a boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(value) = self.value() {
            Some(*value)
        } else {
            None
        }
    }

    /// The elements of an array, a set or a push.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[Self]> {
        match self.value() {
            Self::Array(elements) | Self::Set(elements) | Self::Push(elements) => Some(elements),
            _ => None,
        }
    }

    /// The keys and values of a map.
    #[must_use]
    pub fn as_pairs(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(pairs) = self.value() {
            Some(pairs)
        } else {
            None
        }
    }

    /// Whether this is null, in any form.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value(), Self::Null | Self::NullArray)
    }

    /// Whether this is an error, simple or bulk.
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.value(), Self::Error(_) | Self::BulkError(_))
    }

    fn bytes(&self) -> Option<&Bytes> {
        match self.value() {
            Self::SimpleString(b)
            | Self::Error(b)
            | Self::BulkString(b)
            | Self::BigNumber(b)
            | Self::BulkError(b) => Some(b),
            Self::Verbatim { data, .. } => Some(data),
            _ => None,
        }
    }
}

impl From<i64> for Frame {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Frame {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<bool> for Frame {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&'static str> for Frame {
    /// A bulk string.
    fn from(text: &'static str) -> Self {
        Self::BulkString(Bytes::from_static(text.as_bytes()))
    }
}

impl From<Bytes> for Frame {
    /// A bulk string.
    fn from(data: Bytes) -> Self {
        Self::BulkString(data)
    }
}

impl From<Vec<Self>> for Frame {
    fn from(elements: Vec<Self>) -> Self {
        Self::Array(elements)
    }
}
