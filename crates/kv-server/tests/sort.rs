//! SORT and SORT_RO.

mod common;

use common::{Client, bulks, server};

#[tokio::test]
async fn elements_are_sorted_by_what_belongs_to_them() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("RPUSH l 2 3 1", ":3\r\n").await;
    client
        .check("MSET w1 30 w2 20 w3 10 name:1 one name:3 three", "+OK\r\n")
        .await;
    client.check("HSET o1 f 5", ":1\r\n").await;
    for (line, sorted) in [
        ("SORT l", &["1", "2", "3"][..]),
        ("SORT l DESC LIMIT 1 5", &["2", "1"]),
        ("SORT l BY w*", &["3", "2", "1"]),
        ("SORT_RO l BY w* LIMIT 0 1 GET #", &["3"]),
        ("SORT l BY o*->f", &["2", "3", "1"]),
        ("SORT l BY nosort", &["2", "3", "1"]),
        ("SORT l BY nosort DESC LIMIT 0 2", &["1", "3"]),
    ] {
        client.check(line, &bulks(sorted)).await;
    }
    client
        .check(
            "SORT l GET name:* GET #",
            "*6\r\n$3\r\none\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n$5\r\nthree\r\n$1\r\n3\r\n",
        )
        .await;
    client.check("SORT none", "*0\r\n").await;
    client
        .check(
            "SORT w1",
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        )
        .await;
    client.check("RPUSH l x", ":4\r\n").await;
    client
        .check(
            "SORT l",
            "-ERR One or more scores can't be converted into double\r\n",
        )
        .await;
    client
        .check("SORT l ALPHA DESC", &bulks(&["x", "3", "2", "1"]))
        .await;
    client
        .check("SORT_RO l STORE x", "-ERR syntax error\r\n")
        .await;
}

#[tokio::test]
async fn a_stored_result_is_a_list_and_counts_each_element_as_a_change() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("SADD s c b a", ":3\r\n").await;
    let before = changes(&mut client).await;
    client.check("SORT s BY nosort STORE to", ":3\r\n").await;
    assert_eq!(changes(&mut client).await, before + 3);
    client
        .check("LRANGE to 0 -1", &bulks(&["a", "b", "c"]))
        .await;
    client
        .check("SORT s ALPHA GET none* STORE to", ":3\r\n")
        .await;
    client.check("LRANGE to 0 -1", &bulks(&["", "", ""])).await;
    client.check("SORT none STORE to", ":0\r\n").await;
    client.check("EXISTS to", ":0\r\n").await;
}

async fn changes(client: &mut Client) -> u64 {
    let info = client.call("INFO persistence").await;
    let field = info
        .lines()
        .find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
    field.expect("the field").parse().expect("a number")
}

#[tokio::test]
async fn the_last_store_names_the_destination() {
    let server = server().await;
    let mut client = Client::new(&server);
    for (line, keys) in [
        ("SORT abc STORE def", &["abc", "def"][..]),
        ("SORT abc STORE no STORE neither STORE def", &["abc", "def"]),
        ("SORT abc BY STORE GET STORE LIMIT STORE STORE", &["abc"]),
        ("SORT abc", &["abc"]),
        ("SORT_RO abc BY STORE", &["abc"]),
    ] {
        client
            .check(&format!("COMMAND GETKEYS {line}"), &bulks(keys))
            .await;
    }
}

#[tokio::test]
async fn a_limited_sort_gives_the_same_as_a_part_of_a_whole_one() {
    let server = server().await;
    let mut client = Client::new(&server);
    let elements: Vec<_> = (0..500_u32)
        .map(|n| (n * 7919 % 500 / 3).to_string())
        .collect();
    client
        .call(&format!("RPUSH l {}", elements.join(" ")))
        .await;
    let mut sorted: Vec<_> = elements.iter().map(String::as_str).collect();
    sorted.sort_by_key(|text| text.parse::<u32>().unwrap_or(0));
    client.check("SORT l", &bulks(&sorted)).await;
    for (from, count) in [(0, 1), (0, 10), (100, 50), (499, 5), (250, 250)] {
        let to = sorted.len().min(from + count);
        client
            .check(
                &format!("SORT l LIMIT {from} {count}"),
                &bulks(&sorted[from..to]),
            )
            .await;
    }
}
