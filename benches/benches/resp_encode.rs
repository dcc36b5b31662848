//! Writing replies and requests with resp-codec, and the same with the crates that it is compared with.

#![expect(missing_docs, reason = "criterion_group! writes functions without")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use resp_codec::{Frame, Version, write};

fn replies(c: &mut Criterion) {
    let mut out = BytesMut::with_capacity(1 << 20);
    let mut bench = |name: &str, work: &mut dyn FnMut(&mut BytesMut)| {
        c.bench_function(&format!("resp_encode/{name}"), |b| {
            b.iter(|| {
                out.clear();
                work(&mut out);
                black_box(out.len())
            });
        });
    };
    bench("simple string", &mut |out| {
        write::simple_string(out, black_box(b"OK"))
    });
    bench("integer", &mut |out| {
        write::integer(out, black_box(1_234_567))
    });
    bench("double", &mut |out| {
        write::double(out, Version::Resp3, black_box(1.0 / 3.0))
    });
    bench("bulk of 100", &mut |out| {
        write::bulk(out, black_box(&[b'v'; 100]))
    });
    bench("bulk of 16 KiB", &mut |out| {
        write::bulk(out, black_box(&[b'v'; 16384]))
    });
    let hash = Frame::Map(
        (0..50)
            .map(|n| (Frame::bulk(format!("field:{n}")), Frame::from(n)))
            .collect(),
    );
    bench("Frame, map of 50", &mut |out| {
        hash.write(out, Version::Resp3)
    });
}

fn request(c: &mut Criterion) {
    let (key, value) = (b"key:000000000042", [b'v'; 64]);
    let mut out = BytesMut::with_capacity(1 << 20);
    let mut group = c.benchmark_group("resp_encode/SET $64");
    group.bench_function("resp-codec", |b| {
        b.iter(|| {
            out.clear();
            write::request_header(&mut out, 3);
            [&b"SET"[..], black_box(key), black_box(&value)]
                .iter()
                .for_each(|arg| write::bulk(&mut out, arg));
            black_box(out.len())
        });
    });
    group.bench_function("redis-protocol", |b| {
        use redis_protocol::resp3::{encode::complete::extend_encode, types::BytesFrame};
        let bulk = |data: &[u8]| BytesFrame::BlobString {
            data: Bytes::copy_from_slice(data),
            attributes: None,
        };
        let frame = BytesFrame::Array {
            data: vec![bulk(b"SET"), bulk(key), bulk(&value)],
            attributes: None,
        };
        b.iter(|| {
            out.clear();
            extend_encode(&mut out, black_box(&frame), false).expect("a frame that can be written")
        });
    });
    group.bench_function("redis", |b| {
        let mut packed = Vec::new();
        b.iter(|| {
            packed.clear();
            let mut command = redis::cmd("SET");
            command
                .arg(black_box(key))
                .arg(black_box(&value))
                .write_packed_command(&mut packed);
            black_box(packed.len())
        });
    });
}

criterion_group!(benches, replies, request);
criterion_main!(benches);
