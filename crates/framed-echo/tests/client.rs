//! The client: requests, reconnects, and what becomes of messages when a connection breaks.

mod common;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use common::client_in_memory;
use framed_echo::{
    Kind, Message, ServerCodec,
    client::{Backoff, Client, Event, RequestError, SendError, Sent, Unsent},
    control::{FromClient, FromServer, Refusal},
    server::{Echo, Handler, Peer, Server, Upload},
};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio_util::codec::Framed;

async fn echo() -> Server {
    Server::builder()
        .bind("127.0.0.1:0")
        .start()
        .await
        .expect("a free port")
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_request_gets_the_answer_that_belongs_to_it() {
    let server = echo().await;
    let address = server.local_addr().to_string();
    for builder in [Client::builder(&address), Client::builder(&address).plain()] {
        let (client, _incoming) = builder.id(7).connect().await.expect("listening");
        let ask = |n: u32| {
            let client = client.clone();
            async move {
                let answer = client
                    .request(Message::text(7, 8, format!("question {n}")), MINUTE)
                    .await;
                assert_eq!(answer.expect("an echo").body, format!("question {n}"));
            }
        };
        futures::future::join_all((0..100).map(ask)).await;
    }
}

#[tokio::test]
async fn a_large_request_gets_a_large_answer() {
    let server = echo().await;
    let address = server.local_addr().to_string();
    for builder in [Client::builder(&address), Client::builder(&address).plain()] {
        let (client, _incoming) = builder.id(7).connect().await.expect("listening");
        let body = vec![42; 1_000_000];
        let answer = client
            .request(Message::new(7, 8, Kind::PICTURE, body.clone()), MINUTE)
            .await;
        assert!(answer.expect("an echo").body == body);
    }
}

/// Accepts messages and says nothing.
struct Silent;

impl Handler for Silent {
    async fn message(&self, _: &Peer, _: Message) -> Result<(), Refusal> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_times_out() {
    let server = Server::builder()
        .handler(Silent)
        .in_memory()
        .start()
        .await
        .expect("nothing to bind");
    let (client, _incoming) = client_in_memory(&server, Client::builder("").id(7)).await;
    let error = client
        .request(Message::text(7, 8, "?"), MINUTE)
        .await
        .expect_err("nobody answers");
    assert!(matches!(error, RequestError::Timeout(MINUTE)), "{error}");
}

/// Wraps echo in a handler of one's own, as a reader of the documentation would.
struct Shout;

impl Handler for Shout {
    async fn message(&self, peer: &Peer, message: Message) -> Result<(), Refusal> {
        let text = String::from_utf8_lossy(&message.body).to_uppercase();
        peer.send(message.answer(Kind::TEXT, text)).await
    }

    async fn upload(&self, peer: &Peer, upload: Upload) -> Result<(), Refusal> {
        Echo.upload(peer, upload).await
    }
}

#[tokio::test]
async fn a_handler_of_ones_own_answers_requests() {
    let server = Server::builder()
        .handler(Shout)
        .bind("127.0.0.1:0")
        .start()
        .await
        .expect("a free port");
    let builder = Client::builder(server.local_addr().to_string());
    let (client, _incoming) = builder.connect().await.expect("listening");
    assert!(
        client.id() >= 0xf000_0000,
        "given by the server: {:x}",
        client.id()
    );
    let answer = client
        .request(Message::text(client.id(), 1, "quiet"), MINUTE)
        .await
        .expect("an answer");
    assert_eq!(answer.body, "QUIET");
    assert_eq!(answer.head.sender, 1);
}

/// The server's ends of the connections that a client makes, one after the other.
#[derive(Clone, Default)]
struct Far(Arc<Mutex<Vec<DuplexStream>>>);

type Link = Framed<DuplexStream, ServerCodec>;

impl Far {
    fn connect(&self) -> impl Future<Output = io::Result<DuplexStream>> + Send + use<> {
        let (near, far) = tokio::io::duplex(1 << 16);
        self.0.lock().expect("not poisoned").push(far);
        std::future::ready(Ok(near))
    }

    /// The next connection; waits for the client to make it.
    async fn next(&self) -> Link {
        loop {
            if let Some(far) = self.0.lock().expect("not poisoned").pop() {
                return Framed::new(far, ServerCodec::new());
            }
            tokio::time::sleep(Duration::from_millis(1)).await; // paused time
        }
    }
}

async fn received(link: &mut Link) -> FromClient {
    match link.next().await.expect("open").expect("a frame") {
        framed_echo::Item::Frame(request) => FromClient::decode(request.header.kind, request.body)
            .expect("a control frame")
            .expect("well formed"),
        other => panic!("{other:?}"),
    }
}

async fn welcome(link: &mut Link) {
    assert_eq!(received(link).await, FromClient::Hello { version: 1 });
    let welcome = framed_echo::control::Welcome {
        version: 1,
        id: 7,
        heartbeat: Duration::ZERO,
        chunk_bytes: 1000,
        window_chunks: 4,
        limits: Vec::new(),
    };
    link.send(FromServer::Welcome(welcome).into_reply(0))
        .await
        .expect("open");
}

fn id_and_text(control: FromClient) -> (u64, String) {
    match control {
        FromClient::Message { id, body, .. } => (
            id.expect("an id").get(),
            String::from_utf8(body.into()).expect("text"),
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn unacknowledged_messages_are_sent_again_in_order_with_the_same_ids() {
    let far = Far::default();
    let connect = far.clone();
    let connecting = Client::builder("")
        .id(7)
        .connect_with(move || connect.connect());
    let (connected, mut link) = tokio::join!(connecting, async {
        let mut link = far.next().await;
        welcome(&mut link).await;
        link
    });
    let (client, mut incoming) = connected.expect("welcomed");
    let mut posted = Vec::new();
    for text in ["one", "two", "three"] {
        posted.push(client.post(Message::text(7, 8, text)).await.expect("open"));
        assert_eq!(id_and_text(received(&mut link).await).1, text);
    }
    let ack = |id| {
        FromServer::Ack {
            id,
            outcome: framed_echo::control::Outcome::Delivered,
        }
        .into_reply(0)
    };
    link.send(ack(2)).await.expect("open");
    drop(link);
    assert!(matches!(incoming.next().await, Some(Event::Disconnected)));

    let mut link = far.next().await;
    welcome(&mut link).await;
    assert_eq!(
        id_and_text(received(&mut link).await),
        (1, "one".to_owned())
    );
    assert_eq!(
        id_and_text(received(&mut link).await),
        (3, "three".to_owned())
    );
    link.send(ack(1)).await.expect("open");
    link.send(ack(3)).await.expect("open");
    for posted in posted {
        assert_eq!(
            posted.outcome().await.expect("acknowledged"),
            Sent::Delivered
        );
    }
    assert!(matches!(incoming.next().await, Some(Event::Reconnected)));
}

#[tokio::test(start_paused = true)]
async fn unsent_messages_are_given_back_if_that_is_chosen() {
    let far = Far::default();
    let connect = far.clone();
    let builder = Client::builder("").id(7).unsent(Unsent::GiveBack);
    let connecting = builder.connect_with(move || connect.connect());
    let (connected, mut link) = tokio::join!(connecting, async {
        let mut link = far.next().await;
        welcome(&mut link).await;
        link
    });
    let (client, mut incoming) = connected.expect("welcomed");
    let posted = client
        .post(Message::text(7, 8, "written"))
        .await
        .expect("open");
    received(&mut link).await;
    drop(link);
    let Err(SendError::Lost {
        message,
        may_have_arrived,
    }) = posted.outcome().await
    else {
        panic!("not given back");
    };
    assert_eq!(message.body, "written");
    assert!(may_have_arrived);
    assert!(matches!(incoming.next().await, Some(Event::Disconnected)));
    let lost = client
        .send(Message::text(7, 8, "while there is no connection"))
        .await;
    assert!(
        matches!(
            lost,
            Err(SendError::Lost {
                may_have_arrived: false,
                ..
            })
        ),
        "{lost:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_up_says_so() {
    let server = echo().await;
    let backoff = Backoff {
        attempts: Some(3),
        ..Backoff::default()
    };
    let builder = Client::builder("").id(7).plain().reconnect(Some(backoff));
    let (client, mut incoming) = client_in_memory(&server, builder).await;
    client.send(Message::text(7, 8, "hi")).await.expect("open");
    assert!(matches!(incoming.next().await, Some(Event::Message(_))));
    drop(server);
    assert!(matches!(incoming.next().await, Some(Event::Disconnected)));
    assert!(incoming.next().await.is_none());
    assert!(matches!(
        client.send(Message::text(7, 8, "?")).await,
        Err(SendError::Closed)
    ));
}

#[tokio::test]
async fn a_server_that_speaks_only_the_plain_protocol_is_recognised() {
    let (near, mut far) = tokio::io::duplex(1000);
    let connecting = Client::builder("").id(7).connect_with({
        let mut near = Some(near);
        move || std::future::ready(near.take().ok_or_else(|| io::Error::other("once")))
    });
    // An old echo server sends the hello back.
    far.write_all(b"\0\0\0\x07\x80\0\0\0\x01\x01")
        .await
        .expect("open");
    let error = connecting.await.expect_err("no welcome");
    assert_eq!(error.to_string(), "hello (128) frame in answer to a hello");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_carries_the_same_frames() {
    use tokio_rustls::rustls::{self, RootCertStore, pki_types::PrivateKeyDer};

    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key pair");
    let certificate = own.cert.der().clone();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a PKCS #8 key");
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let config = config
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a matching pair");
    let server = Server::builder()
        .bind_tls("127.0.0.1:0", Arc::new(config))
        .start()
        .await
        .expect("a free port");

    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().expect("a name");
    let builder = Client::builder(server.local_addr().to_string()).tls(name, Arc::new(config));
    let (client, _incoming) = builder.connect().await.expect("a handshake");
    let body = vec![7; 300_000];
    let answer = client
        .request(
            Message::new(client.id(), 1, Kind::PICTURE, body.clone()),
            MINUTE,
        )
        .await;
    assert!(answer.expect("an echo").body == body);
}
