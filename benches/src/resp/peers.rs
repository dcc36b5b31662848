//! Rust parsers of other crates.

use std::{hint::black_box, io::Read};

use bytes::BytesMut;

use super::{Parser, Workload};

/// `redis_protocol::resp2::decode::decode_bytes_mut`: values that share the buffer.
#[derive(Debug, Default)]
pub struct ProtocolBytes {
    buffer: BytesMut,
}

impl Parser for ProtocolBytes {
    fn name(&self) -> &'static str {
        "redis-protocol bytes"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        use redis_protocol::resp2::decode::decode_bytes_mut;
        let mut frames = 0;
        for piece in workload.wire.chunks(workload.piece) {
            self.buffer.extend_from_slice(piece);
            while !self.buffer.is_empty() {
                let decoded = decode_bytes_mut(&mut self.buffer);
                let Some(frame) = decoded.as_ref().expect("well-formed") else {
                    break;
                };
                black_box(frame);
                frames += 1;
            }
        }
        frames
    }
}

/// `redis_protocol::resp2::decode::decode_range`: its cheapest form, places in the buffer.
#[derive(Debug, Default)]
pub struct ProtocolRange {
    buffer: Vec<u8>,
}

impl Parser for ProtocolRange {
    fn name(&self) -> &'static str {
        "redis-protocol range"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        use redis_protocol::resp2::decode::decode_range;
        let (mut frames, mut start) = (0, 0);
        for piece in workload.wire.chunks(workload.piece) {
            self.buffer.extend_from_slice(piece);
            while start < self.buffer.len() {
                let decoded = decode_range(&self.buffer[start..]);
                let Some((frame, used)) = decoded.as_ref().expect("well-formed") else {
                    break;
                };
                black_box(frame);
                start += used;
                frames += 1;
            }
        }
        self.buffer.clear();
        frames
    }
}

/// `redis::Parser`: values, from a reader.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "the parser has none")]
pub struct Redis {
    parser: redis::Parser,
}

/// Yields one piece at each read.
struct Pieces<'a> {
    rest: &'a [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (mut now, rest) = self
            .rest
            .split_at(self.rest.len().min(self.piece).min(buffer.len()));
        self.rest = rest;
        now.read(buffer)
    }
}

impl Parser for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        let mut reader = Pieces {
            rest: &workload.wire,
            piece: workload.piece,
        };
        for _ in 0..workload.frames {
            black_box(
                self.parser
                    .parse_value(&mut reader)
                    .as_ref()
                    .expect("well-formed"),
            );
        }
        workload.frames
    }
}
