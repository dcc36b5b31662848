//! What a decoder accepts at most.

/// What a decoder accepts at most; everything above is a typed error.
///
/// Memory is never reserved from a number that the peer announced, so a limit bounds what is *waited for*;
/// what is *held* stays proportional to the bytes that have arrived.
///
/// Limits may change while a decoder runs (tighter before a client has authenticated, say); a change takes
/// effect with the next header that is read.
///
/// ```
/// use resp_codec::Limits;
///
/// let before_auth = Limits { elements: 10, bulk_bytes: 16 * 1024, ..Limits::server() };
/// assert_eq!(before_auth.depth, 128);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Aggregates (arrays, maps, sets, pushes, attributes, streamed strings) open at once.
    ///
    /// Default: 128. Values above [`Limits::MAX_DEPTH`] count as that.
    pub depth: usize,
    /// Elements of one aggregate; a key and its value are two. Of a request: its arguments, the name included.
    ///
    /// Default: 1,048,576 for a server, 2,147,483,647 for a client.
    pub elements: usize,
    /// Bytes of one bulk string, bulk error or verbatim string.
    ///
    /// Default: 512 MiB, as `proto-max-bulk-len` in redis.conf.
    pub bulk_bytes: usize,
    /// Bytes of one line: an inline command, a simple string, an error, a number.
    ///
    /// Default: 64 KiB for a server, as Redis's `PROTO_INLINE_MAX_SIZE`; 512 MiB for a client, because a line of
    /// `MONITOR` holds a whole command. The line of a number or a length may always take 32 bytes.
    pub inline_bytes: usize,
    /// Bytes of one whole frame or request as it stands on the wire.
    ///
    /// Default: 1 GiB, as `client-query-buffer-limit` in redis.conf. Values above [`Limits::MAX_FRAME_BYTES`]
    /// count as that.
    pub frame_bytes: usize,
}

impl Limits {
    /// The most that [`Limits::depth`] can mean. A [`Frame`](crate::Frame) is dropped and compared level by level
    /// on the stack, so depth has an end of its own.
    pub const MAX_DEPTH: usize = 1024;

    /// The most that [`Limits::frame_bytes`] can mean: 2 GiB less one byte, so that offsets take 32 bits.
    pub const MAX_FRAME_BYTES: usize = 0x7fff_ffff;

    /// What a server accepts of a client: the defaults of Redis 7.2.
    #[must_use]
    pub const fn server() -> Self {
        Self {
            depth: 128,
            elements: 1024 * 1024,
            bulk_bytes: 512 * 1024 * 1024,
            inline_bytes: 64 * 1024,
            frame_bytes: 1024 * 1024 * 1024,
        }
    }

    /// What a client accepts of a server: as [`Limits::server`], with more elements and longer lines.
    #[must_use]
    pub const fn client() -> Self {
        Self {
            elements: 0x7fff_ffff,
            inline_bytes: 512 * 1024 * 1024,
            ..Self::server()
        }
    }

    /// `frame_bytes`, cut to what offsets can express.
    pub(crate) fn frame_cap(&self) -> usize {
        self.frame_bytes.min(Self::MAX_FRAME_BYTES)
    }

    /// `depth`, cut to what the stack can bear.
    pub(crate) fn depth_cap(&self) -> usize {
        self.depth.min(Self::MAX_DEPTH)
    }

    /// `inline_bytes`, with room for any number; a line's type byte counts.
    pub(crate) fn line_cap(&self) -> usize {
        self.inline_bytes.max(32)
    }
}

impl Default for Limits {
    /// [`Limits::server`], the stricter ones.
    fn default() -> Self {
        Self::server()
    }
}
