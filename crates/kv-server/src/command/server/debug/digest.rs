//! DEBUG DIGEST: the same digest that Redis computes of the same data.

use resp_codec::number::{F64_LEN, I64_LEN, format_f64};

use crate::keyspace::Db;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::table::Entry as _;
use crate::sha1::{Digest, sha1};
use crate::value::stream::Id;
use crate::value::{Item, Value};

/// The types by the numbers that go into a digest.
mod kind {
    pub(super) const STRING: u32 = 0;
    pub(super) const LIST: u32 = 1;
    pub(super) const SET: u32 = 2;
    pub(super) const ZSET: u32 = 3;
    pub(super) const HASH: u32 = 4;
    pub(super) const STREAM: u32 = 6;
}

/// Adds what comes in any order.
fn xor(digest: &mut Digest, data: &[u8]) {
    add(digest, &sha1(data));
}

fn add(digest: &mut Digest, other: &Digest) {
    digest
        .iter_mut()
        .zip(other)
        .for_each(|(byte, other)| *byte ^= other);
}

/// Adds what comes in a certain order.
fn mix(digest: &mut Digest, data: &[u8]) {
    xor(digest, data);
    *digest = sha1(digest);
}

fn mix_item(digest: &mut Digest, item: Item<'_>) {
    mix(digest, item.bytes(&mut [0; I64_LEN]));
}

/// Adds a value, without its key.
fn add_value(digest: &mut Digest, entry: &Entry) {
    let kind = match entry.value() {
        None | Some(Value::String(_)) => kind::STRING,
        Some(Value::List(_)) => kind::LIST,
        Some(Value::Set(_)) => kind::SET,
        Some(Value::Zset(_)) => kind::ZSET,
        Some(Value::Hash(_)) => kind::HASH,
        Some(Value::Stream(_)) => kind::STREAM,
    };
    mix(digest, &kind.to_be_bytes());
    match entry.value() {
        None | Some(Value::String(_)) => mix(digest, entry.as_string().unwrap_or_default()),
        Some(Value::List(list)) => list.for_each(|item| mix_item(digest, item)),
        Some(Value::Set(set)) => set
            .iter()
            .for_each(|member| xor(digest, member.bytes(&mut [0; I64_LEN]))),
        Some(Value::Hash(hash)) => {
            for (field, value) in hash.iter() {
                let mut pair = Digest::default();
                mix_item(&mut pair, field);
                mix_item(&mut pair, value);
                xor(digest, &pair);
            }
        }
        Some(Value::Zset(zset)) => {
            for (member, score) in zset.iter() {
                let mut pair = Digest::default();
                mix_item(&mut pair, member);
                // Redis writes 17 digits here; these are the fewest that give the same number back.
                mix(&mut pair, format_f64(score, &mut [0; F64_LEN]));
                xor(digest, &pair);
            }
        }
        // Redis leaves the groups out too.
        Some(Value::Stream(stream)) => {
            for entry in stream.log.range(Id::MIN, Id::MAX) {
                mix(
                    digest,
                    format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes(),
                );
                for (field, value) in entry.fields() {
                    mix_item(digest, field);
                    mix_item(digest, value);
                }
            }
        }
    }
    if entry.expire_at() != NEVER {
        xor(digest, b"!!expire!!");
    }
}

/// The digest of one value; zeros if there is none.
pub(super) fn of_value(entry: Option<&Entry>) -> Digest {
    let mut digest = Digest::default();
    if let Some(entry) = entry {
        add_value(&mut digest, entry);
    }
    digest
}

/// The digest of all databases.
pub(super) fn of_all<'d>(dbs: impl Iterator<Item = (usize, &'d mut Db)>) -> Digest {
    let mut all = Digest::default();
    for (number, db) in dbs.filter(|(_, db)| db.len() > 0) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        mix(&mut all, &number.to_be_bytes());
        for entry in db.iter() {
            let mut digest = Digest::default();
            mix(&mut digest, entry.key());
            add_value(&mut digest, entry);
            xor(&mut all, &digest);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use crate::Server;
    use crate::reference::{Reference, Reply};

    #[tokio::test]
    async fn a_digest_is_the_one_that_redis_computes() {
        let Some(mut redis) = Reference::start(None) else {
            return;
        };
        let builder = Server::builder().directive("enable-debug-command", &["yes"]);
        let server = builder.unwrap().start().await.unwrap();
        let mut io = server.connect();
        for line in [
            "SET text value",
            "SET number 12345 EX 1000",
            "RPUSH list a 1 b",
            "SADD ints 1 2 3",
            "SADD set a b 3",
            "ZADD zset 1 a 2.5 b -inf c",
            "HSET hash f 1 g x",
            "XADD stream 1-2 f 1 g x",
            "XADD stream 3-4 h y",
            "SELECT 5",
            "SET text value",
            "SELECT 0",
        ] {
            io.write_all(format!("{line}\r\n").as_bytes())
                .await
                .unwrap();
            redis.call(line.split(' ').collect::<Vec<_>>());
        }
        let Reply::Simple(digest) = redis.call(["DEBUG", "DIGEST"]) else {
            panic!("DEBUG DIGEST failed");
        };
        let values = redis.call(["DEBUG", "DIGEST-VALUE", "list", "none", "set"]);
        let values = values.array().into_iter().map(|value| match value {
            Reply::Simple(value) => format!("+{value}\r\n"),
            other => panic!("{other:?}"),
        });
        let expected = format!("+{digest}\r\n*3\r\n{}+OK\r\n", values.collect::<String>());
        io.write_all(b"DEBUG DIGEST\r\nDEBUG DIGEST-VALUE list none set\r\nQUIT\r\n")
            .await
            .unwrap();
        let mut replies = String::new();
        io.read_to_string(&mut replies).await.unwrap();
        assert!(replies.ends_with(&expected), "{replies}\n{expected}");
    }
}
