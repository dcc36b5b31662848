//! CONFIG, and parameters by name before the start.

mod common;

use common::{Client, server, start};
use kv_server::{Error, Server};

#[tokio::test]
async fn config_get_takes_patterns_and_answers_a_map() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("CONFIG GET rdbcomp* MAXCLIENTS\r\n").await;
    client
        .expect("*4\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n$14\r\nrdbcompression\r\n$3\r\nyes\r\n")
        .await;
    client.send("CONFIG GET nothing\r\n").await;
    client.expect("*0\r\n").await;
}

#[tokio::test]
async fn config_set_changes_all_parameters_or_none() {
    let server = server().await;
    let mut client = Client::new(&server);
    client.send("CONFIG SET maxclients 77 timeout x\r\n").await;
    client
        .expect("-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer\r\n")
        .await;
    client.send("CONFIG GET maxclients\r\n").await;
    client
        .expect("*2\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n")
        .await;
    client
        .send("CONFIG SET maxclients 77 timeout 60\r\nCONFIG GET maxclients timeout\r\n")
        .await;
    client
        .expect("+OK\r\n*4\r\n$10\r\nmaxclients\r\n$2\r\n77\r\n$7\r\ntimeout\r\n$2\r\n60\r\n")
        .await;
}

#[tokio::test]
async fn config_set_refuses_what_cannot_change() {
    let server = server().await;
    let mut client = Client::new(&server);
    for (request, reply) in [
        (
            "CONFIG SET port 1",
            "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config\r\n",
        ),
        (
            "CONFIG SET dir /",
            "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config\r\n",
        ),
        (
            "CONFIG SET appendonly yes",
            "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - the append-only file is not built yet\r\n",
        ),
        (
            "CONFIG SET save '' save ''",
            "-ERR CONFIG SET failed (possibly related to argument 'save') - duplicate parameter\r\n",
        ),
        (
            "CONFIG SET nothing 1",
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nothing'\r\n",
        ),
        (
            "CONFIG SET save",
            "-ERR wrong number of arguments for 'config|set' command\r\n",
        ),
    ] {
        client.send(format!("{request}\r\n")).await;
        client.expect(reply).await;
    }
}

#[tokio::test]
async fn a_directive_is_what_config_get_shows() -> Result<(), Error> {
    let server = start(
        Server::builder()
            .directive("databases", &["3"])?
            .directive("save", &["60", "5"])?,
    )
    .await;
    let mut client = Client::new(&server);
    client.send("CONFIG GET databases save\r\n").await;
    client
        .expect("*4\r\n$9\r\ndatabases\r\n$1\r\n3\r\n$4\r\nsave\r\n$4\r\n60 5\r\n")
        .await;
    let unknown = Server::builder()
        .directive("no-such-thing", &["1"])
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "invalid configuration: unknown parameter 'no-such-thing'"
    );
    Ok(())
}

#[tokio::test]
async fn time_is_the_clocks() {
    let clock = kv_server::Clock::manual();
    clock.set(1_700_000_000_123);
    let server = start(Server::builder().clock(clock)).await;
    let mut client = Client::new(&server);
    client.send("TIME\r\n").await;
    client
        .expect("*2\r\n$10\r\n1700000000\r\n$6\r\n123000\r\n")
        .await;
}
