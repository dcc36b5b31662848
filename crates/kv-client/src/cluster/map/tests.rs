//! Of the map of a cluster.

use bytes::Bytes;

use super::*;

fn text(text: &'static str) -> Reply {
    Reply::Bulk(Bytes::from_static(text.as_bytes()))
}

fn array<const N: usize>(replies: [Reply; N]) -> Reply {
    Reply::Array(replies.to_vec().into())
}

fn node(endpoint: Reply, port: i64, role: &'static str, health: &'static str) -> Reply {
    let fields = [
        text("id"),
        text("x"),
        text("port"),
        Reply::Integer(port),
        text("endpoint"),
        endpoint,
        text("role"),
        text(role),
        text("health"),
        text(health),
    ];
    Reply::Map(fields.to_vec().into())
}

fn slots(ranges: &[i64]) -> Reply {
    Reply::Array(
        ranges
            .iter()
            .map(|&slot| Reply::Integer(slot))
            .collect::<Vec<_>>()
            .into(),
    )
}

fn shard(ranges: &[i64], nodes: Vec<Reply>) -> Reply {
    Reply::Map(
        vec![
            text("slots"),
            slots(ranges),
            text("nodes"),
            Reply::Array(nodes.into()),
        ]
        .into(),
    )
}

#[test]
fn shards_are_read_without_nodes_that_failed_and_without_names() {
    let here = Addr::new("10.0.0.9", 1);
    let reply = array([
        shard(
            &[0, 100, 200, 300],
            vec![
                node(text("a"), 7000, "replica", "online"),
                node(text("b"), 7001, "master", "online"),
                node(text("c"), 7002, "replica", "fail"),
            ],
        ),
        shard(
            &[101, 101],
            vec![node(Reply::Null, 7003, "master", "online")],
        ),
        shard(&[102, 102], vec![node(text("d"), 7004, "master", "fail")]),
        shard(&[], vec![node(text("e"), 7005, "master", "online")]),
    ]);
    let map = SlotMap::from_shards(reply, &here, false).unwrap();
    let first = map.shard(250).unwrap();
    assert_eq!(first.primary, Addr::new("b", 7001));
    assert_eq!(first.replicas, [Addr::new("a", 7000)]);
    assert_eq!(map.shard(101).unwrap().primary, Addr::new("10.0.0.9", 7003));
    assert_eq!(map.shard(102), None, "its primary has failed");
    assert_eq!(map.one_of_each(), [0, 101, 102]);
    assert_eq!(map.shard(16383), None);
    assert_eq!(map.ranges(&Addr::new("b", 7001)), [0..=100, 200..=300]);
    assert!(!map.knows(&Addr::new("c", 7002)));
}

#[test]
fn a_node_without_an_endpoint_is_where_the_one_that_speaks_of_it_was_reached() {
    let here = Addr::new("balancer", 1);
    for (endpoint, ip, host) in [
        (Some(Reply::Null), "10.0.0.1", "balancer"),
        (Some(text("")), "10.0.0.1", "10.0.0.1"),
        (Some(text("?")), "10.0.0.1", "10.0.0.1"), // a name is wanted, and there is none
        (Some(text("?")), "", "balancer"),
        (Some(text("a.example")), "10.0.0.1", "a.example"),
        (None, "10.0.0.1", "10.0.0.1"),
    ] {
        let mut fields = vec![text("port"), Reply::Integer(7000), text("ip"), text(ip)];
        fields.extend([text("role"), text("master")]);
        let shown = format!("{endpoint:?} {ip}");
        fields.extend(
            endpoint
                .into_iter()
                .flat_map(|endpoint| [text("endpoint"), endpoint]),
        );
        let reply = array([shard(&[0, 16383], vec![Reply::Map(fields.into())])]);
        let map = SlotMap::from_shards(reply, &here, false).unwrap();
        assert_eq!(
            map.shard(0).unwrap().primary,
            Addr::new(host, 7000),
            "{shown}"
        );
    }
}

#[test]
fn a_map_without_slots_or_of_others_altogether_does_not_go_on_from_what_is_known() {
    let addr = |port| Addr::new("h", port);
    let map = |ports: &[u16]| {
        let mut map = SlotMap::default();
        for (slot, &port) in (0..).zip(ports) {
            map.moved(slot, &addr(port));
        }
        map
    };
    let known = map(&[1, 2]);
    assert!(map(&[1, 2, 3]).goes_on_from(&known, &addr(1)));
    assert!(
        map(&[3]).goes_on_from(&SlotMap::default(), &addr(3)),
        "the first of all"
    );
    assert!(
        map(&[3]).goes_on_from(&map(&[1]), &addr(1)),
        "there was nobody else"
    );
    assert!(!map(&[]).goes_on_from(&known, &addr(1)));
    assert!(!map(&[1, 3]).goes_on_from(&known, &addr(1)));
    assert!(
        map(&[2]).goes_on_from(&known, &addr(2)),
        "the other has left"
    );
    let mut without = map(&[2, 3]);
    assert!(!without.goes_on_from(&known, &addr(2)));
    without.failed.push(addr(1));
    assert!(
        without.goes_on_from(&known, &addr(2)),
        "it says what became of the other"
    );
}

#[test]
fn the_older_form_gives_the_same_map() {
    let here = Addr::new("h", 1);
    let entry = |first, last, port| {
        array([
            Reply::Integer(first),
            Reply::Integer(last),
            array([text(""), Reply::Integer(port), text("id")]),
            array([text("r"), Reply::Integer(port + 1), text("id")]),
        ])
    };
    let map = SlotMap::from_slots(
        array([entry(0, 5, 7), entry(6, 9, 9), entry(10, 10, 7)]),
        &here,
    );
    let map = map.unwrap();
    assert_eq!(map.shards.len(), 2);
    assert_eq!(map.ranges(&Addr::new("h", 7)), [0..=5, 10..=10]);
    assert_eq!(map.shard(7).unwrap().replicas, [Addr::new("r", 10)]);
    let error = SlotMap::from_slots(Reply::Integer(1), &here).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected a list of slots, got the integer 1"
    );
}

#[test]
fn a_slot_that_moved_is_remembered_also_on_a_node_that_is_new() {
    let mut map = SlotMap::default();
    assert!(map.moved(5, &Addr::new("a", 1)));
    assert!(!map.moved(5, &Addr::new("a", 1)), "known already");
    assert!(map.moved(6, &Addr::new("a", 1)));
    assert_eq!(map.shards.len(), 1);
    assert!(!map.moved(16384, &Addr::new("a", 1)), "no such slot");
}

#[test]
fn an_address_without_a_host_is_that_of_whoever_said_it() {
    let here = Addr::new("h", 1);
    for (text, addr) in [
        ("10.0.0.1:7000", Some(Addr::new("10.0.0.1", 7000))),
        (":7000", Some(Addr::new("h", 7000))),
        ("?:7000", Some(Addr::new("h", 7000))),
        ("::1:7000", Some(Addr::new("::1", 7000))),
        ("host", None),
        ("host:0", None),
        ("host:70000", None),
    ] {
        assert_eq!(Addr::parse(text, &here), addr, "{text}");
    }
}
