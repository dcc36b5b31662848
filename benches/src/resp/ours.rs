//! The decoders of resp-codec.

use std::hint::black_box;

use bytes::BytesMut;
use resp_codec::{Arg, FrameDecoder, FrameRef, Limits, RequestDecoder, RespCodec, Version};
use tokio_util::codec::Decoder;

use super::{Parser, Workload};

/// Looks at every value of a frame, because a view has not built anything yet.
#[inline(always)]
fn walk(frame: FrameRef<'_>) {
    if frame.is_aggregate() {
        walk_into(frame);
    } else if let Some(number) = frame.as_i64() {
        black_box(number);
    } else {
        black_box(frame.as_bytes());
    }
}

#[inline(never)]
fn walk_into(frame: FrameRef<'_>) {
    frame.children().for_each(walk);
}

/// `FrameDecoder::decode`: borrowed views.
#[derive(Debug)]
pub struct View {
    decoder: FrameDecoder,
    buffer: Vec<u8>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            decoder: FrameDecoder::new(Limits::client()),
            buffer: Vec::new(),
        }
    }
}

impl Parser for View {
    fn name(&self) -> &'static str {
        "resp-codec view"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        let (mut frames, mut start) = (0, 0);
        for piece in workload.wire.chunks(workload.piece) {
            self.buffer.extend_from_slice(piece);
            while let Some(frame) = self
                .decoder
                .decode(&self.buffer[start..])
                .expect("well-formed")
            {
                walk(frame);
                start += frame.frame_len();
                frames += 1;
            }
        }
        self.buffer.clear();
        frames
    }
}

/// `FrameDecoder::decode_owned`: views that own their bytes.
#[derive(Debug)]
pub struct Owned {
    decoder: FrameDecoder,
    buffer: BytesMut,
}

impl Default for Owned {
    fn default() -> Self {
        Self {
            decoder: FrameDecoder::new(Limits::client()),
            buffer: BytesMut::new(),
        }
    }
}

impl Parser for Owned {
    fn name(&self) -> &'static str {
        "resp-codec owned"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        let mut frames = 0;
        for piece in workload.wire.chunks(workload.piece) {
            self.buffer.extend_from_slice(piece);
            while let Some(frame) = self
                .decoder
                .decode_owned(&mut self.buffer)
                .as_ref()
                .expect("well-formed")
            {
                walk(frame.view());
                frames += 1;
            }
        }
        frames
    }
}

/// `RespCodec`: values.
#[derive(Debug)]
pub struct Codec {
    codec: RespCodec,
    buffer: BytesMut,
}

impl Default for Codec {
    fn default() -> Self {
        Self {
            codec: RespCodec::new(Version::Resp3),
            buffer: BytesMut::new(),
        }
    }
}

impl Parser for Codec {
    fn name(&self) -> &'static str {
        "resp-codec Frame"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        let mut frames = 0;
        for piece in workload.wire.chunks(workload.piece) {
            self.buffer.extend_from_slice(piece);
            // Looked at where it was made: a value that is moved on costs the same whoever made it.
            while let Some(frame) = self
                .codec
                .decode(&mut self.buffer)
                .as_ref()
                .expect("well-formed")
            {
                black_box(frame);
                frames += 1;
            }
        }
        frames
    }
}

/// `RequestDecoder`: places of arguments.
#[derive(Debug)]
pub struct Requests {
    decoder: RequestDecoder,
    buffer: Vec<u8>,
    args: Vec<Arg>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            decoder: RequestDecoder::new(Limits::server()),
            buffer: Vec::new(),
            args: Vec::new(),
        }
    }
}

impl Parser for Requests {
    fn name(&self) -> &'static str {
        "resp-codec request"
    }

    fn pass(&mut self, workload: &Workload) -> usize {
        let (mut frames, mut start) = (0, 0);
        for piece in workload.wire.chunks(workload.piece) {
            self.buffer.extend_from_slice(piece);
            while let Some(used) = self
                .decoder
                .decode(&mut self.buffer[start..], &mut self.args)
                .expect("well-formed")
            {
                let request = &self.buffer[start..];
                self.args.drain(..).for_each(|arg| {
                    black_box(arg.of(request));
                });
                start += used;
                frames += 1;
            }
        }
        self.buffer.clear();
        frames
    }
}
