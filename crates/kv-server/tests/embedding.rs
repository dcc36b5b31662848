//! Servers inside of a program: many of them, on any runtime, stopped and started again.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{Client, bulk, server, start};
use kv_server::Server;
use tokio::net::UnixStream;

#[tokio::test]
async fn many_servers_in_one_process_share_nothing() {
    let mut servers = Vec::new();
    for n in 0..20 {
        let server = server().await;
        let mut client = Client::tcp(&server).await;
        client.check(&format!("SET k {n}"), "+OK\r\n").await;
        servers.push((server, client));
    }
    for (n, (server, client)) in servers.iter_mut().enumerate() {
        client.check("GET k", &bulk(&n.to_string())).await;
        assert_eq!(server.counters().connections, 1);
    }
}

#[tokio::test]
async fn a_restart_keeps_the_address_and_the_data() {
    let server = common::on_a_lasting_port().await;
    let addr = server.addr();
    let mut before = Client::tcp(&server).await;
    before.check("SET k v", "+OK\r\n").await;
    server.stop().await;
    before.expect_closed().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
    server.restart().await.unwrap();
    assert_eq!(server.addr(), addr);
    Client::tcp(&server).await.check("GET k", &bulk("v")).await;
}

#[tokio::test]
async fn a_unix_socket_keeps_its_permissions_over_a_restart() {
    let path = std::env::temp_dir().join(format!("kv-server-embedding-{}", std::process::id()));
    let builder = Server::builder().no_tcp().unix_socket(&path);
    let server = start(builder.unix_socket_mode(0o600)).await;
    for _ in 0..2 {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut client = Client::over(UnixStream::connect(&path).await.unwrap());
        client.check("PING", "+PONG\r\n").await;
        assert!(client.call("CLIENT INFO").await.contains(" flags=U "));
        server.stop().await;
        assert!(!path.exists());
        server.restart().await.unwrap();
    }
    server.shutdown().await;
}

#[test]
fn a_server_on_threads_of_its_own_serves_any_runtime() {
    let runtimes = [
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build(),
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build(),
    ];
    for runtime in runtimes {
        runtime.unwrap().block_on(async {
            let server = start(Server::builder().threads(2)).await;
            let mut tasks = Vec::new();
            for _ in 0..8 {
                let mut client = Client::tcp(&server).await;
                tasks.push(tokio::spawn(async move {
                    for n in 0..200 {
                        client
                            .check(&format!("ECHO {n}"), &bulk(&n.to_string()))
                            .await;
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(server.counters().commands, 1600);
            server.shutdown().await;
        });
    }
}

#[tokio::test]
async fn keyspace_notifications_arrive_on_both_kinds_of_channel() {
    let builder = Server::builder().directive("notify-keyspace-events", &["KEA"]);
    let server = start(builder.unwrap()).await;
    let (mut listener, mut writer) = (Client::new(&server), Client::new(&server));
    listener.send("PSUBSCRIBE __key*\r\n").await;
    listener.reply().await;
    writer.check("SET k v", "+OK\r\n").await;
    for (channel, message) in [("__keyspace@0__:k", "set"), ("__keyevent@0__:set", "k")] {
        let parts = ["pmessage", "__key*", channel, message].map(bulk);
        listener.expect(format!("*4\r\n{}", parts.concat())).await;
    }
}
