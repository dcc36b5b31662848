//! Frames about the connection: the hello, and what only a client that said it may send.

use std::{pin::pin, time::Duration};

use super::{
    super::{Handler, stats::Counters, upload::WINDOW_CHUNKS},
    Reader, too_long,
};
use crate::{
    Head, Kind, Message, Request, RequestHeader,
    control::{Code, FromClient, FromServer, MAX_PING_BYTES, MessageId, Refusal, VERSION, Welcome},
};

/// Ids that the server gives out begin here.
const FIRST_FREE_ID: u32 = 0xf000_0000;

impl<H: Handler> Reader<'_, H> {
    pub(super) async fn control(&mut self, Request { header, body }: Request) {
        let control = match FromClient::decode(header.kind, body) {
            Some(Ok(control)) => control,
            Some(Err(malformed)) => {
                return self.refuse(None, Refusal::new(Code::Malformed, malformed.to_string()));
            }
            None => {
                let text = format!("control kind {} is unknown", header.kind);
                return self.refuse(None, Refusal::new(Code::UnknownKind, text));
            }
        };
        let connection = self.connection;
        let outbox = connection.peer.outbox();
        match control {
            FromClient::Hello { version } => self.hello(header.sender, version),
            _ if !self.is_session => self.refuse(
                None,
                Refusal::new(Code::Malformed, "a hello has to come first"),
            ),
            FromClient::Message { id, re, kind, body } => {
                let head = session_head(header, id, re, kind);
                let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
                match self.check(kind, len) {
                    Ok(()) => self.message(Message { head, body }).await,
                    Err(refusal) => self.refuse(id, refusal),
                }
            }
            FromClient::Ack { tag } => {
                let delivered = outbox.settle(tag);
                if !delivered.is_empty() {
                    let handler = &connection.server.handler;
                    let told = pin!(handler.delivered(&connection.peer, delivered));
                    self.wait(told).await;
                }
            }
            FromClient::Ping(body) if body.len() <= MAX_PING_BYTES => {
                outbox.push_control(FromServer::Pong(body).into_reply(0));
            }
            FromClient::Ping(_) => self.refuse(
                None,
                Refusal::new(Code::Malformed, "a ping of more than 125 bytes"),
            ),
            FromClient::Pong(_) => {}
            FromClient::Start { id, re, kind, len } => {
                let head = session_head(header, MessageId::new(id), re, kind);
                self.start(head, id, len).await;
            }
            FromClient::Chunk { id, bytes } => self.chunk(id, bytes),
            FromClient::Abort { id } => drop(self.uploads.remove(&id)),
        }
    }

    fn hello(&mut self, asked: u32, version: u8) {
        let peer = &self.connection.peer;
        let config = &self.connection.server.config;
        if peer.id().is_some() || version == 0 {
            let text = "a hello has to be the first frame and name a version from 1 on";
            return self.refuse(None, Refusal::new(Code::Malformed, text));
        }
        let own = FIRST_FREE_ID | u32::try_from(peer.connection() & 0x0fff_ffff).unwrap_or(0);
        let id = if asked == 0 { own } else { asked };
        let limits = [Kind::TEXT, Kind::PICTURE, Kind::VOICE, Kind::VIDEO];
        let welcome = Welcome {
            version: version.min(VERSION),
            id,
            heartbeat: config.heartbeat.unwrap_or(Duration::ZERO),
            chunk_bytes: config.chunk_bytes,
            window_chunks: WINDOW_CHUNKS,
            limits: limits.map(|kind| (kind, config.limits.of(kind))).into(),
        };
        self.is_session = true;
        peer.outbox().open_session(config.chunk_bytes);
        peer.outbox()
            .push_control(FromServer::Welcome(welcome).into_reply(0));
        Counters::add(&self.connection.server.counters.sessions, 1);
        self.bind(id); // behind the welcome, so that nothing comes before it
    }

    /// Whether a message of this kind may be this long.
    pub(super) fn check(&self, kind: Kind, len: u32) -> Result<(), Refusal> {
        let max = self.connection.server.config.limits.of(kind);
        if kind.is_control() {
            return Err(Refusal::new(
                Code::Malformed,
                format!("kind {kind} inside a message"),
            ));
        }
        if len > max {
            Counters::add(&self.connection.server.counters.too_long, 1);
            return Err(too_long(len, max, kind));
        }
        Ok(())
    }
}

fn session_head(
    header: RequestHeader,
    id: Option<MessageId>,
    re: Option<MessageId>,
    kind: Kind,
) -> Head {
    let RequestHeader {
        sender, receiver, ..
    } = header;
    Head {
        sender,
        receiver,
        id,
        re,
        kind,
    }
}
