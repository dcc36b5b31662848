//! What a scan does besides being right: reasons, local causes, zones, discovery, services.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

mod common;

use std::{
    collections::HashSet,
    fs,
    io::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use futures::StreamExt;
use portscan::{Checkpoint, Error, Event, Notice, Reason, Report, Scanner, State, Technique};

use crate::common::{LISTENERS, Peer, inside, listen, undisturbed};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn state(report: &Report, addr: &str, port: u16) -> (State, Reason) {
    let port = report
        .host(addr.parse().unwrap())
        .unwrap()
        .port(port)
        .unwrap();
    (port.state, port.reason)
}

#[tokio::test]
async fn both_families_and_both_techniques_agree() {
    if !inside("both_families_and_both_techniques_agree", "") {
        return;
    }
    listen(V4, &[22, 40001]);
    listen(V6, &[80, 40001]);
    for technique in [Technique::Connect, Technique::Syn] {
        let scanner = Scanner::new("127.0.0.1 ::1", "1-1024,40001")
            .unwrap()
            .technique(technique);
        let report = scanner.run().await.unwrap();
        let open = |addr| report.host(addr).unwrap().open_ports().collect::<Vec<_>>();
        assert_eq!(
            (open(V4), open(V6)),
            (vec![22, 40001], vec![80, 40001]),
            "{technique:?}\n{report}"
        );
        assert_eq!(report.counts().closed, 2 * 1025 - 4, "{technique:?}");
        assert_eq!(report.scan_info().technique, technique);
    }
}

#[tokio::test]
async fn a_firewall_that_answers_is_told_from_a_closed_port() {
    if !inside("a_firewall_that_answers_is_told_from_a_closed_port", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run(
        "nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; \
         nft add rule inet f input tcp dport 10 reject with icmpx type admin-prohibited; \
         nft add rule inet f input tcp dport 11 reject with icmpx type host-unreachable; \
         nft add rule inet f input tcp dport 12 reject with icmpx type port-unreachable; \
         nft add rule inet f input tcp dport 13 reject with tcp reset; \
         nft add rule inet f input tcp dport 14 drop",
    );
    for addr in ["10.66.0.2", "fd66::2"] {
        let scan = async |technique| {
            undisturbed(|| Scanner::new(addr, "10-15").unwrap().technique(technique)).await
        };
        let syn = scan(Technique::Syn).await;
        assert_eq!(
            state(&syn, addr, 10),
            (State::Filtered, Reason::AdminProhibited)
        );
        assert_eq!(
            state(&syn, addr, 11),
            (State::Filtered, Reason::HostUnreach)
        );
        assert_eq!(
            state(&syn, addr, 12),
            (State::Filtered, Reason::PortUnreach)
        );
        let connect = scan(Technique::Connect).await;
        // An ICMP message that arrives while `connect` itself still runs is dropped by the system.
        assert_eq!(state(&connect, addr, 11).0, State::Filtered);
        for (report, refusal) in [(&syn, Reason::Reset), (&connect, Reason::ConnRefused)] {
            assert_eq!(state(report, addr, 13), (State::Closed, refusal));
            assert_eq!(
                state(report, addr, 14),
                (State::Filtered, Reason::NoResponse)
            );
            assert_eq!(state(report, addr, 15), (State::Closed, refusal));
        }
    }
}

#[tokio::test]
async fn without_a_route_a_port_is_undecided() {
    if !inside("without_a_route_a_port_is_undecided", "") {
        return;
    }
    let report = Scanner::new("192.168.77.1", "1-3")
        .unwrap()
        .run()
        .await
        .unwrap();
    for port in 1..=3 {
        assert_eq!(
            state(&report, "192.168.77.1", port),
            (State::Undecided, Reason::NoRoute)
        );
    }
    assert!(report.statistics().spoiled >= 6, "it was probed again");
    assert_eq!(
        report.hosts().next().unwrap().port(1).unwrap().errno,
        Some(101)
    );
}

#[tokio::test]
async fn without_descriptors_a_port_is_undecided_and_with_them_again_decided() {
    if !inside(
        "without_descriptors_a_port_is_undecided_and_with_them_again_decided",
        "ulimit -n 64;",
    ) {
        return;
    }
    listen(V4, &[22]);
    let scan = Scanner::new("127.0.0.1", "22-31")
        .unwrap()
        .start()
        .await
        .unwrap();
    let hold = || {
        let mut held = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            held.push(file);
        }
        held
    };
    let held = hold();
    let mut report = scan.report();
    let events: Vec<Event> = scan.collect().await;
    events.iter().for_each(|event| report.record(event));
    drop(held);
    assert_eq!(report.counts().undecided, 10, "{report}");
    assert_eq!(
        state(&report, "127.0.0.1", 22),
        (State::Undecided, Reason::OutOfDescriptors)
    );

    // Half of the way: the descriptors come back while the scan tries again.
    let mut scan = Scanner::new("127.0.0.1", "22-31")
        .unwrap()
        .start()
        .await
        .unwrap();
    let held = hold();
    let mut report = scan.report();
    let release = tokio::time::sleep(Duration::from_millis(50));
    tokio::pin!(release);
    let mut held = Some(held);
    loop {
        // The scan first, so that it does find none.
        tokio::select! {
            biased;
            event = scan.next() => match event {
                Some(event) => report.record(&event),
                None => break,
            },
            () = &mut release, if held.is_some() => held = None,
        }
    }
    assert_eq!(
        (report.counts().open, report.counts().closed),
        (1, 9),
        "{report}"
    );
    assert!(report.statistics().spoiled > 0);
}

#[tokio::test]
async fn a_program_that_is_held_up_invents_nothing() {
    if !inside("a_program_that_is_held_up_invents_nothing", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.listen("10.66.0.2", &LISTENERS);
    let mut scan = Scanner::new("10.66.0.2", "1-10000")
        .unwrap()
        .rate(None)
        .start()
        .await
        .unwrap();
    let mut report = scan.report();
    let mut seen = 0;
    while let Some(event) = scan.next().await {
        report.record(&event);
        seen += 1;
        if seen % 2500 == 0 {
            // Longer than every learned timeout.
            thread::sleep(Duration::from_millis(400));
        }
    }
    let counts = report.counts();
    assert_eq!((counts.open, counts.closed), (15, 9985), "{report}");
}

#[tokio::test]
async fn who_is_open_everywhere_is_flagged() {
    if !inside("who_is_open_everywhere_is_flagged", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.listen("10.66.0.2", &[7]);
    peer.run(
        "nft add table ip n; nft 'add chain ip n pre { type nat hook prerouting priority -100; }'; \
         nft add rule ip n pre tcp dport 1-65535 redirect to :7",
    );
    listen(V4, &[7]);
    let mut flagged = HashSet::new();
    let mut scan = Scanner::new("10.66.0.2 127.0.0.1", "1-10")
        .unwrap()
        .start()
        .await
        .unwrap();
    let mut report = scan.report();
    while let Some(event) = scan.next().await {
        report.record(&event);
        if let Event::Notice(Notice::AnswersEverything { addr }) = event {
            flagged.insert(addr);
        }
    }
    let middlebox = "10.66.0.2".parse().unwrap();
    assert_eq!(flagged, HashSet::from([middlebox]));
    assert!(report.host(middlebox).unwrap().answers_everything());
    assert!(!report.host(V4).unwrap().answers_everything());
}

#[tokio::test]
async fn discovery_leaves_out_who_does_not_answer() {
    if !inside("discovery_leaves_out_who_does_not_answer", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run(
        "ip addr add 10.66.1.1/16 dev v1; ip addr add 10.66.1.2/16 dev v1; ip addr add 10.66.1.3/16 dev v1; \
         nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; \
         nft add rule inet f input ip daddr 10.66.1.2 drop",
    );
    peer.listen("10.66.1.3", &[8080]);
    let scanner = Scanner::new("10.66.1.1-3", "8000-8099")
        .unwrap()
        .discovery([80, 443]);
    let mut hosts = Vec::new();
    let report = scanner
        .run_each(|host| hosts.push((host.addr().to_string(), host.state(), host.ports().count())))
        .await
        .unwrap();
    hosts.sort();
    assert_eq!(
        hosts,
        [
            ("10.66.1.1".to_owned(), "up", 100),
            ("10.66.1.2".to_owned(), "down", 0),
            ("10.66.1.3".to_owned(), "up", 100)
        ]
    );
    assert!(report.is_complete());
    assert_eq!(report.statistics().total, 200);
    assert_eq!(report.open_ports().into_iter().collect::<Vec<_>>(), [8080]);
}

#[tokio::test]
async fn a_name_stands_for_all_its_addresses_or_for_the_first() {
    let hosts = "h=$(mktemp) && printf '127.0.0.2 two.test\\n127.0.0.3 two.test\\n' > $h && \
                 mount --bind $h /etc/hosts && rm $h &&";
    let test = "a_name_stands_for_all_its_addresses_or_for_the_first";
    if !inside(test, hosts) {
        return;
    }
    let scan = async |first| {
        let scanner = Scanner::new("two.test", "1").unwrap();
        let scanner = scanner.first_address_only(first);
        let report = scanner.run().await.unwrap();
        let addresses = report.hosts().map(|host| host.addr().to_string());
        addresses.collect::<Vec<_>>()
    };
    assert_eq!(scan(false).await, ["127.0.0.2", "127.0.0.3"]);
    assert_eq!(scan(true).await, ["127.0.0.2"]);
}

#[tokio::test]
async fn a_banner_is_read_and_a_silent_service_waited_for() {
    if !inside("a_banner_is_read_and_a_silent_service_waited_for", "") {
        return;
    }
    let talker = TcpListener::bind((V4, 2222)).unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in talker.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"SSH-2.0-Test\r\n");
            open.push(stream);
        }
    });
    let silent = TcpListener::bind((V4, 2223)).unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in silent.incoming() {
            open.push(stream);
        }
    });
    for technique in [Technique::Connect, Technique::Syn] {
        let scan = async |ports: &str, patience| {
            let scanner = Scanner::new("127.0.0.1", ports).unwrap();
            let scanner = scanner.technique(technique).banners(true);
            let report = scanner.service_timeout(patience).run().await.unwrap();
            let host = report.host(V4).unwrap();
            let banner = |port| host.port(port)?.banner().map(str::to_owned);
            let open: Vec<u16> = host.open_ports().collect();
            let banners: Vec<_> = open.iter().map(|&port| banner(port)).collect();
            (open, banners)
        };
        let talker = scan("2220-2222,2224-2225", Duration::from_secs(60)).await;
        let banner = Some("SSH-2.0-Test".to_owned());
        assert_eq!(talker, (vec![2222], vec![banner]), "{technique:?}");
        let silent = scan("2223-2225", Duration::from_millis(200)).await;
        assert_eq!(silent, (vec![2223], vec![None]), "{technique:?}");
    }
}

#[tokio::test]
async fn the_rate_is_kept() {
    if !inside("the_rate_is_kept", "") {
        return;
    }
    let begun = Instant::now();
    Scanner::new("127.0.0.1", "1-500")
        .unwrap()
        .rate(Some(1000))
        .run()
        .await
        .unwrap();
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(480), "{took:?}");
}

#[tokio::test]
async fn an_unknown_name_does_not_stop_the_others() {
    if !inside("an_unknown_name_does_not_stop_the_others", "") {
        return;
    }
    listen(V4, &[22]);
    let report = Scanner::new("no-such-name.invalid 127.0.0.1", "22")
        .unwrap()
        .run()
        .await
        .unwrap();
    assert_eq!(report.unresolved()[0].0, "no-such-name.invalid");
    assert_eq!(report.counts().open, 1);
}

#[tokio::test]
async fn a_link_local_address_is_scanned_through_its_zone() {
    if !inside("a_link_local_address_is_scanned_through_its_zone", "") {
        return;
    }
    let Some(mut peer) = Peer::new() else { return };
    peer.run("ip -6 addr add fe80::77/64 dev v1 nodad");
    peer.listen("fd66::2", &[22]);
    peer.listen("::", &[80]);
    assert!(common::shell("ip -6 addr add fe80::66/64 dev v0 nodad"));
    let target = "fe80::77%v0";
    for technique in [Technique::Connect, Technique::Syn] {
        let scanner = Scanner::new(&format!("{target} fe80::78%gone"), "22,80,443").unwrap();
        let scanner = scanner.technique(technique).banners(true);
        let scanner = scanner.service_timeout(Duration::from_millis(50));
        let mut scan = scanner.start().await.unwrap();
        let mut report = scan.report();
        // The zone stands in a report before the address is done, and a checkpoint takes it along.
        while report.hosts().next().is_none() {
            report.record(&scan.next().await.unwrap());
        }
        assert_eq!(report.hosts().next().unwrap().scoped_addr(), target);
        let json = scan.checkpoint().to_json();
        drop(scan);
        let resumed = Scanner::resume(Checkpoint::from_json(&json).unwrap());
        let rest = resumed.technique(technique).run().await.unwrap();
        report.merge(&rest);
        assert_eq!(
            report.open_ports().into_iter().collect::<Vec<_>>(),
            [80],
            "{technique:?}\n{report}"
        );
        assert_eq!(report.counts().closed, 2, "{technique:?}\n{report}");
        assert_eq!(report.unresolved()[0].0, "fe80::78%gone");
        assert!(report.to_string().contains("fe80::77%v0 is up"), "{report}");
        let mut json = Vec::new();
        report.write_json(&mut json).unwrap();
        let back = Report::read_json(&json[..]).unwrap();
        assert_eq!(back.hosts().next().unwrap().zone(), Some("v0"));
        let (mut csv, mut xml) = (Vec::new(), Vec::new());
        report.write_csv(&mut csv).unwrap();
        report.write_xml(&mut xml).unwrap();
        for text in [csv, xml] {
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(target), "{text}");
        }
    }
}

#[tokio::test]
async fn a_target_out_of_scope_is_refused_before_anything_is_sent() {
    let error = Scanner::new("10.0.0.1 192.0.2.7", "22")
        .unwrap()
        .start()
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::OutOfScope { addr, .. } if addr.to_string() == "192.0.2.7"),
        "{error}"
    );
    let dry = Scanner::new("10.0.0.0/24", "1-100")
        .unwrap()
        .dry_run()
        .await
        .unwrap();
    assert_eq!(
        (dry.addresses, dry.probes, dry.packets_least),
        (256, 25_600, 25_600)
    );
    assert_eq!(dry.least, Duration::from_secs(5));
    assert_eq!(
        dry.silent,
        Duration::from_millis(37_500),
        "25 times 1,024 silences of 1.5 s"
    );
    let none = Scanner::of(
        "10.0.0.1 !10.0.0.0/24".parse().unwrap(),
        "22".parse().unwrap(),
    );
    assert!(matches!(none.start().await, Err(Error::NoTargets)));
}

#[tokio::test]
async fn a_setting_outside_its_limits_is_named() {
    let scanner = || Scanner::new("127.0.0.1", "22").unwrap();
    for (scanner, message) in [
        (scanner().rate(Some(0)), "rate 0 is outside 1 to 4294967295"),
        (
            scanner().max_in_flight(0),
            "number of probes in flight 0 is outside 1 to 1048576",
        ),
        (
            scanner().timeout(Duration::ZERO),
            "timeout in milliseconds 0 is outside 1 to 3600000",
        ),
        (
            scanner().decoys(17),
            "number of decoys 17 is outside 0 to 16",
        ),
        (
            scanner().shard(3, 2),
            "there is no shard 3 of 2; the first is 1, the last 2",
        ),
    ] {
        assert_eq!(scanner.start().await.unwrap_err().to_string(), message);
    }
}

#[test]
fn serve() {
    common::serve();
}
