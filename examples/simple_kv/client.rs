//! A client on the codec: a request is a frame, a reply is a frame, an error reply is an error.

use std::error::Error;

use futures::{SinkExt, StreamExt};
use resp_codec::{Frame, RespCodec, Version};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_util::codec::Framed;

pub struct Client {
    frames: Framed<TcpStream, RespCodec>,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Client {
    pub async fn connect(addr: impl ToSocketAddrs) -> Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            frames: Framed::new(stream, RespCodec::new(Version::Resp3)),
        })
    }

    pub async fn get(&mut self, key: &str) -> Result<Frame> {
        self.request(vec![Frame::bulk("GET"), Frame::bulk(key.to_owned())])
            .await
    }

    pub async fn set(&mut self, key: &str, value: Frame) -> Result<Frame> {
        self.request(vec![Frame::bulk("SET"), Frame::bulk(key.to_owned()), value])
            .await
    }

    pub async fn delete(&mut self, key: &str) -> Result<Frame> {
        self.request(vec![Frame::bulk("DELETE"), Frame::bulk(key.to_owned())])
            .await
    }

    pub async fn flush(&mut self) -> Result<Frame> {
        self.request(vec![Frame::bulk("FLUSH")]).await
    }

    pub async fn mget(&mut self, keys: &[&str]) -> Result<Frame> {
        let keys = keys.iter().map(|key| Frame::bulk((*key).to_owned()));
        self.request(std::iter::once(Frame::bulk("MGET")).chain(keys).collect())
            .await
    }

    pub async fn mset(&mut self, pairs: Vec<(&str, Frame)>) -> Result<Frame> {
        let words = pairs
            .into_iter()
            .flat_map(|(key, value)| [Frame::bulk(key.to_owned()), value]);
        self.request(std::iter::once(Frame::bulk("MSET")).chain(words).collect())
            .await
    }

    pub async fn request(&mut self, words: Vec<Frame>) -> Result<Frame> {
        self.frames.send(Frame::Array(words)).await?;
        let reply = self.frames.next().await.ok_or("the server hung up")??;
        if reply.is_error() {
            Err(show(&reply).into())
        } else {
            Ok(reply)
        }
    }
}

/// For people to read: `["a", 1, null]`.
pub fn show(frame: &Frame) -> String {
    let list = |frames: &[Frame]| frames.iter().map(show).collect::<Vec<_>>().join(", ");
    match frame {
        Frame::SimpleString(text) | Frame::BulkString(text) => {
            format!("{:?}", String::from_utf8_lossy(text))
        }
        Frame::Error(text) => String::from_utf8_lossy(text).into_owned(),
        Frame::Integer(n) => n.to_string(),
        Frame::Null => "null".to_owned(),
        Frame::Array(frames) => format!("[{}]", list(frames)),
        Frame::Map(pairs) => {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(key, value)| format!("{}: {}", show(key), show(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => format!("{other:?}"),
    }
}
