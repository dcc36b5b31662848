//! Servers with commands of their own: replaced built-in ones, requests that nest, errors of their own, clients that wait for a place.

mod common;

use common::{Client, start};
use kv_server::{
    Args, Builder, Command, Context, Flags, Keys, ReplyError, Result, Server, Unknown, WhenFull,
};

fn set(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let kind = if args.next_is_frame() {
        "frame"
    } else {
        "text"
    };
    cx.set(key, args.next()?);
    args.finish()?;
    cx.reply().simple(kind);
    Ok(())
}

fn get(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let value = cx.get(key)?.map(<[u8]>::to_vec);
    cx.reply().bulk_or_null(value.as_deref());
    Ok(())
}

fn dialect() -> Builder {
    Server::builder()
        .nested_requests(true)
        .without_builtin_commands()
        .command(Command::new("set", 3, Flags::WRITE, Keys::ONE, set))
        .command(Command::new("get", 2, Flags::READONLY, Keys::READ_ONE, get))
        .on_unknown_command(|request| match request {
            Unknown::Name(name) => {
                ReplyError::text(format!("no {}", String::from_utf8_lossy(name)))
            }
            Unknown::Frame(frame) => {
                ReplyError::text(format!("{} bytes are no command", frame.len()))
            }
            _ => ReplyError::text("nothing"),
        })
}

#[tokio::test]
async fn requests_of_every_form_reach_custom_commands() {
    let server = start(dialect()).await;
    let mut client = Client::new(&server);
    for (request, reply) in [
        ("+SET k v\r\n", "+text\r\n"),
        ("$5\r\nGET k\r\n", "$1\r\nv\r\n"),
        (
            "*3\r\n$3\r\nset\r\n$1\r\nk\r\n*2\r\n:1\r\n_\r\n",
            "+frame\r\n",
        ),
        (
            "*2\r\n$3\r\nget\r\n$1\r\nk\r\n",
            "$11\r\n*2\r\n:1\r\n_\r\n\r\n",
        ),
        (
            "*3\r\n$3\r\nset\r\n:7\r\n%1\r\n$1\r\na\r\n:1\r\n",
            "+frame\r\n",
        ),
    ] {
        client.send(request).await;
        client.expect(reply).await;
    }
}

#[tokio::test]
async fn a_request_that_names_no_command_is_answered_and_the_connection_lives_on() {
    let server = start(dialect()).await;
    let mut client = Client::new(&server);
    for (request, reply) in [
        ("+nope x\r\n", "-no nope\r\n"),
        ("*0\r\n", "-nothing\r\n"),
        (":5\r\n", "-4 bytes are no command\r\n"),
        ("*1\r\n:5\r\n", "-4 bytes are no command\r\n"),
        ("%1\r\n+a\r\n+b\r\n", "-12 bytes are no command\r\n"),
        ("+PING\r\n", "-no PING\r\n"),
        ("+SET k v\r\n", "+text\r\n"),
    ] {
        client.send(request).await;
        client.expect(reply).await;
    }
    client.send("&\r\n").await;
    client
        .expect("-ERR Protocol error: unknown type byte '&'\r\n")
        .await;
    client.expect_closed().await;
}

#[tokio::test]
async fn a_custom_command_replaces_the_built_in_one_of_its_name() {
    fn pong(args: Args<'_>, cx: &mut Context<'_>) -> Result {
        args.finish()?;
        cx.reply().simple("custom");
        Ok(())
    }
    let server = start(
        Server::builder()
            .command(Command::new("PING", 1, Flags::FAST, Keys::NONE, pong))
            .without_command("echo"),
    )
    .await;
    let mut client = Client::new(&server);
    client.send("ping\r\nECHO x\r\n").await;
    client
        .expect("+custom\r\n-ERR unknown command 'ECHO', with args beginning with: 'x' \r\n")
        .await;
}

#[tokio::test]
async fn a_client_beyond_the_limit_waits_until_another_one_leaves() {
    let server = start(Server::builder().max_clients(2).when_full(WhenFull::Wait)).await;
    let mut first = Client::tcp(&server).await;
    let mut second = Client::tcp(&server).await;
    let mut third = Client::tcp(&server).await;
    for client in [&mut first, &mut second] {
        client.send("PING\r\n").await;
        client.expect("+PONG\r\n").await;
    }
    third.send("PING\r\n").await;
    assert_eq!(
        server.counters().connections,
        2,
        "the third one is not accepted yet"
    );
    drop(first);
    third.expect("+PONG\r\n").await;
    assert_eq!(server.counters().rejected_connections, 0);
}
