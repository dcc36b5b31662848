//! DUMP and RESTORE, on one server and from one to the other.

use crate::common::Client;
use crate::compare::Rule;
use crate::generate::{self, KEYS, Line, NUMBERS, Rng};
use crate::reference::Servers;

/// What Redis 7.0 dumps: a list, sets, a hash and strings. The last ones are none.
const PAYLOADS: &[&[u8]] = &[
    b"\x12\x01\x02\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x01\x01\xdf\xfb\x02\x80\x01\xff\x0a\x00\xb6\xcf\xb1$/\xc5\xa3u",
    b"\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00,\x01\x0a\x00\xe5\x10\xb2\x8e{\x95)\xaa",
    b"\x02\x02\x01a\x01b\x0a\x00\xfed!%\xeb\x03=\x0d",
    b"\x10\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x01\x01\x81g\x02\x81x\x02\xff\x0a\x00\xf2\xc5\xd7;[\x9b\xc3Z",
    b"\x00\xc3\x092\x01aa\xe0%\x00\x01aa\x0a\x00\x09\xacH\xb9\xab\x15\xfb\xc9",
    b"\x00\xc1\xd2\x04\x0a\x00\x00\x87\x08\xa1D\x82\x5c\xed",
    b"\x00\xc1\xd2\x04\x0a\x00\x01\x87\x08\xa1D\x82\x5c\xed",
    b"\x00\xc1\xd2\x04\xff\xff\x00\x87\x08\xa1D\x82\x5c\xed",
    b"0123456789",
    b"short",
    b"",
];
/// None that comes while a sequence runs, and none that a clock overflows with.
const TTLS: &[&[u8]] = &[
    b"0",
    b"0",
    b"1000000",
    b"4102444800000",
    b"-1",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"x",
    b"",
];

impl Line<'_> {
    pub(crate) fn dump_command(&mut self) -> Rule {
        let restore = self.words("RESTORE").key().from(TTLS).from(PAYLOADS);
        restore.options(&[
            ("REPLACE", &[]),
            ("REPLACE", &[]),
            ("ABSTTL", &[]),
            ("IDLETIME", NUMBERS),
            ("FREQ", NUMBERS),
            ("NX", &[]),
        ]);
        Rule::Exact
    }
}

/// All that can be read from a key.
async fn contents(client: &mut Client, key: &[u8]) -> Vec<String> {
    let mut read = Vec::new();
    for name in [&b"TYPE"[..], b"GET", b"SMEMBERS", b"HGETALL", b"STRLEN"] {
        client.request([name, key]).await;
        let reply = client.reply().await;
        let mut lines: Vec<_> = reply.split("\r\n").map(str::to_owned).collect();
        if name != b"GET" {
            lines.sort_unstable();
        }
        read.append(&mut lines);
    }
    client.request([b"LRANGE", key, b"0", b"-1"]).await;
    read.push(client.reply().await);
    read
}

/// The payload in a bulk string, or nothing in a null.
fn payload(frame: &[u8]) -> Option<&[u8]> {
    let start = frame.iter().position(|&byte| byte == b'\n')? + 1;
    frame
        .get(start..frame.len() - 2)
        .filter(|_| frame[0] == b'$')
}

#[tokio::test]
async fn what_one_server_dumps_the_other_restores() {
    const SEQUENCES: u64 = 60;
    const LENGTH: u64 = 60;
    const COPY: &[u8] = b"a copy";
    let Some(servers) = Servers::start().await else {
        return;
    };
    let (mut ours, mut theirs) = servers.connect().await;
    let mut restored = 0;
    for seed in 0..SEQUENCES {
        let mut rng = Rng::new(seed);
        for _ in 0..LENGTH {
            let step = generate::step(&mut rng);
            ours.request(&step.args).await;
            ours.frame().await;
        }
        for key in KEYS {
            ours.request([b"DUMP", *key]).await;
            let frame = ours.frame().await;
            let Some(dumped) = payload(&frame) else {
                continue;
            };
            let expected = contents(&mut ours, key).await;
            theirs
                .request([b"RESTORE", COPY, b"0", dumped, b"REPLACE"])
                .await;
            assert_eq!(
                theirs.reply().await,
                "+OK\r\n",
                "seed {seed}: {}",
                frame.escape_ascii()
            );
            assert_eq!(
                contents(&mut theirs, COPY).await,
                expected,
                "seed {seed}, theirs"
            );
            // Theirs is another encoding of the same.
            theirs.request([b"DUMP", COPY]).await;
            let frame = theirs.frame().await;
            let dumped = payload(&frame).unwrap();
            ours.request([b"RESTORE", COPY, b"0", dumped, b"REPLACE"])
                .await;
            assert_eq!(
                ours.reply().await,
                "+OK\r\n",
                "seed {seed}: {}",
                frame.escape_ascii()
            );
            assert_eq!(
                contents(&mut ours, COPY).await,
                expected,
                "seed {seed}, ours"
            );
            restored += 1;
        }
    }
    assert!(restored > 100, "only {restored} values");
}
