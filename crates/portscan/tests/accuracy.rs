//! Nothing is missed and nothing is invented, whatever the circumstances.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

mod common;

use std::{net::Ipv4Addr, time::Duration};

use futures::StreamExt;
use portscan::{Retries, Scanner, State, Technique};

use crate::common::{LISTENERS, Peer, all_ports, inside, listen, runs, undisturbed};

fn loopback() -> Scanner {
    Scanner::new("127.0.0.1", "all").unwrap()
}

#[tokio::test]
async fn all_ports_of_loopback_are_told_right() {
    if !inside("all_ports_of_loopback_are_told_right", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &LISTENERS);
    for run in 0..runs() {
        all_ports(loopback(), run).await;
    }
}

#[tokio::test]
async fn all_ports_of_loopback_are_told_right_half_open() {
    if !inside("all_ports_of_loopback_are_told_right_half_open", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &LISTENERS);
    for run in 0..runs() {
        all_ports(loopback().technique(Technique::Syn), run).await;
    }
}

#[tokio::test]
async fn all_ports_are_told_right_with_256_descriptors() {
    if !inside(
        "all_ports_are_told_right_with_256_descriptors",
        "ulimit -n 256;",
    ) {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &LISTENERS);
    for run in 0..runs() {
        all_ports(loopback(), run).await;
    }
}

async fn with_loss(test: &str, percent: u8, technique: Technique) {
    if !inside(test, "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.listen("10.66.0.2", &LISTENERS);
    if !common::shell(&common::loss("v0", percent)) {
        return;
    }
    peer.run(&common::loss("v1", percent));
    for run in 0..runs() {
        let scanner = Scanner::new("10.66.0.2", "all")
            .unwrap()
            .rate(None)
            .technique(technique);
        let report = all_ports(scanner, run).await;
        assert!(
            report.statistics().repeated > 0,
            "nothing was lost, so nothing was tested"
        );
    }
}

#[tokio::test]
async fn one_percent_of_loss_hides_no_port() {
    with_loss("one_percent_of_loss_hides_no_port", 1, Technique::Connect).await;
}

#[tokio::test]
async fn five_percent_of_loss_hide_no_port() {
    with_loss("five_percent_of_loss_hide_no_port", 5, Technique::Connect).await;
}

#[tokio::test]
async fn five_percent_of_loss_hide_no_port_half_open() {
    with_loss(
        "five_percent_of_loss_hide_no_port_half_open",
        5,
        Technique::Syn,
    )
    .await;
}

#[tokio::test]
async fn a_thousand_silent_ports_are_waited_for_at_the_same_time() {
    if !inside(
        "a_thousand_silent_ports_are_waited_for_at_the_same_time",
        "",
    ) {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run("nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1001-2000 drop");
    for technique in [Technique::Connect, Technique::Syn] {
        let scanner = || {
            let scanner = Scanner::new("10.66.0.2", "1001-2000").unwrap();
            scanner.technique(technique)
        };
        let waiting = scanner()
            .timeout(Duration::from_secs(600))
            .progress_every(Duration::from_millis(5));
        let mut scan = waiting.start().await.unwrap();
        while scan.progress().in_flight < 1000 {
            scan.next().await.unwrap();
        }
        drop(scan);
        let report = undisturbed(scanner).await;
        assert_eq!(report.counts().filtered, 1000, "{technique:?}");
    }
}

#[tokio::test]
async fn one_answer_shortens_the_wait_for_all_silent_ports() {
    if !inside("one_answer_shortens_the_wait_for_all_silent_ports", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run("nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1001-2000 drop");
    // A machine that is busy with other things may take longer, but hardly ten times as long, and each time.
    let mut took = Vec::new();
    for _ in 0..5 {
        let report = undisturbed(|| Scanner::new("10.66.0.2", "1001-2001").unwrap()).await;
        let counts = report.counts();
        assert_eq!((counts.filtered, counts.closed), (1000, 1));
        let elapsed = report.statistics().elapsed;
        took.push(elapsed);
        // Three tries each, of 0.1 s and a little more; unshortened, of 1.5 s.
        if elapsed < Duration::from_millis(4500) {
            return;
        }
    }
    panic!("{took:?}");
}

#[tokio::test]
async fn a_connection_that_met_itself_is_never_open() {
    if !inside("a_connection_that_met_itself_is_never_open", "") {
        return;
    }
    // Few source ports, all of them scanned, with nothing listening: meetings are certain.
    assert!(common::shell(
        "echo '40000 40063' > /proc/sys/net/ipv4/ip_local_port_range"
    ));
    let mut met = 0;
    for _ in 0..20 {
        let report = Scanner::new("127.0.0.1", "40000-40063")
            .unwrap()
            .run()
            .await
            .unwrap();
        assert_eq!(report.counts().closed, 64, "{report}");
        met += report.statistics().self_connects;
    }
    assert!(met > 0, "no connection met itself, so nothing was tested");
}

#[tokio::test]
async fn a_fixed_number_of_retries_is_kept() {
    if !inside("a_fixed_number_of_retries_is_kept", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run("nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1-10 drop");
    for retries in [0, 2] {
        let report = undisturbed(|| {
            let scanner = Scanner::new("10.66.0.2", "1-10").unwrap();
            scanner
                .timeout(Duration::from_millis(100))
                .retries(Retries::Fixed(retries))
        });
        let report = report.await;
        let host = report.hosts().next().unwrap();
        assert!(
            host.ports()
                .all(|port| port.tries == retries + 1 && port.state == State::Filtered),
            "{report}"
        );
        // A probe that this machine held up is made again.
        let statistics = report.statistics();
        let sent = statistics.sent - statistics.spoiled;
        assert_eq!(sent, 10 * u64::from(retries + 1));
    }
}

#[test]
fn serve() {
    common::serve();
}
