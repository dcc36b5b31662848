//! A real server reads our files, and we read its.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Server;
use crate::reference::{Reference, Reply};

/// A file of the test's own, which goes with the value.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("kv-server-{}-{name}.rdb", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Sends inline commands and returns all replies.
async fn ask(server: &Server, commands: impl AsRef<str>) -> String {
    let mut io = server.connect();
    io.write_all([commands.as_ref(), "QUIT\r\n"].concat().as_bytes())
        .await
        .unwrap();
    let mut replies = String::new();
    io.read_to_string(&mut replies).await.unwrap();
    replies.strip_suffix("+OK\r\n").unwrap().to_owned()
}

#[tokio::test]
async fn a_real_server_loads_our_file() {
    let file = File::new("ours");
    let server = Server::builder().snapshot(&file.0).start().await.unwrap();
    let long = "long ".repeat(1000);
    let filled = ask(
        &server,
        format!(
            "SET text value\r\nSET number -12345\r\nSET long '{long}'\r\nSELECT 9\r\nSET soon x PXAT 99999999999999\r\nSAVE\r\n"
        ),
    );
    assert_eq!(filled.await, "+OK\r\n".repeat(6));
    let saved = std::fs::read(&file.0).unwrap();
    let Some(mut redis) = Reference::start(Some(&saved)) else {
        return;
    };
    assert_eq!(redis.call(["GET", "text"]), Reply::bulk("value"));
    assert_eq!(redis.call(["GET", "number"]), Reply::bulk("-12345"));
    assert_eq!(redis.call(["GET", "long"]), Reply::bulk(&long));
    assert_eq!(redis.call(["DBSIZE"]), Reply::Integer(3));
    assert_eq!(redis.call(["SELECT", "9"]), Reply::Simple("OK".into()));
    assert_eq!(redis.call(["GET", "soon"]), Reply::bulk("x"));
    assert_eq!(
        redis.call(["PEXPIRETIME", "soon"]),
        Reply::Integer(99_999_999_999_999)
    );
}

#[tokio::test]
async fn we_load_the_file_of_a_real_server() {
    let Some(mut redis) = Reference::start(None) else {
        return;
    };
    let long = "long ".repeat(1000);
    for command in [
        &["SET", "text", "value"][..],
        &["SET", "number", "-12345"],
        &["SET", "long", &long],
        &["SELECT", "9"],
        &["SET", "soon", "x", "PXAT", "99999999999999"],
    ] {
        assert_eq!(redis.call(command), Reply::Simple("OK".into()));
    }
    let file = File::new("theirs");
    std::fs::write(&file.0, redis.save()).unwrap();
    let server = Server::builder().snapshot(&file.0).start().await.unwrap();
    let found = ask(
        &server,
        "GET text\r\nGET number\r\nGET long\r\nSELECT 9\r\nGETEX soon\r\n",
    );
    let expected = format!("$5\r\nvalue\r\n$6\r\n-12345\r\n$5000\r\n{long}\r\n+OK\r\n$1\r\nx\r\n");
    assert_eq!(found.await, expected);
    assert_eq!(redis.call(["ZADD", "scores", "1", "m"]), Reply::Integer(1));
    std::fs::write(&file.0, redis.save()).unwrap();
    let error = Server::builder().snapshot(&file.0).start().await;
    let error = std::error::Error::source(&error.unwrap_err())
        .unwrap()
        .to_string();
    assert_eq!(
        error,
        "key \"scores\" is a zset, a type that this server does not have"
    );
}
