//! One connection of a client, from its hello on.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};

use super::{Config, connect::BoxedIo};
use crate::{
    ClientCodec, Item,
    control::{CONTROL_BYTES, FromClient, FromServer, VERSION, Welcome},
};

/// A connection, ready for messages.
pub(super) struct Link {
    pub(super) io: BoxedIo,
    pub(super) codec: ClientCodec,
    /// Received and not decoded yet.
    pub(super) buffer: BytesMut,
    /// What the server answered to the hello; `None` on a plain connection.
    pub(super) welcome: Option<Welcome>,
    id: u32,
}

/// A large reply to a plain client is handed on in pieces of this size.
const CHUNK_BYTES: u32 = 64 * 1024;

impl Link {
    /// Says hello, unless the client is a plain one.
    pub(super) async fn open(io: BoxedIo, config: &Config) -> io::Result<Self> {
        let mut link = Self {
            io,
            codec: ClientCodec::new()
                .limits(config.limits)
                .chunked(CHUNK_BYTES),
            buffer: BytesMut::new(),
            welcome: None,
            id: config.id,
        };
        if config.plain {
            return Ok(link);
        }
        let mut out = BytesMut::new();
        let hello = FromClient::Hello { version: VERSION }.into_request(config.id, 0);
        link.codec
            .encode(hello, &mut out)
            .map_err(io::Error::other)?;
        link.io.write_all(&out).await?;
        link.io.flush().await?;

        let welcome = link.welcome().await?;
        let frame_bytes = welcome.chunk_bytes.saturating_add(CONTROL_BYTES);
        link.codec = link
            .codec
            .limits(config.limits.with_control(frame_bytes))
            .chunked(frame_bytes);
        link.id = welcome.id;
        link.welcome = Some(welcome);
        Ok(link)
    }

    /// The id that this connection sends from.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// The silence after which the server is taken for lost: three heartbeats.
    pub(super) fn patience(&self) -> Option<Duration> {
        let heartbeat = self.welcome.as_ref()?.heartbeat;
        Some(heartbeat * 3).filter(|patience| !patience.is_zero())
    }

    async fn welcome(&mut self) -> io::Result<Welcome> {
        let unexpected = |text: String| Err(io::Error::new(io::ErrorKind::InvalidData, text));
        loop {
            match self
                .codec
                .decode(&mut self.buffer)
                .map_err(io::Error::other)?
            {
                Some(Item::Frame(reply)) => match FromServer::decode(reply.header.kind, reply.body)
                {
                    Some(Ok(FromServer::Welcome(welcome))) => return Ok(welcome),
                    Some(Ok(FromServer::Error(refusal))) => {
                        return unexpected(format!("refused: {refusal}"));
                    }
                    _ => {
                        return unexpected(format!(
                            "{} frame in answer to a hello",
                            reply.header.kind
                        ));
                    }
                },
                Some(_) => return unexpected("a large frame in answer to a hello".to_owned()),
                None => {}
            }
            if self.io.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
