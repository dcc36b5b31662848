//! The connect technique: the system's own handshake on non-blocking sockets, without privileges.
//!
//! A port of this machine (and of a container or a namespace on it) answers while `connect` still runs, so the result is
//! asked for at once and only sockets that have none yet are registered with the poller. On Linux a socket whose
//! connection was refused is as good as new and makes the next connection: two system calls a closed port instead of six.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
    task::{Context, Poll, ready},
    time::Duration,
};

use mio::{Events, Interest, Token, unix::SourceFd};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, ipproto},
};
use tokio::io::unix::AsyncFd;

use super::prober::{Answer, Key, watch};
use crate::Reason;

#[derive(Debug)]
pub(super) struct Connect {
    /// A poller of our own inside the runtime's: one registration for the whole scan instead of one for each probe.
    poller: AsyncFd<mio::Poll>,
    events: Events,
    /// The sockets in flight, by key.
    sockets: Vec<Option<OwnedFd>>,
    /// A refused socket to be used again, for each family.
    spare: [Option<OwnedFd>; 2],
    /// Connections that turned out to be with themselves.
    self_connects: u64,
}

impl Connect {
    /// # Errors
    ///
    /// The system refuses a poller.
    pub(super) fn new() -> io::Result<Self> {
        let poller = watch(mio::Poll::new()?)?;
        Ok(Self {
            poller,
            events: Events::with_capacity(EVENTS),
            sockets: Vec::new(),
            spare: [None, None],
            self_connects: 0,
        })
    }

    pub(super) fn self_connects(&self) -> u64 {
        self.self_connects
    }

    pub(super) fn launch(&mut self, key: Key, to: SocketAddr, distinct: bool) -> Option<Answer> {
        match self.begin(key, to, distinct) {
            Ok(answer) => answer,
            Err(errno) => Some(Answer::from_errno(errno, true)),
        }
    }

    fn begin(&mut self, key: Key, to: SocketAddr, distinct: bool) -> Result<Option<Answer>, Errno> {
        let spare = usize::from(to.is_ipv6());
        let socket = match self.spare[spare].take() {
            Some(socket) if !distinct => socket,
            _ => new_socket(to)?,
        };
        let socket = if distinct {
            bind_distinct(socket, to)?
        } else {
            socket
        };
        match rustix::net::connect(&socket, &to) {
            Ok(()) => return Ok(Some(self.established(socket, to))),
            Err(Errno::INPROGRESS) => {}
            Err(errno) => {
                // Refused at once means answered at once: the peer is this machine.
                return Ok(Some(Answer::from_errno(errno, true)));
            }
        }
        if cfg!(target_os = "linux") {
            match rustix::net::connect(&socket, &to) {
                Ok(()) | Err(Errno::ISCONN) => return Ok(Some(self.established(socket, to))),
                Err(Errno::ALREADY) => {}
                Err(errno) => {
                    if errno == Errno::CONNREFUSED && !distinct {
                        self.spare[spare] = Some(socket);
                    }
                    return Ok(Some(Answer::from_errno(errno, false)));
                }
            }
        }
        let descriptor = socket.as_raw_fd();
        let source = &mut SourceFd(&descriptor);
        let token = Token(key as usize);
        if let Err(error) =
            self.poller
                .get_ref()
                .registry()
                .register(source, token, Interest::WRITABLE)
        {
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::NOMEM));
        }
        let slot = key as usize;
        if self.sockets.len() <= slot {
            self.sockets.resize_with(slot + 1, || None);
        }
        self.sockets[slot] = Some(socket);
        Ok(None)
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        answers: &mut Vec<(Key, Answer)>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.poller.poll_read_ready_mut(cx))?;
            match ready
                .get_inner_mut()
                .poll(&mut self.events, Some(Duration::ZERO))
            {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            if self.events.is_empty() {
                ready.clear_ready();
                continue;
            }
            drop(ready);
            let mut found = Vec::with_capacity(EVENTS);
            found.extend(self.events.iter().map(|event| event.token().0));
            for slot in found {
                let Some(socket) = self.sockets.get_mut(slot).and_then(Option::take) else {
                    continue;
                };
                match self.result(socket) {
                    Ok(answer) => answers.push((Key::try_from(slot).unwrap_or(Key::MAX), answer)),
                    // Not finished after all: it stays registered.
                    Err(socket) => self.sockets[slot] = Some(socket),
                }
            }
            return Poll::Ready(Ok(()));
        }
    }

    /// The result of a connection that the poller called finished; gives the socket back if it is not.
    fn result(&mut self, socket: OwnedFd) -> Result<Answer, OwnedFd> {
        match rustix::net::sockopt::socket_error(&socket) {
            Ok(Err(errno)) | Err(errno) => return Ok(Answer::from_errno(errno, false)),
            Ok(Ok(())) => {}
        }
        match rustix::net::getpeername(&socket) {
            Ok(Some(peer)) => match SocketAddr::try_from(peer) {
                Ok(peer) => Ok(self.established(socket, peer)),
                Err(_) => Ok(Answer::new(Reason::OtherError)),
            },
            Ok(None) | Err(Errno::NOTCONN) => Err(socket),
            Err(errno) => Ok(Answer::from_errno(errno, false)),
        }
    }

    /// An established connection is an open port unless it is with itself: a socket that calls a port of this machine from
    /// that very port.
    fn established(&mut self, socket: OwnedFd, peer: SocketAddr) -> Answer {
        let local = rustix::net::getsockname(&socket)
            .ok()
            .and_then(|local| SocketAddr::try_from(local).ok());
        if local.is_some_and(|local| local.ip() == peer.ip() && local.port() == peer.port()) {
            self.self_connects += 1;
            return Answer::new(Reason::SelfConnect);
        }
        Answer {
            reason: Reason::SynAck,
            errno: None,
            socket: Some(socket),
        }
    }

    pub(super) fn forget(&mut self, key: Key) {
        // Closing a socket takes it out of the poller.
        if let Some(socket) = self.sockets.get_mut(key as usize) {
            *socket = None;
        }
    }
}

/// Whether a connection's two ends are the same address, so that it may have met another probe of ours.
pub(super) fn is_within_this_machine(socket: &OwnedFd, peer: IpAddr) -> bool {
    rustix::net::getsockname(socket)
        .ok()
        .and_then(|local| SocketAddr::try_from(local).ok())
        .is_some_and(|local| local.ip() == peer)
}

fn new_socket(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if to.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    #[cfg(target_os = "linux")]
    return rustix::net::socket_with(
        family,
        SocketType::STREAM,
        SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
        Some(ipproto::TCP),
    );
    #[cfg(not(target_os = "linux"))]
    {
        let socket = rustix::net::socket_with(
            family,
            SocketType::STREAM,
            SocketFlags::empty(),
            Some(ipproto::TCP),
        )?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(socket)
    }
}

/// Binds a socket to a free port of the target's own address other than the target's.
fn bind_distinct(socket: OwnedFd, to: SocketAddr) -> Result<OwnedFd, Errno> {
    let mut any_port = to;
    any_port.set_port(0);
    rustix::net::bind(&socket, &any_port)?;
    let local = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    if local.port() != to.port() {
        return Ok(socket);
    }
    // While the first keeps that port, the second gets another.
    let second = new_socket(to)?;
    rustix::net::bind(&second, &any_port)?;
    Ok(second)
}

/// Finished connections taken from the system at a time.
const EVENTS: usize = 256;
