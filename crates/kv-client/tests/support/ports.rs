//! Ports for servers that a test starts.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::net::TcpSocket;

/// The ports lie below those that the system gives to outgoing connections, and so do the ports 10000 above them, where
/// a node of a cluster listens to the others: nothing else takes one between the choice and the start of the server, nor
/// while a server is down that comes back.
const FIRST: u32 = 11_000;
const COUNT: u32 = 10_000;

/// A port that is free, and so is the one 10000 above. Each is given out once before the first comes again.
///
/// It is this process's until that ends: tests that run beside this one neither use it nor try whether it is free.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    /// A server of TCP does not mind who has its port for UDP. So whoever has that has the port.
    static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    // Two runs of the tests at once begin at different places.
    let start = std::process::id() % COUNT * 37;
    for _ in 0..COUNT {
        let offset = (start + GIVEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("a port");
        let Ok(reservation) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) else {
            continue;
        };
        if is_free(port) && is_free(port + 10_000) {
            let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
            reserved.push(reservation);
            return port;
        }
    }
    panic!("all of the {COUNT} ports from {FIRST} on are taken");
}

/// Whether a server could listen there.
///
/// Nothing is made to listen to find that out: a program that another test is just starting would have a copy of it, and
/// the port would be taken until that program's own code runs.
fn is_free(port: u16) -> bool {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())
    };
    bind().is_ok()
}
