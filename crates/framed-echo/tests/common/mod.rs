//! A relay on a free port, and its clients of both kinds.

#![allow(dead_code, reason = "no test file needs all of it")]

use std::io;

use framed_echo::{
    ClientCodec, Item, Message, Reply, Request,
    client::{Builder, Client, Event, Incoming, LargeMessage},
    inbox::{Inbox, MemoryInbox},
    relay::Relay,
    server::{Config, Handler, Server},
};
use futures::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio_util::codec::Framed;

pub(crate) type Plain = Framed<DuplexStream, ClientCodec>;

pub(crate) async fn relay(config: Config) -> Server<Relay<MemoryInbox>> {
    relay_with(MemoryInbox::new(), config).await
}

pub(crate) async fn relay_with<I: Inbox>(inbox: I, config: Config) -> Server<Relay<I>> {
    let builder = Server::builder().handler(Relay::new(inbox)).config(config);
    builder
        .bind("127.0.0.1:0")
        .start()
        .await
        .expect("a free port")
}

pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

pub(crate) async fn client<I: Inbox>(server: &Server<Relay<I>>, id: u32) -> (Client, Incoming) {
    let builder = Client::builder(server.local_addr().to_string()).id(id);
    builder.connect().await.expect("listening")
}

/// A client over a connection in memory, for paused time: that goes on whenever nothing is to be done, also while bytes
/// are on their way through a socket.
pub(crate) async fn client_in_memory<H: Handler>(
    server: &Server<H>,
    builder: Builder,
) -> (Client, Incoming) {
    let mut io = Some(server.connect());
    let connect = move || {
        let io = io
            .take()
            .ok_or_else(|| io::ErrorKind::ConnectionRefused.into());
        std::future::ready(io)
    };
    builder.connect_with(connect).await.expect("welcomed")
}

/// A plain connection that the relay knows by its id: it has got a message to itself back.
pub(crate) async fn plain<I: Inbox>(server: &Server<Relay<I>>, id: u32) -> Plain {
    let mut framed = Framed::new(server.connect(), ClientCodec::new());
    framed
        .send(Request::text(id, id, "here"))
        .await
        .expect("open");
    assert_eq!(reply(&mut framed).await, Reply::text(id, "here"));
    framed
}

pub(crate) async fn reply(framed: &mut Plain) -> Reply {
    match framed.next().await.expect("open").expect("a frame") {
        Item::Frame(reply) => reply,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn message(incoming: &mut Incoming) -> Message {
    match incoming.next().await {
        Some(Event::Message(message)) => message,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn text(incoming: &mut Incoming) -> String {
    String::from_utf8(message(incoming).await.body.into()).expect("text")
}

pub(crate) async fn large(incoming: &mut Incoming) -> LargeMessage {
    match incoming.next().await {
        Some(Event::Large(large)) => large,
        other => panic!("{other:?}"),
    }
}
