//! The first exchange on a connection: the protocol's version, login, name and database.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use resp_codec::{FrameDecoder, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::config::{Address, Config, Credentials, Protocol, Stream};
use crate::connection::session::Session;
use crate::connection::transport::dial;
use crate::error::{Error, ErrorKind, Outcome, ServerError};
use crate::reply::Reply;
use crate::request::Request;
use crate::sentinel::find_primary;

/// A connection that is ready for commands.
pub(crate) struct Established {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) version: Version,
    /// The turn of the login that it was given.
    pub(crate) login: u64,
    /// The server's address.
    pub(crate) peer: String,
    /// Bytes that arrived behind the last reply of the handshake.
    pub(crate) input: BytesMut,
}

/// Opens a connection and gives it the state of `session`, within the configuration's time limit.
pub(crate) async fn establish(config: &Config, session: &Session) -> Result<Established, Error> {
    let limit = config.connect_timeout;
    let connecting = async {
        let Address::Sentinel { service, .. } = &config.address else {
            let (peer, version) = Peer::open(config, session).await?;
            return Ok(peer.established(version));
        };
        let mut passed = Vec::new();
        let mut last = None;
        loop {
            let (address, told_by) = match find_primary(config, service, &passed).await {
                Ok(found) => found,
                // If all of them name the same server, what is wrong with that says more.
                Err(error) => return Err(last.unwrap_or(error)),
            };
            let primary = Config {
                address,
                ..config.clone()
            };
            match open_primary(&primary, session).await {
                Ok(established) => {
                    config.sentinels.trust(&told_by);
                    return Ok(established);
                }
                // The sentinel may not have heard of the latest failover.
                Err(error) if is_transient(error.kind()) => last = Some(error),
                Err(error) => return Err(error),
            }
            passed.push(primary.address);
        }
    };
    match timeout(limit, connecting).await {
        Ok(result) => result,
        Err(_) => {
            let hint = if config.uses_tls() {
                "; does this port speak TLS?"
            } else {
                ""
            };
            let source = io::Error::new(
                io::ErrorKind::TimedOut,
                format!("not connected and set up within {limit:?}{hint}"),
            );
            Err(connect_error(config, source))
        }
    }
}

/// Connects to a server that is said to be a primary.
async fn open_primary(config: &Config, session: &Session) -> Result<Established, Error> {
    let (mut peer, version) = Peer::open(config, session).await?;
    peer.verify_primary().await?;
    Ok(peer.established(version))
}

/// Whether another attempt may succeed without anybody changing the configuration or the server's.
pub(crate) fn is_transient(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Connect { .. }
        | ErrorKind::Credentials { .. }
        | ErrorKind::Lost { .. }
        | ErrorKind::NoPrimary { .. }
        | ErrorKind::NotPrimary { .. } => true,
        ErrorKind::Refused { reply, .. } => {
            matches!(
                reply.code(),
                "LOADING" | "MASTERDOWN" | "BUSY" | "CLUSTERDOWN"
            ) || reply.message().starts_with("max number of clients")
        }
        _ => false,
    }
}

fn connect_error(config: &Config, source: io::Error) -> Error {
    Error::new(
        ErrorKind::Connect {
            addr: config.address.to_string(),
            source: Arc::new(source),
        },
        Outcome::NotSent,
    )
}

/// A server that is being talked to, one question at a time.
pub(crate) struct Peer<'a> {
    stream: Box<dyn Stream>,
    input: BytesMut,
    decoder: FrameDecoder,
    config: &'a Config,
    login: u64,
    /// Whether it has said anything yet.
    heard: bool,
}

impl<'a> Peer<'a> {
    /// Connects to the one server of `config`, and gives the connection the state of `session`.
    pub(crate) async fn open(
        config: &'a Config,
        session: &Session,
    ) -> Result<(Self, Version), Error> {
        let (credentials, login) = session.login.ask().await?;
        let stream = dial(config)
            .await
            .map_err(|source| connect_error(config, source))?;
        let mut peer = Self {
            stream,
            input: BytesMut::new(),
            decoder: FrameDecoder::new(config.limits),
            config,
            login,
            heard: false,
        };
        let greeted = peer.greet(credentials.as_ref()).await;
        let version = greeted.map_err(|error| match error.code() {
            // The next answer of whoever is asked for it may be a better one.
            Some("WRONGPASS" | "NOAUTH") if session.login.may_change() => {
                let source = Arc::new(error);
                Error::new(ErrorKind::Credentials { source }, Outcome::NotSent)
            }
            _ => error,
        })?;
        peer.set_up(session, version, credentials.is_some()).await?;
        Ok((peer, version))
    }

    /// Goes on talking on a connection that is made already.
    pub(crate) fn resume(config: &'a Config, established: Established) -> Self {
        Self {
            stream: established.stream,
            input: established.input,
            decoder: FrameDecoder::new(config.limits),
            config,
            login: established.login,
            heard: true,
        }
    }

    pub(crate) fn established(self, version: Version) -> Established {
        Established {
            stream: self.stream,
            version,
            login: self.login,
            peer: self.config.address.to_string(),
            input: self.input,
        }
    }

    /// A sentinel may be behind: only the server itself knows what it is.
    async fn verify_primary(&mut self) -> Result<(), Error> {
        let reply = self.ask(&Request::new("ROLE")).await?;
        let role = match reply {
            Reply::Error(reply) => return Err(self.refused("ROLE", reply)),
            reply => reply.into_elements().and_then(|role| role.iter().next()),
        };
        let role = role.as_ref().and_then(Reply::as_bytes).unwrap_or_default();
        if role == b"master" {
            return Ok(());
        }
        let kind = ErrorKind::NotPrimary {
            addr: self.config.address.to_string(),
            role: String::from_utf8_lossy(role).into_owned(),
        };
        Err(Error::new(kind, Outcome::NotSent))
    }

    /// Agrees on the protocol and logs in.
    async fn greet(&mut self, credentials: Option<&Credentials>) -> Result<Version, Error> {
        if self.config.protocol != Protocol::Resp2 {
            match self.ask(&hello(credentials)).await? {
                Reply::Error(reply)
                    if self.config.protocol == Protocol::Auto && knows_no_hello(&reply) => {}
                Reply::Error(reply) => {
                    let step = if credentials.is_some() && reply.code() == "WRONGPASS" {
                        "AUTH"
                    } else {
                        "HELLO"
                    };
                    return Err(self.refused(step, reply));
                }
                Reply::Map(_) | Reply::Array(_) => return Ok(Version::Resp3),
                // Servers of mail and news greet with `+OK`, too.
                reply => {
                    let kind = ErrorKind::Reply(reply.mismatch("a map of what the server is"));
                    return Err(Error::new(kind, Outcome::NotSent).of("HELLO"));
                }
            }
        }
        if let Some(credentials) = credentials {
            if let Reply::Error(reply) = self.ask(&auth(credentials)).await? {
                return Err(self.refused("AUTH", reply));
            }
        }
        Ok(Version::Resp2)
    }

    /// Sets what is left of the session, in one round trip.
    async fn set_up(
        &mut self,
        session: &Session,
        version: Version,
        has_login: bool,
    ) -> Result<(), Error> {
        let mut steps: Vec<(&'static str, Request)> = Vec::new();
        if let Some(name) = &session.name {
            let mut request = Request::new("CLIENT");
            request.push(b"SETNAME");
            request.push(name);
            steps.push(("CLIENT SETNAME", request));
        }
        if session.db != 0 {
            let mut request = Request::new("SELECT");
            request.push_i64(i64::from(session.db));
            steps.push(("SELECT", request));
        }
        if self.config.caching.is_some() && version == Version::Resp3 {
            let mut request = Request::new("CLIENT");
            ["TRACKING", "ON", "OPTIN"]
                .iter()
                .for_each(|word| request.push(word.as_bytes()));
            steps.push(("CLIENT TRACKING", request));
        }
        if self.config.readonly {
            steps.push(("READONLY", Request::new("READONLY")));
        }
        if version == Version::Resp2 && !has_login && steps.is_empty() {
            // Nothing has been asked of this server yet: make sure that it is one, and that it wants no password.
            steps.push(("PING", Request::new("PING")));
        }
        let mut bytes = Vec::new();
        for (_, request) in &steps {
            bytes.extend_from_slice(&request.to_vec());
        }
        self.send(&bytes).await?;
        for (step, _) in steps {
            if let Reply::Error(reply) = self.receive().await? {
                return Err(self.refused(step, reply));
            }
        }
        Ok(())
    }

    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Reply, Error> {
        self.send(&request.to_vec()).await?;
        self.receive().await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|source| self.cut_off(source))
    }

    /// The next reply; messages out of band are not of interest yet.
    async fn receive(&mut self) -> Result<Reply, Error> {
        loop {
            while !self.input.is_empty() {
                let decoded = self
                    .decoder
                    .decode_owned(&mut self.input)
                    .map_err(|source| {
                        Error::new(
                            ErrorKind::Protocol {
                                addr: self.config.address.to_string(),
                                source,
                            },
                            Outcome::NotSent,
                        )
                    })?;
                match decoded.map(Reply::from_owned) {
                    Some(Reply::Push(_)) => {}
                    Some(reply) => return Ok(reply),
                    None => break,
                }
            }
            self.input.reserve(4096);
            let read = self
                .stream
                .read_buf(&mut self.input)
                .await
                .map_err(|source| self.cut_off(source))?;
            if read == 0 {
                return Err(self.cut_off(io::ErrorKind::UnexpectedEof.into()));
            }
            self.heard = true;
        }
    }

    /// The connection ended while it was set up.
    fn cut_off(&self, source: io::Error) -> Error {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};

        if !matches!(source.kind(), BrokenPipe | ConnectionReset | UnexpectedEof) {
            return connect_error(self.config, source);
        }
        // That is how a port that speaks TLS ends what does not.
        let hint = match self.config.address {
            Address::Tcp { .. } if !self.heard && !self.config.uses_tls() => {
                "; does this port speak TLS (rediss://)?"
            }
            _ => "",
        };
        let text = format!("closed by the server before it was set up{hint}");
        connect_error(self.config, io::Error::new(source.kind(), text))
    }

    fn refused(&self, step: &'static str, reply: ServerError) -> Error {
        Error::new(
            ErrorKind::Refused {
                addr: self.config.address.to_string(),
                step,
                reply,
            },
            Outcome::Rejected,
        )
    }
}

fn hello(credentials: Option<&Credentials>) -> Request {
    let mut request = Request::new("HELLO");
    request.push(b"3");
    if let Some(credentials) = credentials {
        request.push(b"AUTH");
        request.push(credentials.user().unwrap_or("default").as_bytes());
        request.push(credentials.secret().as_bytes());
    }
    request
}

pub(crate) fn auth(credentials: &Credentials) -> Request {
    let mut request = Request::new("AUTH");
    if let Some(user) = credentials.user() {
        request.push(user.as_bytes());
    }
    request.push(credentials.secret().as_bytes());
    request
}

/// The answers of servers older than Redis 6, and of those that speak RESP2 only or keep HELLO from this user.
fn knows_no_hello(reply: &ServerError) -> bool {
    matches!(reply.code(), "ERR" | "NOPROTO" | "NOPERM")
        && !reply.message().starts_with("max number of clients")
}
