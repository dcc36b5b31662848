//! Fields that expire, on a clock that only the test moves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, NOW, bulk, bulks, clocked, noting_effects, start, unswept, with};
use kv_server::{Clock, Server};

const OK: &str = "+OK\r\n";

async fn client() -> (Server, Clock, Client) {
    clocked(Server::builder().seed(1)).await
}

/// An array of integers as a reply.
fn ints(numbers: &[i64]) -> String {
    let header = format!("*{}\r\n", numbers.len());
    numbers
        .iter()
        .fold(header, |text, number| text + &format!(":{number}\r\n"))
}

#[tokio::test]
async fn each_command_sets_and_shows_times_in_its_own_unit() {
    let (_server, _clock, mut client) = client().await;
    client.check("HSET h f v g w", ":2\r\n").await;
    for (line, at) in [
        ("HEXPIRE h 100 FIELDS 2 f none", NOW + 100_000),
        ("HPEXPIRE h 100 FIELDS 2 f none", NOW + 100),
        ("HEXPIREAT h 1700000050 FIELDS 2 f none", NOW + 50_000),
        ("HPEXPIREAT h 1700000000777 FIELDS 2 f none", NOW + 777),
    ] {
        client.check(line, &ints(&[1, -2])).await;
        for (shown, expected) in [
            ("HPEXPIRETIME", at),
            ("HPTTL", at - NOW),
            // Rounded up.
            ("HEXPIRETIME", (at + 999) / 1000),
            ("HTTL", (at - NOW + 999) / 1000),
        ] {
            client
                .check(
                    &format!("{shown} h FIELDS 3 f g none"),
                    &ints(&[expected, -1, -2]),
                )
                .await;
        }
    }
    client
        .check("HPERSIST h FIELDS 3 f g none", &ints(&[1, -1, -2]))
        .await;
    client.check("HTTL h FIELDS 1 f", &ints(&[-1])).await;
    for line in [
        "HEXPIRE no 1 FIELDS 2 f g",
        "HTTL no FIELDS 2 f g",
        "HPERSIST no FIELDS 2 f g",
    ] {
        client.check(line, &ints(&[-2, -2])).await;
    }
    client.check("EXISTS no", ":0\r\n").await;
}

#[tokio::test]
async fn a_condition_decides_for_each_field() {
    let (_server, _clock, mut client) = client().await;
    client.check("HSET h forever v mortal v", ":2\r\n").await;
    client
        .check("HEXPIRE h 100 FIELDS 1 mortal", &ints(&[1]))
        .await;
    for (condition, seconds, expected) in [
        ("XX", 200, [0, 1]),
        ("GT", 200, [0, 0]),
        ("gt", 201, [0, 1]),
        ("LT", 201, [1, 0]),
    ] {
        let line = format!("HEXPIRE h {seconds} {condition} FIELDS 2 forever mortal");
        client.check(&line, &ints(&expected)).await;
    }
    client
        .check("HPERSIST h FIELDS 1 forever", &ints(&[1]))
        .await;
    client
        .check("HEXPIRE h 5 NX FIELDS 2 forever mortal", &ints(&[1, 0]))
        .await;
}

#[tokio::test]
async fn mistakes_have_the_errors_of_redis() {
    let (_server, _clock, mut client) = client().await;
    client.check("HSET h f v", ":1\r\n").await;
    client.check("SET s v", OK).await;
    let mandatory = "-ERR Mandatory argument FIELDS is missing or not at the right position\r\n";
    let count = "-ERR The `numfields` parameter must match the number of arguments\r\n";
    for (line, error) in [
        ("HEXPIRE h 1 f FIELDS 1", mandatory),
        ("HEXPIRE h 1 NX f FIELDS 1", mandatory),
        ("HEXPIRE h 1 FIELDS 2 f", count),
        (
            "HEXPIRE h 1 FIELDS 0 f",
            "-ERR Parameter `numFields` should be greater than 0\r\n",
        ),
        (
            "HEXPIRE h x FIELDS 1 f",
            "-ERR value is not an integer or out of range\r\n",
        ),
        (
            "HEXPIRE h -1 FIELDS 1 f",
            "-ERR invalid expire time, must be >= 0\r\n",
        ),
        (
            "HEXPIRE h 70368744178 FIELDS 1 f",
            "-ERR invalid expire time in 'hexpire' command\r\n",
        ),
        (
            "HPEXPIREAT h 70368744177664 FIELDS 1 f",
            "-ERR invalid expire time in 'hpexpireat' command\r\n",
        ),
        (
            "HTTL h FIELDS 0 f",
            "-ERR Number of fields must be a positive integer\r\n",
        ),
        (
            "HTTL h FIELDS x f",
            "-ERR Number of fields must be a positive integer\r\n",
        ),
        ("HGETDEL h FIELDS 2 f", count),
        ("HGETEX h EX 1 f FIELDS 1", mandatory),
        (
            "HTTL s FIELDS 1 f",
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        ),
        (
            "HSETEX h EX 1 KEEPTTL FIELDS 1 f v",
            "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified\r\n",
        ),
        (
            "HSETEX h FNX FXX FIELDS 1 f v",
            "-ERR Only one of FXX or FNX arguments can be specified\r\n",
        ),
        ("HSETEX h NX FIELDS 1 f v", "-ERR unknown argument: NX\r\n"),
        (
            "HSETEX h FIELDS 2 f v",
            "-ERR wrong number of arguments for 'hsetex' command\r\n",
        ),
        ("HSETEX h FIELDS 0 f v", "-ERR invalid number of fields\r\n"),
        (
            "HSETEX h FNX EX 10 PX",
            "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified\r\n",
        ),
        (
            "HEXPIRE h 1 FIELDS 1",
            "-ERR wrong number of arguments for 'hexpire' command\r\n",
        ),
    ] {
        client.check(line, error).await;
    }
    client.check("HGETALL h", &bulks(&["f", "v"])).await;
}

#[tokio::test]
async fn a_field_is_gone_for_every_command_once_its_time_has_passed() {
    let (server, clock, mut client) = client().await;
    client.check("HSET h f 1 g 2", ":2\r\n").await;
    client.check("HPEXPIRE h 10 FIELDS 1 f", &ints(&[1])).await;
    clock.advance(Duration::from_millis(10));
    client.check("HGET h f", &bulk("1")).await;
    clock.advance(Duration::from_millis(1));
    client.check("HGET h f", "$-1\r\n").await;
    client.check("HLEN h", ":1\r\n").await;
    client.check("HGETALL h", &bulks(&["g", "2"])).await;
    client.check("HINCRBY h f 5", ":5\r\n").await;
    client.check("HTTL h FIELDS 1 f", &ints(&[-1])).await;
    // The last field takes the key with it.
    client
        .check("HPEXPIRE h 10 FIELDS 2 f g", &ints(&[1, 1]))
        .await;
    clock.advance(Duration::from_millis(11));
    client.check("EXISTS h", ":0\r\n").await;
    client.check("TYPE h", "+none\r\n").await;
    assert_eq!(server.db(0).len(), 0);
}

#[tokio::test]
async fn a_hash_of_which_all_fields_are_due_has_none_to_draw() {
    let (_server, clock, mut client) = unswept().await;
    let fields: Vec<_> = (0..3000).map(|n| format!("f{n}")).collect();
    let pairs: Vec<_> = fields.iter().map(|field| format!("{field} v")).collect();
    let (fields, pairs) = (fields.join(" "), pairs.join(" "));
    let expire = format!("HPEXPIRE h 5 FIELDS 3000 {fields}");
    for (line, drawn) in [
        ("HRANDFIELD h -9000000000000000000", "*0\r\n"),
        ("HRANDFIELD h -3", "*0\r\n"),
        ("HRANDFIELD h 3", "*0\r\n"),
        ("HRANDFIELD h", "$-1\r\n"),
    ] {
        client.check(&format!("HSET h {pairs}"), ":3000\r\n").await;
        client.call(&expire).await;
        clock.advance(Duration::from_millis(6));
        client.check(line, drawn).await;
        client.call("DEL h").await;
    }
    // Where some are left, only these are drawn.
    client
        .check(&format!("HSET h stays v {pairs}"), ":3001\r\n")
        .await;
    client.call(&expire).await;
    clock.advance(Duration::from_millis(6));
    let stays = bulk("stays");
    client
        .check("HRANDFIELD h -2", &format!("*2\r\n{stays}{stays}"))
        .await;
    client
        .check("HRANDFIELD h 2", &format!("*1\r\n{stays}"))
        .await;
}

#[tokio::test]
async fn fields_expire_while_nobody_looks() {
    let (server, clock, mut client) = client().await;
    for key in 0..100 {
        client
            .check(&format!("HSET h:{key} f 1 g 2"), ":2\r\n")
            .await;
        client
            .check(
                &format!("HPEXPIRE h:{key} {} FIELDS 1 f", 1 + key),
                &ints(&[1]),
            )
            .await;
        if key % 2 == 0 {
            client
                .check(
                    &format!("HPEXPIRE h:{key} {} FIELDS 1 g", 500 + key),
                    &ints(&[1]),
                )
                .await;
        }
    }
    clock.advance(Duration::from_secs(10));
    while server.db(0).len() > 50 {
        tokio::task::yield_now().await;
    }
    let info = server.db(0).call(["INFO", "stats"]).unwrap();
    let info = String::from_utf8(info.as_bytes().unwrap().to_vec()).unwrap();
    assert!(info.contains("\r\nexpired_subkeys:150\r\n"), "{info}");
}

#[tokio::test]
async fn what_sets_a_value_decides_about_its_expiry() {
    let (_server, _clock, mut client) = client().await;
    for (line, keeps) in [
        ("HSET h f 2", false),
        ("HMSET h f 2", false),
        ("HSETNX h f 2", true),
        ("HINCRBY h f 2", true),
        ("HINCRBYFLOAT h f 1.5", true),
        ("HSETEX h FIELDS 1 f 2", false),
        ("HSETEX h KEEPTTL FIELDS 1 f 2", true),
        ("HGETEX h FIELDS 1 f", true),
        ("HGETEX h PERSIST FIELDS 1 f", false),
    ] {
        client.check("HSETEX h EX 100 FIELDS 1 f 1", ":1\r\n").await;
        client.call(line).await;
        let expected = if keeps { 100 } else { -1 };
        client.check("HTTL h FIELDS 1 f", &ints(&[expected])).await;
        client.check("DEL h", ":1\r\n").await;
    }
}

#[tokio::test]
async fn a_hash_pays_for_times_only_while_it_has_some() {
    let (_server, _clock, mut client) = client().await;
    client.check("HSET h f 1 g 2", ":2\r\n").await;
    let before = client.call("MEMORY USAGE h").await;
    client.check("OBJECT ENCODING h", &bulk("listpack")).await;
    client.check("HEXPIRE h 100 FIELDS 1 f", &ints(&[1])).await;
    client.check("OBJECT ENCODING h", &bulk("listpackex")).await;
    assert_ne!(client.call("MEMORY USAGE h").await, before);
    client.check("HPERSIST h FIELDS 1 f", &ints(&[1])).await;
    client.check("OBJECT ENCODING h", &bulk("listpack")).await;
    assert_eq!(client.call("MEMORY USAGE h").await, before);
}

#[tokio::test]
async fn hgetdel_and_hgetex_and_hsetex_answer_as_documented() {
    let (_server, _clock, mut client) = client().await;
    client.check("HSET h f 1 g 2 i 3", ":3\r\n").await;
    client
        .check("HGETEX h EX 10 FIELDS 2 f none", "*2\r\n$1\r\n1\r\n$-1\r\n")
        .await;
    client.check("HTTL h FIELDS 2 f g", &ints(&[10, -1])).await;
    client
        .check("HGETEX h PXAT 1 FIELDS 1 f", "*1\r\n$1\r\n1\r\n")
        .await;
    client.check("HEXISTS h f", ":0\r\n").await;
    client
        .check("HGETDEL h FIELDS 2 g none", "*2\r\n$1\r\n2\r\n$-1\r\n")
        .await;
    client
        .check("HGETDEL h FIELDS 2 i i", "*2\r\n$1\r\n3\r\n$-1\r\n")
        .await;
    client.check("EXISTS h", ":0\r\n").await;
    client.check("HGETDEL h FIELDS 1 f", "*1\r\n$-1\r\n").await;
    client.check("HSETEX h FXX FIELDS 1 f 1", ":0\r\n").await;
    client.check("EXISTS h", ":0\r\n").await;
    client
        .check("HSETEX h FNX PX 500 FIELDS 2 f 1 g 2", ":1\r\n")
        .await;
    client
        .check("HPTTL h FIELDS 2 f g", &ints(&[500, 500]))
        .await;
    client
        .check("HSETEX h FNX FIELDS 2 new 1 g 2", ":0\r\n")
        .await;
    client
        .check("HSETEX h FXX FIELDS 2 new 1 g 2", ":0\r\n")
        .await;
    client
        .check("HSETEX h EXAT 1700000001 FXX FIELDS 2 f 3 g 4", ":1\r\n")
        .await;
    client
        .check("HPTTL h FIELDS 2 f g", &ints(&[1000, 1000]))
        .await;
    client
        .check("HSETEX h PXAT 1 FIELDS 2 f 5 g 6", ":1\r\n")
        .await;
    client.check("EXISTS h", ":0\r\n").await;
}

#[tokio::test]
async fn times_travel_with_their_hash() {
    let (server, clock, mut client) = client().await;
    client.check("HSETEX h PX 500 FIELDS 1 f 1", ":1\r\n").await;
    client.check("HSET h g 2", ":1\r\n").await;
    client.check("COPY h copy", ":1\r\n").await;
    client.check("RENAME copy renamed", OK).await;
    client.check("MOVE renamed 3", ":1\r\n").await;
    client.check("SELECT 3", OK).await;
    client
        .check("HPTTL renamed FIELDS 2 f g", &ints(&[500, -1]))
        .await;
    let dump = server.db(3).call(["DUMP", "renamed"]).unwrap();
    let dump = dump.as_bytes().unwrap();
    server
        .db(3)
        .call([b"RESTORE", &b"restored"[..], b"0", dump])
        .unwrap();
    client
        .check("HPTTL restored FIELDS 2 f g", &ints(&[500, -1]))
        .await;
    client.check("SWAPDB 3 4", OK).await;
    client.check("DEL h", ":0\r\n").await;
    clock.advance(Duration::from_millis(501));
    for db in [0, 4] {
        client.check(&format!("SELECT {db}"), OK).await;
        for key in server.db(db).keys("*").unwrap() {
            let key = String::from_utf8(key).unwrap();
            client
                .check(&format!("HGETALL {key}"), &bulks(&["g", "2"]))
                .await;
        }
    }
}

#[tokio::test]
async fn a_snapshot_keeps_the_times_of_fields() {
    let path = std::env::temp_dir().join(format!("kv-hash-expiry-{}.rdb", std::process::id()));
    let (_server, clock, mut client) = clocked(Server::builder().snapshot(&path)).await;
    client.check("HSETEX h PX 500 FIELDS 1 f 1", ":1\r\n").await;
    client.check("HSET h g 2", ":1\r\n").await;
    client.check("HSET plain f 1", ":1\r\n").await;
    client.check("SAVE", OK).await;
    let server = start(Server::builder().clock(clock.clone()).snapshot(&path)).await;
    let mut client = Client::new(&server);
    client
        .check("HPTTL h FIELDS 2 f g", &ints(&[500, -1]))
        .await;
    client
        .check("OBJECT ENCODING plain", &bulk("listpack"))
        .await;
    clock.advance(Duration::from_millis(501));
    client.check("HGETALL h", &bulks(&["g", "2"])).await;
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn events_and_effects_repeat_what_happened() {
    let (builder, seen) = noting_effects(with(&[("notify-keyspace-events", "Khg")]));
    let (server, clock, mut client) = clocked(builder).await;
    let mut listener = Client::new(&server);
    listener.call("SUBSCRIBE __keyspace@0__:h").await;
    let later = NOW + 1000;
    let until = format!("HPEXPIREAT h {later} FIELDS");
    for (line, events, effects) in [
        (
            "HSET h f 1 g 2 i 3",
            &["hset"][..],
            vec!["HSET h f 1 g 2 i 3".to_owned()],
        ),
        (
            "HEXPIRE h 1 FIELDS 2 f none",
            &["hexpire"],
            vec![format!("{until} 1 f")],
        ),
        (
            "HPERSIST h FIELDS 1 f",
            &["hpersist"],
            vec!["HPERSIST h FIELDS 1 f".to_owned()],
        ),
        (
            "HGETEX h PX 1000 FIELDS 1 f",
            &["hexpire"],
            vec![format!("{until} 1 f")],
        ),
        (
            "HGETEX h PERSIST FIELDS 2 f g",
            &["hpersist"],
            vec!["HPERSIST h FIELDS 1 f".to_owned()],
        ),
        (
            "HPEXPIRE h 0 FIELDS 1 i",
            &["hdel"],
            vec!["HDEL h i".to_owned()],
        ),
        (
            "HSETEX h EX 1 FIELDS 1 j 4",
            &["hset", "hexpire"],
            vec!["HSET h j 4".to_owned(), format!("{until} 1 j")],
        ),
        (
            "HINCRBYFLOAT h j 0.5",
            &["hincrbyfloat"],
            vec!["HSETEX h KEEPTTL FIELDS 1 j 4.5".to_owned()],
        ),
        (
            "HGETDEL h FIELDS 2 f none",
            &["hdel"],
            vec!["HDEL h f".to_owned()],
        ),
        ("HTTL h FIELDS 1 j", &[], vec![]),
        (
            "HEXPIREAT h 1 FIELDS 2 g j",
            &["hdel", "del"],
            vec!["HDEL h g j".to_owned()],
        ),
        (
            "HSETEX h PX 5 FIELDS 1 f 1",
            &["hset", "hexpire"],
            vec![
                "HSET h f 1".to_owned(),
                format!("HPEXPIREAT h {} FIELDS 1 f", NOW + 5),
            ],
        ),
    ] {
        client.call(line).await;
        for event in events {
            let message = bulks(&["message", "__keyspace@0__:h", event]);
            assert_eq!(listener.reply().await, message, "{line}");
        }
        assert_eq!(
            std::mem::take(&mut *seen.lock().unwrap()),
            effects,
            "{line}"
        );
    }
    clock.advance(Duration::from_millis(6));
    client.check("EXISTS h", ":0\r\n").await;
    for event in ["hexpired", "del"] {
        assert_eq!(
            listener.reply().await,
            bulks(&["message", "__keyspace@0__:h", event])
        );
    }
    assert_eq!(*seen.lock().unwrap(), ["HDEL h f"]);
}
