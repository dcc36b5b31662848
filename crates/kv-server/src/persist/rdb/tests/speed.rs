//! How fast files are written and read, without a disk:
//! `cargo test --release -p kv-server --lib rdb::tests::speed -- --ignored --nocapture`

use std::time::Instant;

use super::*;

#[test]
#[ignore = "measures; says nothing in a debug build"]
fn speed() {
    let noise = noise();
    let text =
        b"The quick brown fox jumps over the lazy dog, and the lazy dog sleeps on. ".repeat(2_000);
    let key = |number: usize| format!("key:{number:010}").into_bytes();
    let value = |number: usize| &noise[number % 1_000_000..][..64];
    let words = |number: usize| &text[number % 73..][..200];

    measure("1 M strings of 64 random bytes", |out| {
        (0..1_000_000).try_for_each(|number| out.string(&key(number), None, value(number)))
    });
    measure("1 M strings of 200 bytes of text", |out| {
        (0..1_000_000).try_for_each(|number| out.string(&key(number), None, words(number)))
    });
    measure("1 M integers that expire", |out| {
        (0..1_000_000_usize).try_for_each(|number| {
            out.string(
                &key(number),
                Some(1_700_000_000_000),
                number.to_string().as_bytes(),
            )
        })
    });
    measure("100 strings of 1 MB random bytes", |out| {
        (0..100)
            .try_for_each(|number| out.string(&key(number), None, &noise[number..][..1_000_000]))
    });
    measure("a hash of 1 M fields", |out| {
        let fields = (0..1_000_000).map(|number| (key(number), value(number)));
        out.hash(b"hash", None, 1_000_000, fields)
    });
    measure("a sorted set of 1 M members", |out| {
        let members = (0..1_000_000_u32).map(|number| (key(number as usize), f64::from(number)));
        out.zset(b"zset", None, 1_000_000, members)
    });
}

fn measure(name: &str, write: impl Fn(&mut Writer<Vec<u8>>) -> std::io::Result<()>) {
    for options in [true, false].map(|compress| Options {
        compress,
        ..Options::default()
    }) {
        let mut file = Vec::new();
        let mut writing = f64::INFINITY;
        let mut reading = f64::INFINITY;
        for _ in 0..3 {
            file.clear();
            let start = Instant::now();
            let mut writer = Writer::new(file, options).expect("a Vec takes everything");
            write(&mut writer).expect("a Vec takes everything");
            file = writer.finish().expect("a Vec takes everything");
            writing = writing.min(start.elapsed().as_secs_f64());

            let start = Instant::now();
            let mut reader = Reader::new(&file[..]).expect("our own file");
            let mut count = hostile::Count::default();
            while reader
                .next_with(&mut count)
                .expect("our own file")
                .is_some()
            {}
            reading = reading.min(start.elapsed().as_secs_f64());
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let megabytes = file.len() as f64 / 1e6;
        println!(
            "{name}, {}: {megabytes:.1} MB, written at {:.0} MB/s, read at {:.0} MB/s",
            if options.compress {
                "compressed"
            } else {
                "plain"
            },
            megabytes / writing,
            megabytes / reading,
        );
    }
}

/// Two million bytes that do not compress.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(2_000_000)
    .collect()
}
