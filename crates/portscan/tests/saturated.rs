//! Nothing is missed and nothing is invented on a machine that is busy with other things. A file of its own, because it makes the
//! machine busy for all tests beside it.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

mod common;

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use portscan::Scanner;

use crate::common::{LISTENERS, all_ports, inside, listen, runs};

#[tokio::test]
async fn all_ports_are_told_right_with_the_processor_saturated() {
    if !inside("all_ports_are_told_right_with_the_processor_saturated", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &LISTENERS);
    let busy = Arc::new(AtomicBool::new(true));
    let cores = thread::available_parallelism().unwrap().get();
    let hogs: Vec<_> = (0..2 * cores)
        .map(|_| {
            let busy = Arc::clone(&busy);
            thread::spawn(move || while busy.load(Ordering::Relaxed) {})
        })
        .collect();
    for run in 0..runs() {
        all_ports(Scanner::new("127.0.0.1", "all").unwrap(), run).await;
    }
    busy.store(false, Ordering::Relaxed);
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
}
