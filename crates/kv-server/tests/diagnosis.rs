//! SLOWLOG, LATENCY, MONITOR, MEMORY, ROLE and ACL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Client, bulk, bulks, server, start};
use kv_server::{Clock, Command, Flags, Keys, Server};

#[tokio::test]
async fn the_slow_log_has_what_took_longer_than_asked_with_the_latest_first() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("SLOWLOG LEN", ":0\r\n").await;
    client.call("CONFIG SET slowlog-log-slower-than 0").await;
    client.call("CLIENT SETNAME me").await;
    client.call("CONFIG SET requirepass \"\"").await;
    client.call("AUTH me secret").await;
    client.call("CONFIG SET slowlog-log-slower-than -1").await;
    client.call("PING").await;
    let log = client.call("SLOWLOG GET -1").await;
    let shown: Vec<usize> = [
        bulks(&["AUTH", "(redacted)", "(redacted)"]),
        bulks(&["CONFIG", "SET", "requirepass", "(redacted)"]),
        bulks(&["CLIENT", "SETNAME", "me"]),
        bulks(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]),
    ]
    .iter()
    .map(|words| {
        log.find(words)
            .unwrap_or_else(|| panic!("{words} in {log}"))
    })
    .collect();
    assert!(shown.is_sorted(), "{log}");
    assert!(!log.contains("PING") && !log.contains("secret"), "{log}");
    client.check("SLOWLOG LEN", ":4\r\n").await;
    for count in ["-2", "abc", "9223372036854775808"] {
        client
            .check(
                &format!("SLOWLOG GET {count}"),
                "-ERR count should be greater than or equal to -1\r\n",
            )
            .await;
    }
    client.check("SLOWLOG GET 0", "*0\r\n").await;
    client.check("SLOWLOG RESET", "+OK\r\n").await;
    client.check("SLOWLOG LEN", ":0\r\n").await;
    client.call("CONFIG SET slowlog-max-len 3").await;
    client.call("CONFIG SET slowlog-log-slower-than 0").await;
    for _ in 0..10 {
        client.call("PING").await;
    }
    client.check("SLOWLOG LEN", ":3\r\n").await;
}

#[tokio::test]
async fn a_blocked_command_is_slow_when_it_is_served_and_a_transaction_by_its_commands() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.call("CONFIG SET slowlog-log-slower-than 0").await;
    let mut waiting = common::waiting(&server, "BLPOP list 0").await;
    let log = client.call("SLOWLOG GET -1").await;
    assert!(!log.contains("BLPOP"), "{log}");
    client.call("MULTI").await;
    client.call("RPUSH list x").await;
    client.call("EXEC").await;
    waiting.expect(bulks(&["list", "x"])).await;
    let log = client.call("SLOWLOG GET -1").await;
    assert!(log.contains(&bulks(&["BLPOP", "list", "0"])), "{log}");
    assert!(log.contains(&bulks(&["RPUSH", "list", "x"])), "{log}");
    assert!(!log.contains("EXEC"), "{log}");
}

#[tokio::test]
async fn histograms_count_the_calls_of_commands_and_of_their_subcommands() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.call("HELLO 3").await;
    client
        .send("SET a b\r\nSET c d\r\nGET a\r\nCLIENT ID\r\nCLIENT GETNAME\r\n")
        .await;
    for _ in 0..5 {
        client.reply().await;
    }
    let histogram = client.call("LATENCY HISTOGRAM set client nosuch").await;
    assert!(histogram.starts_with("%3\r\n"), "{histogram}");
    let calls = |name: &str, calls: u32| {
        let head = format!("{}%2\r\n{}:{calls}\r\n", bulk(name), bulk("calls"));
        assert!(histogram.contains(&head), "{head} in {histogram}");
    };
    calls("set", 2);
    calls("client|id", 1);
    calls("client|getname", 1);
    client.call("CONFIG RESETSTAT").await;
    let histogram = client.call("LATENCY HISTOGRAM").await;
    assert!(histogram.starts_with("%1\r\n"), "{histogram}");
    assert!(histogram.contains("config|resetstat"), "{histogram}");
}

#[tokio::test]
async fn exec_has_a_histogram_and_takes_as_long_as_all_its_commands() {
    let builder = Server::builder().directive("enable-debug-command", &["yes"]);
    let server = start(builder.unwrap()).await;
    let mut client = Client::new(&server);
    client
        .send("MULTI\r\nDEBUG SLEEP 0.02\r\nPING\r\nEXEC\r\nEXEC\r\n")
        .await;
    for _ in 0..5 {
        client.reply().await;
    }
    client.call("HELLO 3").await;
    let histogram = client.call("LATENCY HISTOGRAM exec").await;
    let head = format!("%1\r\n{}%2\r\n{}:2\r\n", bulk("exec"), bulk("calls"));
    assert!(histogram.starts_with(&head), "{histogram}");
    let slowest = histogram.lines().rev().nth(1).unwrap();
    let slowest: u64 = slowest[1..].parse().unwrap();
    assert!(slowest >= 20_000, "{histogram}");
    let stats = client.call("INFO commandstats").await;
    let exec = stats.lines().find(|line| line.starts_with("cmdstat_exec:"));
    let spent = exec.and_then(|line| line.split("usec=").nth(1)?.split(',').next());
    assert!(spent.unwrap().parse::<u64>().unwrap() >= 20_000, "{stats}");
}

#[tokio::test]
async fn the_call_that_resets_the_statistics_is_the_first_of_the_new_ones() {
    let server = server().await;
    let mut client = Client::new(&server);
    for _ in 0..4 {
        client.check("CONFIG RESETSTAT", "+OK\r\n").await;
        let histogram = client.call("LATENCY HISTOGRAM config").await;
        let once = format!(
            "*2\r\n{}*4\r\n{}:1\r\n",
            bulk("config|resetstat"),
            bulk("calls")
        );
        assert!(histogram.starts_with(&once), "{histogram}");
        let info = client.call("INFO commandstats").await;
        assert!(info.contains("cmdstat_config|resetstat:calls=1,"), "{info}");
        assert!(!info.contains("cmdstat_info"), "{info}");
    }
}

#[tokio::test]
async fn spikes_are_kept_until_they_are_reset() {
    let clock = Clock::manual();
    let seen = clock.clone();
    let work = Command::new("WORK", 1, Flags::NONE, Keys::NONE, move |_, cx| {
        seen.advance(Duration::from_millis(50));
        cx.reply().ok();
        Ok(())
    });
    let server = start(Server::builder().clock(clock).command(work)).await;
    let mut client = Client::new(&server);
    client.call("CONFIG SET latency-monitor-threshold 20").await;
    client.check("LATENCY LATEST", "*0\r\n").await;
    client.call("WORK").await;
    let latest = client.call("LATENCY LATEST").await;
    assert!(
        latest.starts_with(&format!("*1\r\n*4\r\n{}", bulk("command"))),
        "{latest}"
    );
    let history = client.call("LATENCY HISTORY command").await;
    assert!(history.starts_with("*1\r\n*2\r\n:"), "{history}");
    let graph = client.call("LATENCY GRAPH command").await;
    assert!(graph.contains("command - high "), "{graph}");
    let doctor = client.call("LATENCY DOCTOR").await;
    assert!(doctor.contains("command: 1 spikes"), "{doctor}");
    client.check("LATENCY HISTORY nosuch", "*0\r\n").await;
    client.check("LATENCY RESET nosuch", ":0\r\n").await;
    client.check("LATENCY RESET", ":1\r\n").await;
    client.check("LATENCY LATEST", "*0\r\n").await;
}

#[tokio::test]
async fn a_monitor_sees_what_others_and_it_itself_run_but_no_secrets() {
    let server = start(Server::builder().clock(Clock::manual())).await;
    let (mut monitor, mut client) = (Client::new(&server), Client::new(&server));
    monitor.check("MONITOR", "+OK\r\n").await;
    client.call("SELECT 3").await;
    client.call("SET \"a \\\"b\" 1").await;
    client.call("MULTI").await;
    client.call("INCR n").await;
    client.call("CONFIG GET port").await;
    client.call("EXEC").await;
    client.call("AUTH me secret").await;
    for shown in [
        r#"[0 0.0.0.0:0] "SELECT" "3""#,
        r#"[3 0.0.0.0:0] "SET" "a \"b" "1""#,
        r#"[3 0.0.0.0:0] "MULTI""#,
        r#"[3 0.0.0.0:0] "INCR" "n""#,
        r#"[3 0.0.0.0:0] "EXEC""#,
        r#"[3 0.0.0.0:0] "AUTH" "(redacted)" "(redacted)""#,
    ] {
        let line = monitor.reply().await;
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(rest.trim_end(), shown);
        assert!(time[1..].parse::<f64>().is_ok(), "{time}");
    }
    monitor.send("PING\r\n").await;
    assert_eq!(monitor.reply().await, "+PONG\r\n");
    assert!(monitor.reply().await.ends_with("\"PING\"\r\n"));
    monitor.send("RESET\r\n").await;
    assert_eq!(monitor.reply().await, "+RESET\r\n");
    client.call("PING").await;
    monitor.check("ECHO over", &bulk("over")).await;
}

#[tokio::test]
async fn there_is_one_user_who_may_do_everything() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.check("ACL WHOAMI", &bulk("default")).await;
    client.check("ACL USERS", &bulks(&["default"])).await;
    let rules = "user default on nopass sanitize-payload ~* &* +@all";
    client.check("ACL LIST", &bulks(&[rules])).await;
    client.check("ACL GETUSER nobody", "$-1\r\n").await;
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    client.call("CONFIG SET requirepass secret").await;
    let rules = rules.replace("nopass", &format!("#{hash}"));
    client.check("ACL LIST", &bulks(&[&rules])).await;
    let user = client.call("ACL GETUSER default").await;
    assert!(user.contains(&bulks(&[hash])), "{user}");
    let hashes = client.call("ACL CAT hash").await;
    assert!(hashes.contains(&bulk("hset")) && !hashes.contains(&bulk("zadd")));
    client
        .check("ACL CAT nosuch", "-ERR Unknown category 'nosuch'\r\n")
        .await;
    let (one, two) = (
        client.call("ACL GENPASS").await,
        client.call("ACL GENPASS").await,
    );
    assert!(one.starts_with("$64\r\n") && one != two, "{one} {two}");
    assert!(client.call("ACL GENPASS 5").await.starts_with("$2\r\n"));
    assert!(
        client
            .call("ACL GENPASS 0")
            .await
            .starts_with("-ERR ACL GENPASS argument")
    );
}

#[tokio::test]
async fn the_role_is_that_of_a_primary_and_memory_is_told_of() {
    let server = server().await;
    let mut client = Client::new(&server);
    client
        .check("ROLE", &format!("*3\r\n{}:0\r\n*0\r\n", bulk("master")))
        .await;
    client.call("SET key value").await;
    let stats = client.call("MEMORY STATS").await;
    assert!(
        stats.contains(&format!("{}:1\r\n", bulk("keys.count"))),
        "{stats}"
    );
    assert!(stats.contains("db.0"), "{stats}");
    client.check("MEMORY PURGE", "+OK\r\n").await;
    assert!(
        client
            .call("MEMORY DOCTOR")
            .await
            .contains("less than 5 MB")
    );
    let info = client.call("INFO stats").await;
    for field in ["instantaneous_ops_per_sec:", "instantaneous_input_kbps:"] {
        assert!(info.contains(field), "{info}");
    }
}
