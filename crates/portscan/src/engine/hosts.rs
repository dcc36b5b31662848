//! What is known about each address while it is being scanned.

use std::net::SocketAddr;

use crate::{State, Target, pace::Rtt};

/// One address of a group under way.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) target: Target,
    pub(super) group: u64,
    pub(super) member: usize,
    /// Probes for verdicts that have been handed out, and verdicts given.
    pub(super) handed_out: u32,
    pub(super) decided: u32,
    /// Probes of other purposes and service look-ups under way.
    pub(super) side_work: u32,
    /// Verdicts by state, in the order of [`State::ALL`].
    pub(super) counts: [u32; 4],
    pub(super) rtt: Rtt,
    /// Anything came back from the address itself.
    pub(super) answered: bool,
    pub(super) decoys: Decoys,
}

/// The probes of ports where nothing can be expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Decoys {
    pub(super) asked: u8,
    pub(super) open: u8,
}

impl Host {
    pub(super) fn new(target: Target, group: u64, member: usize) -> Self {
        Self {
            target,
            group,
            member,
            handed_out: 0,
            decided: 0,
            side_work: 0,
            counts: [0; 4],
            rtt: Rtt::default(),
            answered: false,
            decoys: Decoys::default(),
        }
    }

    pub(super) fn socket_addr(&self, port: u16) -> SocketAddr {
        self.target.socket_addr(port)
    }

    pub(super) fn count(&mut self, state: State) {
        self.decided += 1;
        self.counts[state as usize] += 1;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.decided == self.handed_out && self.side_work == 0
    }

    pub(super) fn answers_everything(&self) -> bool {
        self.decoys.asked > 0 && self.decoys.open == self.decoys.asked
    }
}

/// The addresses of the groups under way, in a table with reused places.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    places: Vec<Option<Host>>,
    free: Vec<usize>,
}

impl Hosts {
    pub(super) fn insert(&mut self, host: Host) -> usize {
        match self.free.pop() {
            Some(at) => {
                self.places[at] = Some(host);
                at
            }
            None => {
                self.places.push(Some(host));
                self.places.len() - 1
            }
        }
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Host> {
        self.places.get_mut(at)?.as_mut()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Host> {
        self.places.get(at)?.as_ref()
    }

    pub(super) fn remove(&mut self, at: usize) -> Option<Host> {
        let host = self.places.get_mut(at)?.take()?;
        self.free.push(at);
        Some(host)
    }
}
