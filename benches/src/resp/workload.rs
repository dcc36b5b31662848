//! Bytes to decode.

use bytes::BytesMut;
use resp_codec::{Version, write};

/// Bytes, how many frames they hold, and in what pieces they arrive.
#[derive(Debug, Clone)]
pub struct Workload {
    /// What the tables call it.
    pub name: &'static str,
    /// The bytes of one pass.
    pub wire: BytesMut,
    /// The frames in `wire`.
    pub frames: usize,
    /// Bytes that arrive at a time.
    pub piece: usize,
    /// Whether the frames are requests, which a server reads.
    pub requests: bool,
}

impl Workload {
    /// `frames` frames, all in one piece.
    fn new(name: &'static str, frames: usize, mut frame: impl FnMut(&mut BytesMut, usize)) -> Self {
        let mut wire = BytesMut::new();
        (0..frames).for_each(|n| frame(&mut wire, n));
        let piece = wire.len();
        Self {
            name,
            wire,
            frames,
            piece,
            requests: false,
        }
    }

    fn in_pieces_of(self, piece: usize) -> Self {
        Self { piece, ..self }
    }

    fn requests(self) -> Self {
        Self {
            requests: true,
            ..self
        }
    }
}

/// An array of bulk strings of 100 bytes.
fn array(out: &mut BytesMut, len: usize) {
    write::array_header(out, len);
    (0..len).for_each(|_| write::bulk(out, &[b'v'; 100]));
}

/// Everything that is compared. All of it is RESP2, which every parser reads.
#[must_use]
pub fn all() -> Vec<Workload> {
    vec![
        Workload::new("+OK", 1000, |out, _| write::simple_string(out, b"OK")),
        Workload::new(":n", 1000, |out, n| {
            write::integer(out, i64::try_from(n * 37).unwrap_or_default())
        }),
        Workload::new("$11", 1000, |out, _| write::bulk(out, b"hello world")),
        Workload::new("small mix", 1000, |out, n| match n % 5 {
            0 => write::simple_string(out, b"OK"),
            1 => write::integer(out, 1),
            2 => write::bulk(out, b"a value of thirty-two bytes here"),
            3 => write::null(out, Version::Resp2),
            _ => write::error(
                out,
                b"WRONGTYPE Operation against a key holding the wrong kind of value",
            ),
        }),
        Workload::new("3 x $10", 1000, |out, _| {
            write::array_header(out, 3);
            (0..3).for_each(|_| write::bulk(out, b"0123456789"));
        }),
        Workload::new("100 x $100", 20, |out, _| array(out, 100)),
        Workload::new("$16384", 32, |out, _| write::bulk(out, &[b'v'; 16384])),
        Workload::new("5 MB array, whole", 1, |out, _| array(out, 50_000)),
        Workload::new("5 MB array, 4 KiB pieces", 1, |out, _| array(out, 50_000))
            .in_pieces_of(4096),
        Workload::new("GET, pipelined", 1000, |out, n| {
            write::request_header(out, 2);
            write::bulk(out, b"GET");
            write::bulk(out, format!("key:{n:012}").as_bytes());
        })
        .requests(),
        Workload::new("SET $64, pipelined", 1000, |out, n| {
            write::request_header(out, 3);
            write::bulk(out, b"SET");
            write::bulk(out, format!("key:{n:012}").as_bytes());
            write::bulk(out, &[b'v'; 64]);
        })
        .requests(),
    ]
}
