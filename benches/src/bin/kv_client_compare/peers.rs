//! The clients under test, and what each of them is asked to do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use benches::flags::Result;
use futures::StreamExt;

/// So many messages are published before the receiver has them all: few enough for the shortest queue of the clients.
pub(crate) const WINDOW: usize = 500;

/// A client under test.
pub(crate) trait Peer: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    fn open(url: &str) -> impl Future<Output = Result<Self>> + Send;
    fn set(&self, key: &str, value: &[u8]) -> impl Future<Output = Result<()>> + Send;
    fn get(&self, key: &str) -> impl Future<Output = Result<usize>> + Send;
    /// GETs the key `count` times in one pipeline; the bytes received.
    fn pipeline(&self, key: &str, count: usize) -> impl Future<Output = Result<usize>> + Send;
    /// The bytes of all values.
    fn mget(&self, keys: &[String]) -> impl Future<Output = Result<usize>> + Send;
    /// Subscribes, and tells `inbox` when it is ready and of each message received, until that has enough.
    fn receive(&self, url: &str, inbox: Inbox<'_>) -> impl Future<Output = Result<()>> + Send;
}

/// What a receiver is sent, by a thread of its own, whose CPU time is not counted.
pub(crate) struct Inbox<'a> {
    go: SyncSender<()>,
    /// One of its own for each run, because clients unsubscribe in the background.
    pub(crate) channel: String,
    left: usize,
    /// Called at the start of each window, and for each message.
    note: &'a mut (dyn FnMut(Note) + Send),
}

/// What happens to a receiver.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Note {
    /// A window of messages is asked for.
    Asked,
    /// One of them is here.
    Received,
}

impl<'a> Inbox<'a> {
    pub(crate) fn start(
        url: &str,
        value_len: usize,
        count: usize,
        note: &'a mut (dyn FnMut(Note) + Send),
    ) -> Result<Self> {
        let addr = url
            .strip_prefix("redis://")
            .ok_or("the url is no redis://")?;
        let mut stream = TcpStream::connect(addr)?;
        let (go, asked) = sync_channel::<()>(2);
        let channel = format!("news:{}", stream.local_addr()?.port());
        let message = "x".repeat(value_len);
        let one = format!(
            "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${value_len}\r\n{message}\r\n",
            channel.len()
        );
        let window = one.repeat(WINDOW);
        let mut replies = vec![0; ":1\r\n".len() * WINDOW];
        thread::spawn(move || {
            while asked.recv().is_ok() {
                let sent = stream.write_all(window.as_bytes());
                if sent.and_then(|()| stream.read_exact(&mut replies)).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            go,
            channel,
            left: count.next_multiple_of(WINDOW),
            note,
        })
    }

    /// The subscription is made; asks for the first window.
    fn ready(&mut self) -> Result<()> {
        (self.note)(Note::Asked);
        Ok(self.go.send(())?)
    }

    /// Counts one message and asks for more when a window is over; whether more are to come.
    fn received(&mut self) -> Result<bool> {
        (self.note)(Note::Received);
        self.left -= 1;
        if self.left > 0 && self.left % WINDOW == 0 {
            self.ready()?;
        }
        Ok(self.left > 0)
    }
}

impl Peer for kv_client::Client {
    const NAME: &'static str = "kv-client";

    async fn open(url: &str) -> Result<Self> {
        Ok(Self::connect(url).await?)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(self.set(key, value).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        Ok(self.get(key).await?.map_or(0, |value| value.len()))
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        let commands: Vec<_> = (0..count).map(|_| self.get(key)).collect();
        let values = self.pipeline(commands).await?;
        Ok(values.iter().flatten().map(bytes::Bytes::len).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let values = self.mget(keys).await?;
        Ok(values.iter().flatten().map(bytes::Bytes::len).sum())
    }

    async fn receive(&self, _url: &str, mut inbox: Inbox<'_>) -> Result<()> {
        let mut messages = self.subscribe(&inbox.channel).await?;
        inbox.ready()?;
        loop {
            match messages.next().await {
                Some(kv_client::Event::Message(_)) => {}
                other => return Err(format!("{other:?} in place of a message").into()),
            }
            if !inbox.received()? {
                return Ok(());
            }
        }
    }
}

impl Peer for redis::aio::MultiplexedConnection {
    const NAME: &'static str = "redis-rs";

    async fn open(url: &str) -> Result<Self> {
        Ok(redis::Client::open(url)?
            .get_multiplexed_async_connection()
            .await?)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let mut connection = self.clone();
        Ok(redis::AsyncTypedCommands::set(&mut connection, key, value).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        let mut connection = self.clone();
        let value: Vec<u8> = redis::AsyncCommands::get(&mut connection, key).await?;
        Ok(value.len())
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        let mut connection = self.clone();
        let mut pipe = redis::Pipeline::with_capacity(count);
        for _ in 0..count {
            pipe.get(key);
        }
        let values: Vec<Vec<u8>> = pipe.query_async(&mut connection).await?;
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let mut connection = self.clone();
        let values: Vec<Vec<u8>> = redis::AsyncCommands::mget(&mut connection, keys).await?;
        Ok(values.iter().map(Vec::len).sum())
    }

    async fn receive(&self, url: &str, mut inbox: Inbox<'_>) -> Result<()> {
        let mut connection = redis::Client::open(url)?.get_async_pubsub().await?;
        connection.subscribe(&inbox.channel).await?;
        inbox.ready()?;
        let mut messages = connection.on_message();
        loop {
            messages.next().await.ok_or("the stream ended")?;
            if !inbox.received()? {
                return Ok(());
            }
        }
    }
}

#[cfg(feature = "clients")]
impl Peer for rustis::client::Client {
    const NAME: &'static str = "rustis";

    async fn open(url: &str) -> Result<Self> {
        Ok(Self::connect(url).await?)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let value = rustis::resp::BulkString::from(value.to_vec());
        Ok(rustis::commands::StringCommands::set(self, key, value).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        let value: rustis::resp::BulkString =
            rustis::commands::StringCommands::get(self, key).await?;
        Ok(value.len())
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        use rustis::client::BatchPreparedCommand;

        let mut pipe = self.create_pipeline();
        for _ in 0..count {
            rustis::commands::StringCommands::get::<()>(&mut pipe, key).queue();
        }
        let values: Vec<rustis::resp::BulkString> = pipe.execute().await?;
        Ok(values.iter().map(|value| value.len()).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let values: Vec<rustis::resp::BulkString> =
            rustis::commands::StringCommands::mget(self, keys).await?;
        Ok(values.iter().map(|value| value.len()).sum())
    }

    async fn receive(&self, _url: &str, mut inbox: Inbox<'_>) -> Result<()> {
        let mut messages =
            rustis::commands::PubSubCommands::subscribe(self, inbox.channel.as_str()).await?;
        inbox.ready()?;
        loop {
            messages.next().await.ok_or("the stream ended")??;
            if !inbox.received()? {
                return Ok(());
            }
        }
    }
}

#[cfg(feature = "clients")]
impl Peer for fred::clients::Client {
    const NAME: &'static str = "fred";

    async fn open(url: &str) -> Result<Self> {
        use fred::interfaces::ClientLike;

        let client = fred::types::Builder::from_config(fred::types::config::Config::from_url(url)?)
            .with_performance_config(|config| config.broadcast_channel_capacity = 2 * WINDOW)
            .build()?;
        client.init().await?;
        Ok(client)
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(fred::interfaces::KeysInterface::set(self, key, value, None, None, false).await?)
    }

    async fn get(&self, key: &str) -> Result<usize> {
        let value: bytes::Bytes = fred::interfaces::KeysInterface::get(self, key).await?;
        Ok(value.len())
    }

    async fn pipeline(&self, key: &str, count: usize) -> Result<usize> {
        let pipe = self.pipeline();
        for _ in 0..count {
            let () = fred::interfaces::KeysInterface::get(&pipe, key).await?;
        }
        let values: Vec<bytes::Bytes> = pipe.all().await?;
        Ok(values.iter().map(bytes::Bytes::len).sum())
    }

    async fn mget(&self, keys: &[String]) -> Result<usize> {
        let values: Vec<bytes::Bytes> =
            fred::interfaces::KeysInterface::mget(self, keys.to_vec()).await?;
        Ok(values.iter().map(bytes::Bytes::len).sum())
    }

    async fn receive(&self, _url: &str, mut inbox: Inbox<'_>) -> Result<()> {
        use fred::interfaces::{EventInterface, PubsubInterface};

        let mut messages = self.message_rx();
        PubsubInterface::subscribe(self, inbox.channel.as_str()).await?;
        inbox.ready()?;
        loop {
            messages.recv().await?;
            if !inbox.received()? {
                break;
            }
        }
        PubsubInterface::unsubscribe(self, inbox.channel.as_str()).await?;
        Ok(())
    }
}
