//! Stopping a scan, going on with it, and what it holds meanwhile: sockets and memory.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

mod common;

use std::{
    collections::HashSet,
    fs,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use futures::StreamExt;
use portscan::{Checkpoint, Event, Order, Scanner};

use crate::common::{LISTENERS, Peer, inside, listen};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The most memory that this process has had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let number = line.split_ascii_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

#[tokio::test]
async fn a_stopped_scan_goes_on_where_it_stopped_and_loses_nothing() {
    if !inside(
        "a_stopped_scan_goes_on_where_it_stopped_and_loses_nothing",
        "",
    ) {
        return;
    }
    listen(V4, &LISTENERS);
    for order in [Order::Random, Order::HostMajor, Order::PortMajor] {
        let describe = || {
            Scanner::new("127.0.0.1-3", "1-6000")
                .unwrap()
                .order(order)
                .seed(5)
        };
        let mut seen = HashSet::new();
        let mut done = HashSet::new();
        let mut scan = describe().start().await.unwrap();
        let mut parts = 0;
        loop {
            // Every part but the last is cut off in the middle of whatever is going on.
            let mut taken = 0;
            let mut ended = true;
            while let Some(event) = scan.next().await {
                match event {
                    Event::Verdict(verdict) => assert!(
                        seen.insert((verdict.addr, verdict.port)),
                        "{verdict:?} twice"
                    ),
                    Event::HostDone(host) => {
                        assert!(done.insert(host.addr));
                        assert_eq!(host.counts.total(), 6000);
                    }
                    _ => {}
                }
                taken += 1;
                if taken == 2777 {
                    ended = false;
                    break;
                }
            }
            if ended {
                break;
            }
            parts += 1;
            let json = scan.checkpoint().to_json();
            drop(scan);
            scan = Scanner::resume(Checkpoint::from_json(&json).unwrap())
                .start()
                .await
                .unwrap();
        }
        assert_eq!((seen.len(), done.len()), (18_000, 3), "{order:?}");
        assert!(parts >= 6);
        assert!(scan.checkpoint().is_finished());
        let progress = scan.progress();
        assert_eq!((progress.counts.total(), progress.total), (18_000, 18_000));
    }
}

#[tokio::test]
async fn dropping_a_scan_closes_its_sockets_at_once() {
    if !inside("dropping_a_scan_closes_its_sockets_at_once", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run("nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1-1000 drop");
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let mut scan = Scanner::new("10.66.0.2", "1-1000")
        .unwrap()
        .timeout(Duration::from_secs(600))
        .progress_every(Duration::from_millis(20))
        .start()
        .await
        .unwrap();
    while scan.progress().in_flight < 500 {
        scan.next().await.unwrap();
    }
    assert!(descriptors() > before + 500);
    drop(scan);
    assert_eq!(descriptors(), before);
}

#[tokio::test]
async fn stopping_ends_the_stream_and_says_incomplete() {
    if !inside("stopping_ends_the_stream_and_says_incomplete", "") {
        return;
    }
    listen(V4, &LISTENERS);
    let mut scan = Scanner::new("127.0.0.1", "all")
        .unwrap()
        .start()
        .await
        .unwrap();
    let mut report = scan.report();
    for _ in 0..100 {
        report.record(&scan.next().await.unwrap());
    }
    scan.stop();
    while let Some(event) = scan.next().await {
        report.record(&event);
    }
    assert!(!report.is_complete() && report.counts().total() < 1000);
    assert!(report.to_string().contains("(incomplete)"));
    let mut xml = Vec::new();
    report.write_xml(&mut xml).unwrap();
    assert!(String::from_utf8(xml).unwrap().contains("exit=\"error\""));
}

#[tokio::test]
async fn a_probe_in_flight_takes_less_than_two_kibibytes() {
    if !inside(
        "a_probe_in_flight_takes_less_than_two_kibibytes",
        "ulimit -n 4096;",
    ) {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run("nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1-2000 drop");
    let scanner = Scanner::new("10.66.0.2", "1-2000").unwrap().rate(None);
    let scanner = scanner
        .timeout(Duration::from_secs(600))
        .progress_every(Duration::from_millis(5));
    let mut scan = scanner.start().await.unwrap();
    let before = peak_kib();
    while scan.progress().in_flight < 1000 {
        scan.next().await.unwrap();
    }
    let grown_kib = peak_kib() - before;
    assert!(
        grown_kib < 2 * 1000,
        "{grown_kib} KiB more for 1,000 probes"
    );
}

#[tokio::test]
async fn a_sweep_of_a_16_network_needs_little_memory() {
    if !inside("a_sweep_of_a_16_network_needs_little_memory", "") {
        return;
    }
    listen(V4, &[80]);
    // All of 127.0.0.0/8 is this namespace's loopback.
    let mut scan = Scanner::new("127.1.0.0/16", "80")
        .unwrap()
        .order(Order::PortMajor)
        .start()
        .await
        .unwrap();
    let before = peak_kib();
    let (mut verdicts, mut hosts) = (0, 0);
    while let Some(event) = scan.next().await {
        match event {
            Event::Verdict(_) => verdicts += 1,
            Event::HostDone(_) => hosts += 1,
            _ => {}
        }
    }
    assert_eq!((verdicts, hosts), (65_536, 65_536));
    let grown_kib = peak_kib() - before;
    assert!(grown_kib < 4096, "{grown_kib} KiB more");
}

#[test]
fn serve() {
    common::serve();
}
