//! What decoding allocates, counted: nothing for a request, and never more than the bytes that have arrived justify.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use bytes::BytesMut;
use resp_codec::{Frame, FrameDecoder, Limits, RequestDecoder, RespCodec, Version, write};
use tokio_util::codec::Decoder;

/// Counts what the calling thread allocates.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn grow(bytes: usize) {
    CALLS.set(CALLS.get() + 1);
    LIVE.set(LIVE.get().wrapping_add(bytes)); // wraps where another thread frees
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call goes to `System` unchanged; the counters are plain thread-local cells that allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocations that `work` makes, and the most bytes of them alive at once.
fn measure<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    LIVE.set(0);
    PEAK.set(0);
    let before = CALLS.get();
    let value = work();
    (CALLS.get() - before, PEAK.get(), value)
}

/// Bytes alive per byte of input, at most: an element takes three bytes on the wire, and a `Frame` of 40 bytes, a
/// tape entry of 16 and the same again while a vector doubles.
const PER_BYTE: usize = 40;
/// What a decoder may hold whatever the input: the stack of open aggregates, and the smallest vectors.
const ALWAYS: usize = 64 * 1024;

fn hostile() -> Vec<(String, Vec<u8>)> {
    let header = |text: &str| (text.to_owned(), format!("{text}\r\n").into_bytes());
    let mut inputs: Vec<_> = ["$", "*", "%", "~", ">", "|", "=", "!"]
        .iter()
        .flat_map(|kind| {
            [
                "1000000",
                "536870912",
                "1073741823",
                "2147483647",
                "9223372036854775807",
            ]
            .map(|n| header(&format!("{kind}{n}")))
        })
        .collect();
    let many =
        |name: &str, piece: &str, count: usize| (name.to_owned(), piece.repeat(count).into_bytes());
    inputs.extend([
        many("nested arrays", "*1\r\n", 100_000),
        many("nested headers that announce much", "*1000000\r\n", 120),
        many("nested attributes", "|1000000\r\n", 120),
        many("nested streamed arrays", "*?\r\n", 120),
        (
            "nulls".to_owned(),
            format!("*100000\r\n{}", "_\r\n".repeat(100_000)).into_bytes(),
        ),
        (
            "streamed nulls".to_owned(),
            format!("*?\r\n{}.\r\n", "_\r\n".repeat(100_000)).into_bytes(),
        ),
        (
            "empty arrays".to_owned(),
            format!("*100000\r\n{}", "*0\r\n".repeat(100_000)).into_bytes(),
        ),
        (
            "pairs of nulls".to_owned(),
            format!("%50000\r\n{}", "_\r\n".repeat(100_000)).into_bytes(),
        ),
        (
            "empty attributes".to_owned(),
            format!("*20000\r\n{}", "|0\r\n_\r\n".repeat(20_000)).into_bytes(),
        ),
        (
            "one-byte chunks".to_owned(),
            format!("$?\r\n{};0\r\n", ";1\r\nx\r\n".repeat(50_000)).into_bytes(),
        ),
        (
            "empty arguments".to_owned(),
            format!("*100000\r\n{}", "$0\r\n\r\n".repeat(100_000)).into_bytes(),
        ),
        (
            "one-byte words".to_owned(),
            format!("{}\r\n", "a ".repeat(30_000)).into_bytes(),
        ),
        ("an endless line".to_owned(), vec![b'x'; 70_000]),
        (
            "an endless number".to_owned(),
            [&b":"[..], &[b'1'; 70_000]].concat(),
        ),
    ]);
    inputs
}

#[test]
fn what_is_held_stays_in_proportion_to_what_has_arrived() {
    for (name, wire) in hostile() {
        let bound = wire.len() * PER_BYTE + ALWAYS;
        for piece in [wire.len(), 4096] {
            let ends = || {
                (1..)
                    .map(|n| n * piece)
                    .take_while(|end| *end < wire.len())
                    .chain([wire.len()])
            };

            let (_, peak, _) = measure(|| {
                let mut decoder = FrameDecoder::new(Limits::client());
                ends().find_map(|end| {
                    decoder
                        .decode(&wire[..end])
                        .transpose()
                        .map(|done| done.map(|view| view.to_frame()))
                })
            });
            assert!(
                peak <= bound,
                "{name}: a frame decoder held {peak} bytes for {} of input",
                wire.len()
            );

            for nested in [false, true] {
                let mut buffer = wire.clone();
                let (_, peak, _) = measure(|| {
                    let mut args = Vec::new();
                    let mut decoder = RequestDecoder::new(Limits::server()).nested(nested);
                    ends().find_map(|end| decoder.decode(&mut buffer[..end], &mut args).transpose())
                });
                assert!(
                    peak <= bound,
                    "{name}: a request decoder held {peak} bytes for {} of input",
                    wire.len()
                );
            }

            let (_, peak, _) = measure(|| {
                let (mut codec, mut buffer) = (RespCodec::new(Version::Resp3), BytesMut::new());
                wire.chunks(piece).find_map(|chunk| {
                    buffer.extend_from_slice(chunk);
                    codec.decode(&mut buffer).transpose()
                })
            });
            // The buffer itself, doubled while it grows.
            let bound = bound + 3 * wire.len();
            assert!(
                peak <= bound,
                "{name}: a codec held {peak} bytes for {} of input",
                wire.len()
            );
        }
    }
}

#[test]
fn a_request_costs_no_allocation() {
    let mut wire = BytesMut::new();
    for _ in 0..100 {
        write::request_header(&mut wire, 3);
        [&b"SET"[..], b"key:000000000042", &[b'v'; 100]]
            .iter()
            .for_each(|arg| write::bulk(&mut wire, arg));
        wire.extend_from_slice(b"SET inline \"quoted value\"\r\n");
    }
    let mut decoder = RequestDecoder::new(Limits::server());
    let mut args = Vec::with_capacity(600);
    let (calls, _, ()) = measure(|| {
        let mut rest = &mut wire[..];
        while !rest.is_empty() {
            let used = decoder.decode(rest, &mut args).unwrap().unwrap();
            rest = &mut rest[used..];
        }
    });
    assert_eq!((calls, args.len()), (0, 600));
}

#[test]
fn a_reply_read_through_a_warm_decoder_costs_no_allocation() {
    let mut wire = BytesMut::new();
    Frame::array(
        (0..100).map(|n| Frame::array([Frame::bulk("member"), Frame::Double(f64::from(n))])),
    )
    .write(&mut wire, Version::Resp3);
    let mut decoder = FrameDecoder::new(Limits::client());
    decoder.decode(&wire).unwrap().unwrap();
    let (calls, _, sum) = measure(|| {
        let view = decoder.decode(&wire).unwrap().unwrap();
        view.children()
            .filter_map(|pair| pair.children().nth(1)?.as_f64())
            .sum::<f64>()
    });
    assert_eq!((calls, sum), (0, 4950.0));
}

#[test]
fn a_decoder_gives_the_memory_of_a_large_frame_back() {
    let wire = format!("*1000000\r\n{}", "_\r\n".repeat(1_000_000));
    for next in ["+OK\r\n", "+OK\r\nand more", "*1\r\n:1\r\n"] {
        let (_, _, (decoder, held)) = measure(|| {
            let mut decoder = FrameDecoder::new(Limits::client());
            assert!(decoder.decode(wire.as_bytes()).unwrap().is_some());
            assert!(LIVE.get() > 1_000_000, "the tape is counted");
            assert!(decoder.decode(next.as_bytes()).unwrap().is_some());
            (decoder, LIVE.get())
        });
        assert!(
            held <= 128 * 1024,
            "{held} bytes are still held after {next:?}"
        );
        drop(decoder);
    }
}
