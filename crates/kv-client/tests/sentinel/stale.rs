//! Sentinels that have not heard of the latest failover.

use std::time::Duration;

use kv_client::{Client, Config, ErrorKind};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::requests::read;

/// Says the same again and again: a sentinel that knows of one primary, or a server of this role.
#[derive(Clone)]
struct Says {
    primary: Option<u16>,
    role: &'static str,
}

/// Its port. It accepts connections until `serving` is dropped.
async fn start(serving: &mut JoinSet<()>, says: Says) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    serving.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(BufReader::new(stream), port, says.clone()));
        }
    });
    port
}

async fn serve(mut stream: BufReader<TcpStream>, port: u16, says: Says) -> Option<()> {
    loop {
        let args = read(&mut stream).await?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let reply = match (args.as_slice(), says.primary) {
            (["HELLO", ..], _) => "-ERR unknown command\r\n".to_owned(),
            (["PING", ..], _) => "+PONG\r\n".to_owned(),
            (["ROLE"], _) => format!("*1\r\n+{}\r\n", says.role),
            (["SUBSCRIBE", _], _) => {
                "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n".to_owned()
            }
            (["SENTINEL", "GET-MASTER-ADDR-BY-NAME", _], Some(primary)) => {
                format!("*2\r\n$9\r\n127.0.0.1\r\n+{primary}\r\n")
            }
            (["SENTINEL", ..], _) => "*0\r\n".to_owned(),
            _ => format!(":{port}\r\n"),
        };
        stream.get_mut().write_all(reply.as_bytes()).await.ok()?;
    }
}

#[tokio::test]
async fn a_sentinel_that_names_the_wrong_server_does_not_hide_those_that_know_better() {
    let mut serving = JoinSet::new();
    let server = |role| Says {
        primary: None,
        role,
    };
    let sentinel = |port| Says {
        primary: Some(port),
        role: "sentinel",
    };
    let primary = start(&mut serving, server("master")).await;
    let replica = start(&mut serving, server("slave")).await;
    let gone = super::ports::free_port();
    let knows = start(&mut serving, sentinel(primary)).await;
    for wrong in [replica, gone] {
        let stale = start(&mut serving, sentinel(wrong)).await;
        let sentinels = [stale, knows].map(|port| ("127.0.0.1", port));
        let config = Config::sentinel("the-service", sentinels)
            .connect_timeout(Duration::from_secs(60))
            .command_timeout(Duration::from_secs(60));
        let client = Client::connect(config.clone()).await.unwrap();
        assert_eq!(client.incr("k").await.unwrap(), i64::from(primary));
        let lazy = Client::connect_lazy(config).unwrap();
        assert_eq!(lazy.incr("k").await.unwrap(), i64::from(primary));

        // If nobody knows better, it says what is wrong with the server that is named.
        let alone = Config::sentinel("the-service", [("127.0.0.1", stale)]);
        let error = Client::connect(alone).await.unwrap_err();
        match error.kind() {
            ErrorKind::NotPrimary { role, .. } => assert_eq!(role, "slave"),
            kind => assert!(matches!(kind, ErrorKind::Connect { .. }), "{error:?}"),
        }
    }
}
