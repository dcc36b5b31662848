//! Properties of the codec that hold for all frames and all ways to cut them.

use bytes::{Bytes, BytesMut};
use framed_echo::control::{FromClient, FromServer};
use framed_echo::{Item, Kind, Limits, ReplyHeader, Request, RequestCodec, RequestHeader};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

mod laws;

const LIMIT: u32 = 300;

fn request() -> impl Strategy<Value = Request> {
    let body = prop::collection::vec(any::<u8>(), 0..600);
    (any::<u32>(), any::<u32>(), any::<u8>(), body)
        .prop_map(|(sender, receiver, kind, body)| Request::new(sender, receiver, Kind(kind), body))
}

fn encode(requests: &[Request]) -> BytesMut {
    let mut wire = BytesMut::new();
    for request in requests {
        let codec = &mut RequestCodec::new();
        codec
            .encode(request.clone(), &mut wire)
            .expect("within the default limits");
    }
    wire
}

/// Feeds `wire` to the codec in pieces of the given sizes, over and over.
fn decode(mut codec: RequestCodec, wire: &[u8], sizes: &[usize]) -> Vec<Item<RequestHeader>> {
    let (mut rest, mut src, mut items) = (wire, BytesMut::new(), Vec::new());
    for size in sizes.iter().cycle() {
        let (piece, behind) = rest.split_at((*size).min(rest.len()));
        src.extend_from_slice(piece);
        rest = behind;
        while let Some(item) = codec
            .decode(&mut src)
            .expect("every byte string is a stream of frames")
        {
            items.push(item);
        }
        if rest.is_empty() {
            break;
        }
    }
    assert!(
        codec
            .decode_eof(&mut src)
            .expect("ends with a whole frame")
            .is_none()
    );
    items
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_keep_the_laws(data in prop::collection::vec(any::<u8>(), 0..200)) {
        laws::frames(&data);
    }

    #[test]
    fn frames_and_half_frames_keep_the_laws(
        head in any::<[u8; 2]>(),
        requests in prop::collection::vec(request(), 0..5),
        keep in any::<prop::sample::Index>(),
    ) {
        let wire = encode(&requests);
        laws::frames(&[&head[..], &wire[..keep.index(wire.len() + 1)]].concat());
    }

    #[test]
    fn what_is_encoded_is_decoded_however_it_is_cut(
        requests in prop::collection::vec(request(), 0..8),
        sizes in prop::collection::vec(1_usize..700, 1..10),
    ) {
        let items = decode(RequestCodec::new(), &encode(&requests), &sizes);
        prop_assert_eq!(items, requests.into_iter().map(Item::Frame).collect::<Vec<_>>());
    }

    #[test]
    fn frames_over_the_limit_are_named_and_the_others_survive(
        requests in prop::collection::vec(request(), 0..8),
        sizes in prop::collection::vec(1_usize..700, 1..10),
    ) {
        let mut limits = Limits::same(LIMIT);
        for kind in 128..=255 {
            limits = limits.with(Kind(kind), LIMIT);
        }
        let items = decode(RequestCodec::new().limits(limits), &encode(&requests), &sizes);
        prop_assert_eq!(items.len(), requests.len());
        for (item, request) in items.into_iter().zip(requests) {
            let len = u32::try_from(request.body.len()).expect("short");
            if len > LIMIT {
                prop_assert_eq!(item, Item::TooLong { header: request.header, len, max: LIMIT });
            } else {
                prop_assert_eq!(item, Item::Frame(request));
            }
        }
    }

    #[test]
    fn chunks_add_up_to_the_body(
        requests in prop::collection::vec(request(), 0..8),
        sizes in prop::collection::vec(1_usize..700, 1..10),
        chunk_bytes in 0_u32..200,
    ) {
        let mut whole: Vec<Request> = Vec::new();
        for item in decode(RequestCodec::new().chunked(chunk_bytes), &encode(&requests), &sizes) {
            match item {
                Item::Frame(frame) => whole.push(frame),
                Item::Start { header, len } => {
                    prop_assert!(len > chunk_bytes.max(1));
                    whole.push(Request { header, body: Bytes::new() });
                }
                Item::Chunk { bytes, .. } => {
                    prop_assert!(!bytes.is_empty() && bytes.len() <= chunk_bytes.max(1) as usize);
                    let frame = whole.last_mut().expect("a start came first");
                    frame.body = [&frame.body[..], &bytes[..]].concat().into();
                }
                Item::TooLong { .. } => prop_assert!(false, "within the limits"),
            }
        }
        prop_assert_eq!(whole, requests);
    }

    #[test]
    fn no_body_makes_the_control_frames_panic(kind in 128_u8.., body in prop::collection::vec(any::<u8>(), 0..80)) {
        let (kind, body) = (Kind(kind), Bytes::from(body));
        if let Some(Ok(control)) = FromClient::decode(kind, body.clone()) {
            let again = control.clone().into_request(1, 2);
            prop_assert_eq!(FromClient::decode(kind, again.body), Some(Ok(control)));
        }
        if let Some(Ok(control)) = FromServer::decode(kind, body) {
            let again = control.clone().into_reply(1);
            prop_assert_eq!(again.header, ReplyHeader { sender: 1, kind });
            prop_assert_eq!(FromServer::decode(kind, again.body), Some(Ok(control)));
        }
    }
}
