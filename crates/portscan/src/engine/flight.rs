//! The probes in flight, in a table with reused places.

use std::{net::SocketAddr, time::Instant};

use super::prober::Key;
use crate::plan::Place;

/// A probe: what is asked, for whom, and how often so far.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    /// The address, with its zone if it is link-local, and the port.
    pub(super) to: SocketAddr,
    pub(super) purpose: Purpose,
    /// The place of the host in the table of hosts.
    pub(super) host: usize,
    /// Probes sent.
    pub(super) tries: u8,
    /// Probes that this machine spoiled.
    pub(super) spoiled: u8,
    /// The source port is chosen so that it differs from the target's.
    pub(super) distinct: bool,
    pub(super) sent: Instant,
    /// For a probe that waits to be sent again: not before this.
    pub(super) not_before: Instant,
}

/// Whom the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A verdict.
    Port(Place),
    /// Whether the address answers at all.
    Discovery,
    /// Whether the address answers on a port where nothing can be expected.
    Decoy,
}

/// A table of probes; a place that became free is used again.
#[derive(Debug, Default)]
pub(super) struct Flights {
    places: Vec<Option<Flight>>,
    free: Vec<Key>,
}

impl Flights {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn insert(&mut self, flight: Flight) -> Key {
        match self.free.pop() {
            Some(key) => {
                self.places[key as usize] = Some(flight);
                key
            }
            None => {
                self.places.push(Some(flight));
                Key::try_from(self.places.len() - 1).unwrap_or(Key::MAX)
            }
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Flight> {
        let flight = self.places.get_mut(key as usize)?.take()?;
        self.free.push(key);
        Some(flight)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Flight)> {
        (0..)
            .zip(&self.places)
            .filter_map(|(key, flight)| Some((key, flight.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_in_flight_stays_far_below_two_kibibytes() {
        // The socket beside it is a number; the rest of its memory is the system's.
        assert!(
            size_of::<Option<Flight>>() <= 128,
            "{}",
            size_of::<Option<Flight>>()
        );
    }
}
