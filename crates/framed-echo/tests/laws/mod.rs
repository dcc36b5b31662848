//! What must hold for any bytes at all. The fuzz target `frames` checks it for bytes that it finds interesting.

use bytes::{Bytes, BytesMut};
use framed_echo::{
    ClientCodec, Codec, Frame, Header, Item, Limits, RequestHeader, ServerCodec,
    control::{FromClient, FromServer},
};
use tokio_util::codec::{Decoder, Encoder};

/// Cut anywhere, bytes mean the same; what was decoded encodes to the bytes it came from; control bodies round-trip.
///
/// The first byte says where to cut, the second how long a body may be.
pub(crate) fn frames(data: &[u8]) {
    let [cut, limit, wire @ ..] = data else {
        return;
    };
    let limits = Limits::same(u32::from(*limit) * 16);
    one_form(&ServerCodec::new().limits(limits), wire, usize::from(*cut));
    one_form(&ClientCodec::new().limits(limits), wire, usize::from(*cut));
}

fn one_form<In: Header + PartialEq + std::fmt::Debug, Out: Clone>(
    codec: &Codec<In, Out>,
    wire: &[u8],
    cut: usize,
) {
    let whole = items(codec.clone(), wire, wire.len().max(1));
    let pieces = items(codec.clone(), wire, cut.max(1));
    assert_eq!(whole, pieces, "in pieces of {} bytes", cut.max(1));

    let mut again = BytesMut::new();
    for item in whole {
        let Item::Frame(frame) = item else {
            return; // skipped bodies cannot be written again
        };
        control::<In>(&frame);
        let mut writer = Codec::<In>::new().limits(Limits::same(u32::MAX));
        writer
            .encode(frame, &mut again)
            .expect("it was within the limits");
    }
    assert!(wire.starts_with(&again));
}

fn items<In: Header, Out>(mut codec: Codec<In, Out>, wire: &[u8], piece: usize) -> Vec<Item<In>> {
    let mut src = BytesMut::new();
    let mut items = Vec::new();
    for piece in wire.chunks(piece) {
        src.extend_from_slice(piece);
        while let Some(item) = codec
            .decode(&mut src)
            .expect("all bytes are a stream of frames, perhaps unfinished")
        {
            items.push(item);
        }
    }
    // The end is clean exactly if nothing is unfinished.
    let is_clean = src.is_empty() && codec.is_between_frames();
    assert_eq!(codec.decode_eof(&mut src).is_ok(), is_clean);
    items
}

fn control<H: Header>(frame: &Frame<H>) {
    let (kind, body) = (frame.header.kind(), Bytes::clone(&frame.body));
    if H::LEN == RequestHeader::LEN {
        if let Some(Ok(control)) = FromClient::decode(kind, body) {
            let again = control.clone().into_request(1, 2);
            assert_eq!(FromClient::decode(kind, again.body), Some(Ok(control)));
        }
    } else if let Some(Ok(control)) = FromServer::decode(kind, body) {
        let again = control.clone().into_reply(1);
        assert_eq!(FromServer::decode(kind, again.body), Some(Ok(control)));
    }
}
