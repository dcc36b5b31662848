//! Frames as lines of text.

use std::{
    fmt::Debug,
    io::{self, Write},
};

use bytes::{Bytes, BytesMut};
use framed_echo::{
    Codec, Header, Item, Kind, Limits, ReplyHeader, RequestHeader,
    control::{FromClient, FromServer},
};
use tokio_util::codec::Decoder;

use crate::Error;

/// Decodes one direction and prints a line for each frame, with the offset of its first byte.
pub(crate) struct Dump<H> {
    prefix: String,
    codec: Codec<H>,
    buffer: BytesMut,
    /// Where the next frame begins.
    offset: u64,
    /// Bytes of the large body that passes, if one does.
    large: u32,
}

/// Bodies longer than this are not shown, only counted.
const SHOWN_BYTES: u32 = 1024 * 1024;

impl<H: Shown> Dump<H> {
    pub(crate) fn new(prefix: String) -> Self {
        let limits = (0..=u8::MAX).fold(Limits::default(), |limits, kind| {
            limits.with(Kind(kind), u32::MAX)
        });
        Self {
            prefix,
            codec: Codec::new().limits(limits).chunked(SHOWN_BYTES),
            buffer: BytesMut::new(),
            offset: 0,
            large: 0,
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        while let Some(item) = self.codec.decode(&mut self.buffer)? {
            self.show(item)?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<(), Error> {
        match self.codec.decode_eof(&mut self.buffer) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("at byte {}: {error}", self.offset).into()),
        }
    }

    fn show(&mut self, item: Item<H>) -> io::Result<()> {
        let (header, len, shown) = match item {
            Item::Frame(frame) => {
                let len = u32::try_from(frame.body.len()).unwrap_or(u32::MAX);
                (frame.header, len, frame.header.describe(frame.body))
            }
            Item::Start { header, len } => {
                self.large = len;
                (header, len, "...".to_owned())
            }
            Item::Chunk { left, .. } => {
                if left == 0 {
                    self.offset += u64::from(std::mem::take(&mut self.large));
                }
                return Ok(());
            }
            Item::TooLong { header, len, .. } => (header, len, "...".to_owned()),
        };
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{}{:08x} {} {} length={len} {shown}",
            self.prefix,
            self.offset,
            H::NAME,
            header.fields()
        )?;
        self.offset += H::LEN as u64;
        if self.large == 0 {
            self.offset += u64::from(len);
        }
        Ok(())
    }
}

/// A header that can be shown.
pub(crate) trait Shown: Header {
    const NAME: &'static str;

    /// The ending of a file that holds many of them.
    const FILE: &'static str;

    fn fields(&self) -> String;

    fn control(kind: Kind, body: Bytes) -> Option<String>;

    fn describe(&self, body: Bytes) -> String {
        match Self::control(self.kind(), body.clone()) {
            Some(control) => control,
            None if self.kind() == Kind::TEXT => match std::str::from_utf8(&body) {
                Ok(text) => format!("{text:?}"),
                Err(error) => format!("{} (not UTF-8: {error})", hex(&body)),
            },
            None => hex(&body),
        }
    }
}

impl Shown for RequestHeader {
    const NAME: &'static str = "request";
    const FILE: &'static str = "requests";

    fn fields(&self) -> String {
        format!(
            "sender={} receiver={} kind={}",
            self.sender, self.receiver, self.kind
        )
    }

    fn control(kind: Kind, body: Bytes) -> Option<String> {
        FromClient::decode(kind, body).map(show_control)
    }
}

impl Shown for ReplyHeader {
    const NAME: &'static str = "reply";
    const FILE: &'static str = "replies";

    fn fields(&self) -> String {
        format!("sender={} kind={}", self.sender, self.kind)
    }

    fn control(kind: Kind, body: Bytes) -> Option<String> {
        FromServer::decode(kind, body).map(show_control)
    }
}

fn show_control<C: Debug, E: ToString>(control: Result<C, E>) -> String {
    match control {
        Ok(control) => format!("{control:?}"),
        Err(error) => error.to_string(),
    }
}

/// The first bytes, in hex.
fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;

    let digits: String = bytes
        .iter()
        .take(SHOWN)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if bytes.len() > SHOWN {
        digits + "..."
    } else {
        digits
    }
}
