//! What the two techniques have in common: a probe goes out under a key, and an answer comes back under the same key.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, OwnedFd},
    task::{Context, Poll},
};

use rustix::io::Errno;
use tokio::io::{Interest, unix::AsyncFd};

use super::{connect::Connect, syn::Syn};
use crate::Reason;

/// The index of a probe in flight.
pub(super) type Key = u32;

/// What became of a probe.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) reason: Reason,
    pub(super) errno: Option<i32>,
    /// The established connection of the connect technique.
    pub(super) socket: Option<OwnedFd>,
}

impl Answer {
    pub(super) fn new(reason: Reason) -> Self {
        Self {
            reason,
            errno: None,
            socket: None,
        }
    }

    /// The answer that an error of `connect` stands for. An error at once, before a packet could be answered, is this
    /// machine's own (`local`).
    pub(super) fn from_errno(errno: Errno, local: bool) -> Self {
        let reason = match errno {
            Errno::CONNREFUSED => Reason::ConnRefused,
            Errno::CONNRESET | Errno::PIPE => Reason::Reset,
            Errno::TIMEDOUT => Reason::NoResponse,
            Errno::HOSTUNREACH | Errno::HOSTDOWN if !local => Reason::HostUnreach,
            Errno::NETUNREACH if !local => Reason::NetUnreach,
            Errno::HOSTUNREACH
            | Errno::HOSTDOWN
            | Errno::NETUNREACH
            | Errno::NETDOWN
            | Errno::NODEV => Reason::NoRoute,
            Errno::MFILE | Errno::NFILE => Reason::OutOfDescriptors,
            Errno::NOBUFS | Errno::NOMEM | Errno::WOULDBLOCK => Reason::OutOfBuffers,
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Reason::OutOfPorts,
            Errno::ACCESS | Errno::PERM => Reason::NotPermitted,
            _ => Reason::OtherError,
        };
        Self {
            reason,
            errno: Some(errno.raw_os_error()),
            socket: None,
        }
    }
}

/// Watches a descriptor for something to read.
///
/// # Errors
///
/// The runtime's poller refuses it.
#[allow(
    deprecated,
    reason = "its replacement is unsafe for types without `AsFd`; those used here own their descriptor"
)]
pub(super) fn watch<T: AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// A technique at work.
#[derive(Debug)]
pub(super) enum Prober {
    Connect(Connect),
    Syn(Box<Syn>),
}

impl Prober {
    /// Sends a probe; an answer that is there at once is returned. With `distinct`, the source port is known to differ from
    /// the target's before anything is sent.
    pub(super) fn launch(&mut self, key: Key, to: SocketAddr, distinct: bool) -> Option<Answer> {
        match self {
            Self::Connect(connect) => connect.launch(key, to, distinct),
            Self::Syn(syn) => syn.launch(key, to),
        }
    }

    /// Appends the answers that have come; `Pending` when all were taken and the task will be woken by the next.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        answers: &mut Vec<(Key, Answer)>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Connect(connect) => connect.poll(cx, answers),
            Self::Syn(syn) => syn.poll(cx, answers),
        }
    }

    /// Gives a probe up.
    pub(super) fn forget(&mut self, key: Key) {
        match self {
            Self::Connect(connect) => connect.forget(key),
            Self::Syn(syn) => syn.forget(key),
        }
    }

    /// Whether the system repeats a lost SYN by itself.
    pub(super) fn system_repeats(&self) -> bool {
        matches!(self, Self::Connect(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortage_is_local_and_refusal_is_not() {
        let reason = |errno, local| Answer::from_errno(errno, local).reason;
        assert_eq!(reason(Errno::CONNREFUSED, false), Reason::ConnRefused);
        assert_eq!(reason(Errno::NETUNREACH, true), Reason::NoRoute);
        assert_eq!(reason(Errno::NETUNREACH, false), Reason::NetUnreach);
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::ADDRNOTAVAIL,
            Errno::PERM,
            Errno::INVAL,
        ] {
            assert_eq!(
                reason(errno, true).state(),
                crate::State::Undecided,
                "{errno}"
            );
        }
    }
}
