//! The tokio-util codec.

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use crate::{
    build,
    decode::FrameDecoder,
    error::{DecodeError, Error},
    frame::Frame,
    limits::Limits,
    version::Version,
};

/// Reads both versions of the protocol and writes one, for [`tokio_util::codec::Framed`].
///
/// After an error the stream has lost its framing: close the connection.
#[derive(Debug, Clone)]
pub struct RespCodec {
    decoder: FrameDecoder,
    version: Version,
}

impl RespCodec {
    /// A codec that writes `version` and accepts what [`Limits::client`] allow.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            decoder: FrameDecoder::new(Limits::client()),
            version,
        }
    }

    /// Accepts what `limits` allow.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.decoder.set_limits(limits);
        self
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.decoder.limits()
    }

    /// Changes the limits, from the next header on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }

    /// The version that is written.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Changes the version that is written, as `HELLO` does.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }
}

impl Default for RespCodec {
    fn default() -> Self {
        Self::new(Version::default())
    }
}

impl Decoder for RespCodec {
    type Item = Frame;
    type Error = Error;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, Error> {
        if let Some((entry, len)) = self.decoder.single(src) {
            return build::single(src, &entry, len);
        }
        if !self.decoder.scan(src)? {
            return Ok(None); // `Framed` doubles the buffer as it fills; an announced length reserves nothing
        }
        let (tape, len) = self.decoder.scanned();
        build::shared(src, tape, len)
    }
}

impl Encoder<Frame> for RespCodec {
    type Error = Error;

    fn encode(&mut self, frame: Frame, dst: &mut BytesMut) -> Result<(), Error> {
        self.encode(&frame, dst)
    }
}

impl Encoder<&Frame> for RespCodec {
    type Error = Error;

    fn encode(&mut self, frame: &Frame, dst: &mut BytesMut) -> Result<(), Error> {
        frame.write(dst, self.version);
        Ok(())
    }
}

impl From<DecodeError> for std::io::Error {
    fn from(error: DecodeError) -> Self {
        Self::new(std::io::ErrorKind::InvalidData, error)
    }
}
