//! The SYN technique: half-open probes on raw sockets, with the answers authenticated by a cookie.
//!
//! The sequence number of a SYN is a hash of its target under a secret key, so an answer proves by itself that it answers a SYN of
//! this scan. A bound TCP socket that never listens keeps the source port from other programs; the system itself resets
//! what a port that is open begins.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::OwnedFd,
    task::{Context, Poll},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto},
};
use tokio::io::unix::AsyncFd;

use super::prober::{Answer, Key, watch};
use crate::wire::{self, Reply};

#[derive(Debug)]
pub(super) struct Syn {
    v4: Family,
    /// Made with the first IPv6 target.
    v6: Option<Family>,
    secret: RandomState,
    /// The probes in flight, both ways.
    keys: HashMap<(IpAddr, u16), Key>,
    targets: Vec<Option<(IpAddr, u16)>>,
    /// The source address for each target, at most [`SOURCES`] of them.
    sources: HashMap<IpAddr, IpAddr>,
}

/// The sockets of one address family.
#[derive(Debug)]
struct Family {
    tcp: AsyncFd<OwnedFd>,
    icmp: AsyncFd<OwnedFd>,
    port: u16,
    /// Holds the port.
    _reserved: OwnedFd,
}

impl Syn {
    /// # Errors
    ///
    /// Raw sockets are refused.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            v4: Family::new(false)?,
            v6: None,
            secret: RandomState::new(),
            keys: HashMap::new(),
            targets: Vec::new(),
            sources: HashMap::new(),
        })
    }

    pub(super) fn launch(&mut self, key: Key, to: SocketAddr) -> Option<Answer> {
        match self.send(to) {
            Ok(()) => {
                let slot = key as usize;
                if self.targets.len() <= slot {
                    self.targets.resize(slot + 1, None);
                }
                let target = (to.ip(), to.port());
                self.targets[slot] = Some(target);
                self.keys.insert(target, key);
                None
            }
            Err(error) => {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                Some(Answer::from_errno(errno, true))
            }
        }
    }

    fn send(&mut self, mut to: SocketAddr) -> io::Result<()> {
        let source = self.source(to)?;
        let (addr, port) = (to.ip(), to.port());
        let cookie = self.cookie(addr, port);
        let family = match (addr, &mut self.v6) {
            (IpAddr::V4(_), _) => &self.v4,
            (IpAddr::V6(_), Some(family)) => family,
            (IpAddr::V6(_), none) => none.insert(Family::new(true)?),
        };
        let segment = wire::syn(source, addr, family.port, port, cookie);
        // The port of a raw socket's target stands in the segment, not in the address.
        to.set_port(0);
        rustix::net::sendto(family.tcp.get_ref(), &segment, SendFlags::empty(), &to)?;
        Ok(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits of a hash are wanted"
    )]
    fn cookie(&self, addr: IpAddr, port: u16) -> u32 {
        self.secret.hash_one((addr, port)) as u32
    }

    /// The address that the system sends from to reach a target.
    fn source(&mut self, mut to: SocketAddr) -> io::Result<IpAddr> {
        let addr = to.ip();
        if let Some(&source) = self.sources.get(&addr) {
            return Ok(source);
        }
        let any: IpAddr = if addr.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        // Connecting a datagram socket asks for the route and sends nothing; 9 is the discard port.
        let socket = UdpSocket::bind((any, 0))?;
        to.set_port(9);
        socket.connect(to)?;
        let source = socket.local_addr()?.ip();
        if self.sources.len() >= SOURCES {
            self.sources.clear();
        }
        self.sources.insert(addr, source);
        Ok(source)
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        answers: &mut Vec<(Key, Answer)>,
    ) -> Poll<io::Result<()>> {
        let mut replies: Vec<(IpAddr, Reply)> = Vec::new();
        let mut busy = false;
        let v4 = std::iter::once((&self.v4, false));
        for (family, is_v6) in v4.chain(self.v6.iter().map(|family| (family, true))) {
            let local = family.port;
            let mut keep = |addr, reply: Reply| {
                if reply.to == local {
                    replies.push((addr, reply));
                }
            };
            busy |= receive(&family.tcp, cx, |packet, from| {
                let (addr, segment) = match is_v6 {
                    true => (from?, packet),
                    false => wire::ipv4(packet).map(|(addr, segment)| (addr.into(), segment))?,
                };
                keep(addr, wire::reply(segment)?);
                Some(())
            })?;
            busy |= receive(&family.icmp, cx, |packet, _| {
                let complaint = match is_v6 {
                    true => wire::icmp6(packet)?,
                    false => wire::icmp4(wire::ipv4(packet)?.1)?,
                };
                keep(complaint.target, complaint.reply);
                Some(())
            })?;
        }
        for (addr, reply) in replies {
            if reply.cookie != self.cookie(addr, reply.from) {
                continue;
            }
            if let Some(&key) = self.keys.get(&(addr, reply.from)) {
                self.forget(key);
                answers.push((key, Answer::new(reply.reason)));
            }
        }
        if busy {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    pub(super) fn forget(&mut self, key: Key) {
        if let Some(target) = self.targets.get_mut(key as usize).and_then(Option::take) {
            self.keys.remove(&target);
        }
    }
}

impl Family {
    fn new(v6: bool) -> io::Result<Self> {
        let (family, any): (_, IpAddr) = match v6 {
            true => (AddressFamily::INET6, Ipv6Addr::UNSPECIFIED.into()),
            false => (AddressFamily::INET, Ipv4Addr::UNSPECIFIED.into()),
        };
        let raw = |protocol| raw_socket(family, protocol);
        let tcp = raw(ipproto::TCP)?;
        let icmp = raw(if v6 { ipproto::ICMPV6 } else { ipproto::ICMP })?;
        let reserved = rustix::net::socket_with(
            family,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            Some(ipproto::TCP),
        )?;
        rustix::net::bind(&reserved, &SocketAddr::new(any, 0))?;
        let port = SocketAddr::try_from(rustix::net::getsockname(&reserved)?)
            .map_err(io::Error::from)?
            .port();
        attach_filter(&tcp, port, v6)?;
        Ok(Self {
            tcp: watch(tcp)?,
            icmp: watch(icmp)?,
            port,
            _reserved: reserved,
        })
    }
}

fn raw_socket(family: AddressFamily, protocol: Protocol) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::RAW, flags, Some(protocol))?;
    // More than the system's maximum is asked for; it gives what it allows.
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
    Ok(socket)
}

/// Lets through only what can answer a SYN from our port, so that other connections of this machine cost nothing.
#[cfg(target_os = "linux")]
fn attach_filter(socket: &OwnedFd, port: u16, v6: bool) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    // Classic BPF, see linux/filter.h. An IPv4 packet comes with its header, whose length goes to X; a raw IPv6 one without.
    let load_header_length = SockFilter::new(0xb1, 0, 0, 0);
    let (half, byte) = if v6 { (0x28, 0x30) } else { (0x48, 0x50) };
    let program = [
        SockFilter::new(half, 0, 0, 2),               // the destination port
        SockFilter::new(0x15, 0, 3, u32::from(port)), // is ours?
        SockFilter::new(byte, 0, 0, 13),              // the flags
        SockFilter::new(0x45, 0, 1, 0x10),            // hold ACK?
        SockFilter::new(0x06, 0, 0, 128),             // take so many bytes
        SockFilter::new(0x06, 0, 0, 0),               // drop
    ];
    let socket = SockRef::from(socket);
    if v6 {
        socket.attach_filter(&program)
    } else {
        let mut with_header = vec![load_header_length];
        with_header.extend(program);
        socket.attach_filter(&with_header)
    }
}

/// Other systems let everything through; the cookie sorts it out.
#[cfg(not(target_os = "linux"))]
fn attach_filter(_: &OwnedFd, _: u16, _: bool) -> io::Result<()> {
    Ok(())
}

/// Hands every packet that is there to `handle`, up to a bound; says whether there may be more.
fn receive(
    socket: &AsyncFd<OwnedFd>,
    cx: &mut Context<'_>,
    mut handle: impl FnMut(&[u8], Option<IpAddr>) -> Option<()>,
) -> io::Result<bool> {
    let mut buffer = [0; 1024];
    let Poll::Ready(ready) = socket.poll_read_ready(cx) else {
        return Ok(false);
    };
    let mut ready = ready?;
    for _ in 0..PACKETS {
        match rustix::net::recvfrom(socket.get_ref(), &mut buffer[..], RecvFlags::empty()) {
            Ok((len, _, from)) => {
                let from = from
                    .and_then(|from| SocketAddr::try_from(from).ok())
                    .map(|from| from.ip());
                // A packet that is no answer is nobody's.
                let _ = handle(&buffer[..len], from);
            }
            Err(Errno::WOULDBLOCK) => {
                ready.clear_ready();
                // The readiness is asked for again, so that the task is woken by the next packet.
                return Ok(socket.poll_read_ready(cx).is_ready());
            }
            Err(Errno::INTR) => {}
            // Errors of the network that ICMP also reports.
            Err(errno) if errno == Errno::HOSTUNREACH || errno == Errno::NETUNREACH => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(true)
}

/// Packets taken in one go.
const PACKETS: usize = 256;

/// Room for the answers of one batch many times over, in bytes.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Source addresses remembered.
const SOURCES: usize = 4096;
