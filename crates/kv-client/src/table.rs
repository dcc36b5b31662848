//! What is known of each command: a row with its name, its class and where its keys are.

use crate::class::Class::{self, Blocking, Idempotent, Read, Repeatable, Session, Unshared, Write};
use crate::keys::{
    COUNTED, COUNTED_2, GEORADIUS, KEY, KEY_2, KEY_AND_COUNTED, KEYS, KEYS_BUT_LAST, KEYS_FROM_2,
    MIGRATE, NO_KEY, PAIRS, Place, SORT, STREAMS, STREAMS_OF_GROUP, TWO_KEYS,
};

/// One command.
#[derive(Debug)]
pub(crate) struct Row {
    /// In upper case; of a subcommand, both words: `CONFIG GET`.
    pub(crate) name: &'static str,
    /// The length of the first word.
    word: usize,
    pub(crate) class: Class,
    pub(crate) keys: &'static [Place],
}

/// The row of a command that is in the table, which is checked when this is compiled.
macro_rules! row {
    ($name:literal) => {
        const { $crate::table::must_find($name) }
    };
}
pub(crate) use row;

impl Row {
    /// The command as it is sent first: of a subcommand, its container.
    pub(crate) fn word(&self) -> &'static str {
        self.name.split_at(self.word).0
    }

    /// What is sent next if this is a subcommand.
    pub(crate) fn subcommand(&self) -> Option<&'static str> {
        self.name.get(self.word + 1..)
    }
}

/// The row of a command of this name, in upper case, with this first argument, in any case.
pub(crate) fn find(name: &str, first_arg: Option<&[u8]>) -> Option<&'static Row> {
    let by_name = |name: &str| TABLE.binary_search_by(|row| row.name.cmp(name)).ok();
    let index = by_name(name).or_else(|| {
        let subcommand = std::str::from_utf8(first_arg?).ok()?;
        by_name(&format!("{name} {}", subcommand.to_ascii_uppercase()))
    })?;
    TABLE.get(index)
}

/// As [`find`], when the program is compiled.
pub(crate) const fn must_find(name: &str) -> &'static Row {
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = low.midpoint(high);
        match compare(TABLE[middle].name.as_bytes(), name.as_bytes()) {
            0 => return &TABLE[middle],
            1 => high = middle,
            _ => low = middle + 1,
        }
    }
    panic!("no such command in the table")
}

/// 0 if they are equal, 1 if `a` is greater, -1 if it is less; `Ord` is not for constants.
const fn compare(a: &[u8], b: &[u8]) -> i8 {
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return if a[at] > b[at] { 1 } else { -1 };
        }
        at += 1;
    }
    if a.len() == b.len() {
        0
    } else if a.len() > b.len() {
        1
    } else {
        -1
    }
}

const fn command(name: &'static str, class: Class, keys: &'static [Place]) -> Row {
    let (bytes, mut word) = (name.as_bytes(), 0);
    while word < bytes.len() && bytes[word] != b' ' {
        word += 1;
    }
    Row {
        name,
        word,
        class,
        keys,
    }
}

/// In the order of their names. Classes are those of the plain form; [`Class::of`] knows which options change them.
#[rustfmt::skip] // a table reads best in columns
static TABLE: &[Row] = &[
    command("ACL CAT",                       Read,       NO_KEY),
    command("ACL DELUSER",                   Write,      NO_KEY),
    command("ACL DRYRUN",                    Read,       NO_KEY),
    command("ACL GENPASS",                   Read,       NO_KEY),
    command("ACL GETUSER",                   Read,       NO_KEY),
    command("ACL HELP",                      Read,       NO_KEY),
    command("ACL LIST",                      Read,       NO_KEY),
    command("ACL LOAD",                      Write,      NO_KEY),
    command("ACL LOG",                       Write,      NO_KEY),
    command("ACL SAVE",                      Write,      NO_KEY),
    command("ACL SETUSER",                   Write,      NO_KEY),
    command("ACL USERS",                     Read,       NO_KEY),
    command("ACL WHOAMI",                    Read,       NO_KEY),
    command("APPEND",                        Write,      KEY),
    command("ASKING",                        Unshared,   NO_KEY),
    command("AUTH",                          Session,    NO_KEY),
    command("BGREWRITEAOF",                  Write,      NO_KEY),
    command("BGSAVE",                        Write,      NO_KEY),
    command("BITCOUNT",                      Read,       KEY),
    command("BITFIELD",                      Write,      KEY),
    command("BITFIELD_RO",                   Read,       KEY),
    command("BITOP",                         Write,      KEYS_FROM_2),
    command("BITPOS",                        Read,       KEY),
    command("BLMOVE",                        Blocking,   TWO_KEYS),
    command("BLMPOP",                        Blocking,   COUNTED_2),
    command("BLPOP",                         Blocking,   KEYS_BUT_LAST),
    command("BRPOP",                         Blocking,   KEYS_BUT_LAST),
    command("BRPOPLPUSH",                    Blocking,   TWO_KEYS),
    command("BZMPOP",                        Blocking,   COUNTED_2),
    command("BZPOPMAX",                      Blocking,   KEYS_BUT_LAST),
    command("BZPOPMIN",                      Blocking,   KEYS_BUT_LAST),
    command("CLIENT CACHING",                Unshared,   NO_KEY),
    command("CLIENT CAPA",                   Unshared,   NO_KEY),
    command("CLIENT GETNAME",                Read,       NO_KEY),
    command("CLIENT GETREDIR",               Read,       NO_KEY),
    command("CLIENT HELP",                   Read,       NO_KEY),
    command("CLIENT ID",                     Read,       NO_KEY),
    command("CLIENT INFO",                   Read,       NO_KEY),
    command("CLIENT KILL",                   Write,      NO_KEY),
    command("CLIENT LIST",                   Read,       NO_KEY),
    command("CLIENT NO-EVICT",               Idempotent, NO_KEY),
    command("CLIENT NO-TOUCH",               Idempotent, NO_KEY),
    command("CLIENT PAUSE",                  Write,      NO_KEY),
    command("CLIENT REPLY",                  Unshared,   NO_KEY),
    command("CLIENT SETINFO",                Idempotent, NO_KEY),
    command("CLIENT SETNAME",                Session,    NO_KEY),
    command("CLIENT TRACKING",               Unshared,   NO_KEY),
    command("CLIENT TRACKINGINFO",           Read,       NO_KEY),
    command("CLIENT UNBLOCK",                Write,      NO_KEY),
    command("CLIENT UNPAUSE",                Write,      NO_KEY),
    command("CLUSTER ADDSLOTS",              Write,      NO_KEY),
    command("CLUSTER ADDSLOTSRANGE",         Write,      NO_KEY),
    command("CLUSTER BUMPEPOCH",             Write,      NO_KEY),
    command("CLUSTER COUNT-FAILURE-REPORTS", Read,       NO_KEY),
    command("CLUSTER COUNTKEYSINSLOT",       Read,       NO_KEY),
    command("CLUSTER DELSLOTS",              Write,      NO_KEY),
    command("CLUSTER DELSLOTSRANGE",         Write,      NO_KEY),
    command("CLUSTER FAILOVER",              Write,      NO_KEY),
    command("CLUSTER FLUSHSLOTS",            Write,      NO_KEY),
    command("CLUSTER FORGET",                Write,      NO_KEY),
    command("CLUSTER GETKEYSINSLOT",         Read,       NO_KEY),
    command("CLUSTER HELP",                  Read,       NO_KEY),
    command("CLUSTER INFO",                  Read,       NO_KEY),
    command("CLUSTER KEYSLOT",               Read,       NO_KEY),
    command("CLUSTER LINKS",                 Read,       NO_KEY),
    command("CLUSTER MEET",                  Write,      NO_KEY),
    command("CLUSTER MYID",                  Read,       NO_KEY),
    command("CLUSTER MYSHARDID",             Read,       NO_KEY),
    command("CLUSTER NODES",                 Read,       NO_KEY),
    command("CLUSTER REPLICAS",              Read,       NO_KEY),
    command("CLUSTER REPLICATE",             Write,      NO_KEY),
    command("CLUSTER RESET",                 Write,      NO_KEY),
    command("CLUSTER SAVECONFIG",            Idempotent, NO_KEY),
    command("CLUSTER SET-CONFIG-EPOCH",      Write,      NO_KEY),
    command("CLUSTER SETSLOT",               Write,      NO_KEY),
    command("CLUSTER SHARDS",                Read,       NO_KEY),
    command("CLUSTER SLAVES",                Read,       NO_KEY),
    command("CLUSTER SLOT-STATS",            Read,       NO_KEY),
    command("CLUSTER SLOTS",                 Read,       NO_KEY),
    command("COMMAND",                       Read,       NO_KEY),
    command("COMMAND COUNT",                 Read,       NO_KEY),
    command("COMMAND DOCS",                  Read,       NO_KEY),
    command("COMMAND GETKEYS",               Read,       NO_KEY),
    command("COMMAND GETKEYSANDFLAGS",       Read,       NO_KEY),
    command("COMMAND HELP",                  Read,       NO_KEY),
    command("COMMAND INFO",                  Read,       NO_KEY),
    command("COMMAND LIST",                  Read,       NO_KEY),
    command("CONFIG GET",                    Read,       NO_KEY),
    command("CONFIG HELP",                   Read,       NO_KEY),
    command("CONFIG RESETSTAT",              Write,      NO_KEY),
    command("CONFIG REWRITE",                Write,      NO_KEY),
    command("CONFIG SET",                    Idempotent, NO_KEY),
    command("COPY",                          Write,      TWO_KEYS),
    command("DBSIZE",                        Read,       NO_KEY),
    command("DEBUG",                         Write,      NO_KEY),
    command("DECR",                          Write,      KEY),
    command("DECRBY",                        Write,      KEY),
    command("DEL",                           Repeatable, KEYS),
    command("DISCARD",                       Unshared,   NO_KEY),
    command("DUMP",                          Read,       KEY),
    command("ECHO",                          Read,       NO_KEY),
    command("EVAL",                          Write,      COUNTED_2),
    command("EVALSHA",                       Write,      COUNTED_2),
    command("EVALSHA_RO",                    Read,       COUNTED_2),
    command("EVAL_RO",                       Read,       COUNTED_2),
    command("EXEC",                          Unshared,   NO_KEY),
    command("EXISTS",                        Read,       KEYS),
    command("EXPIRE",                        Repeatable, KEY),
    command("EXPIREAT",                      Repeatable, KEY),
    command("EXPIRETIME",                    Read,       KEY),
    command("FAILOVER",                      Write,      NO_KEY),
    command("FCALL",                         Write,      COUNTED_2),
    command("FCALL_RO",                      Read,       COUNTED_2),
    command("FLUSHALL",                      Write,      NO_KEY),
    command("FLUSHDB",                       Write,      NO_KEY),
    command("FUNCTION DELETE",               Write,      NO_KEY),
    command("FUNCTION DUMP",                 Read,       NO_KEY),
    command("FUNCTION FLUSH",                Write,      NO_KEY),
    command("FUNCTION HELP",                 Read,       NO_KEY),
    command("FUNCTION KILL",                 Write,      NO_KEY),
    command("FUNCTION LIST",                 Read,       NO_KEY),
    command("FUNCTION LOAD",                 Write,      NO_KEY),
    command("FUNCTION RESTORE",              Write,      NO_KEY),
    command("FUNCTION STATS",                Read,       NO_KEY),
    command("GEOADD",                        Repeatable, KEY),
    command("GEODIST",                       Read,       KEY),
    command("GEOHASH",                       Read,       KEY),
    command("GEOPOS",                        Read,       KEY),
    command("GEORADIUS",                     Idempotent, GEORADIUS),
    command("GEORADIUSBYMEMBER",             Idempotent, GEORADIUS),
    command("GEORADIUSBYMEMBER_RO",          Read,       KEY),
    command("GEORADIUS_RO",                  Read,       KEY),
    command("GEOSEARCH",                     Read,       KEY),
    command("GEOSEARCHSTORE",                Write,      TWO_KEYS),
    command("GET",                           Read,       KEY),
    command("GETBIT",                        Read,       KEY),
    command("GETDEL",                        Write,      KEY),
    command("GETEX",                         Idempotent, KEY),
    command("GETRANGE",                      Read,       KEY),
    command("GETSET",                        Write,      KEY),
    command("HDEL",                          Repeatable, KEY),
    command("HELLO",                         Unshared,   NO_KEY),
    command("HEXISTS",                       Read,       KEY),
    command("HEXPIRE",                       Repeatable, KEY),
    command("HEXPIREAT",                     Repeatable, KEY),
    command("HEXPIRETIME",                   Read,       KEY),
    command("HGET",                          Read,       KEY),
    command("HGETALL",                       Read,       KEY),
    command("HGETDEL",                       Write,      KEY),
    command("HGETEX",                        Idempotent, KEY),
    command("HINCRBY",                       Write,      KEY),
    command("HINCRBYFLOAT",                  Write,      KEY),
    command("HKEYS",                         Read,       KEY),
    command("HLEN",                          Read,       KEY),
    command("HMGET",                         Read,       KEY),
    command("HMSET",                         Idempotent, KEY),
    command("HPERSIST",                      Repeatable, KEY),
    command("HPEXPIRE",                      Repeatable, KEY),
    command("HPEXPIREAT",                    Repeatable, KEY),
    command("HPEXPIRETIME",                  Read,       KEY),
    command("HPTTL",                         Read,       KEY),
    command("HRANDFIELD",                    Read,       KEY),
    command("HSCAN",                         Read,       KEY),
    command("HSET",                          Repeatable, KEY),
    command("HSETEX",                        Repeatable, KEY),
    command("HSETNX",                        Repeatable, KEY),
    command("HSTRLEN",                       Read,       KEY),
    command("HTTL",                          Read,       KEY),
    command("HVALS",                         Read,       KEY),
    command("INCR",                          Write,      KEY),
    command("INCRBY",                        Write,      KEY),
    command("INCRBYFLOAT",                   Write,      KEY),
    command("INFO",                          Read,       NO_KEY),
    command("KEYS",                          Read,       NO_KEY),
    command("LASTSAVE",                      Read,       NO_KEY),
    command("LATENCY DOCTOR",                Read,       NO_KEY),
    command("LATENCY GRAPH",                 Read,       NO_KEY),
    command("LATENCY HELP",                  Read,       NO_KEY),
    command("LATENCY HISTOGRAM",             Read,       NO_KEY),
    command("LATENCY HISTORY",               Read,       NO_KEY),
    command("LATENCY LATEST",                Read,       NO_KEY),
    command("LATENCY RESET",                 Write,      NO_KEY),
    command("LCS",                           Read,       TWO_KEYS),
    command("LINDEX",                        Read,       KEY),
    command("LINSERT",                       Write,      KEY),
    command("LLEN",                          Read,       KEY),
    command("LMOVE",                         Write,      TWO_KEYS),
    command("LMPOP",                         Write,      COUNTED),
    command("LOLWUT",                        Read,       NO_KEY),
    command("LPOP",                          Write,      KEY),
    command("LPOS",                          Read,       KEY),
    command("LPUSH",                         Write,      KEY),
    command("LPUSHX",                        Write,      KEY),
    command("LRANGE",                        Read,       KEY),
    command("LREM",                          Write,      KEY),
    command("LSET",                          Write,      KEY),
    command("LTRIM",                         Write,      KEY),
    command("MEMORY DOCTOR",                 Read,       NO_KEY),
    command("MEMORY HELP",                   Read,       NO_KEY),
    command("MEMORY MALLOC-STATS",           Read,       NO_KEY),
    command("MEMORY PURGE",                  Write,      NO_KEY),
    command("MEMORY STATS",                  Read,       NO_KEY),
    command("MEMORY USAGE",                  Read,       KEY_2),
    command("MGET",                          Read,       KEYS),
    command("MIGRATE",                       Write,      MIGRATE),
    command("MODULE HELP",                   Read,       NO_KEY),
    command("MODULE LIST",                   Read,       NO_KEY),
    command("MODULE LOAD",                   Write,      NO_KEY),
    command("MODULE LOADEX",                 Write,      NO_KEY),
    command("MODULE UNLOAD",                 Write,      NO_KEY),
    command("MONITOR",                       Unshared,   NO_KEY),
    command("MOVE",                          Write,      KEY),
    command("MSET",                          Idempotent, PAIRS),
    command("MSETNX",                        Repeatable, PAIRS),
    command("MULTI",                         Unshared,   NO_KEY),
    command("OBJECT ENCODING",               Read,       KEY_2),
    command("OBJECT FREQ",                   Read,       KEY_2),
    command("OBJECT HELP",                   Read,       NO_KEY),
    command("OBJECT IDLETIME",               Read,       KEY_2),
    command("OBJECT REFCOUNT",               Read,       KEY_2),
    command("PERSIST",                       Repeatable, KEY),
    command("PEXPIRE",                       Repeatable, KEY),
    command("PEXPIREAT",                     Repeatable, KEY),
    command("PEXPIRETIME",                   Read,       KEY),
    command("PFADD",                         Repeatable, KEY),
    command("PFCOUNT",                       Read,       KEYS),
    command("PFDEBUG",                       Write,      KEY_2),
    command("PFMERGE",                       Idempotent, KEYS),
    command("PFSELFTEST",                    Read,       NO_KEY),
    command("PING",                          Read,       NO_KEY),
    command("PSETEX",                        Idempotent, KEY),
    command("PSUBSCRIBE",                    Unshared,   NO_KEY),
    command("PSYNC",                         Unshared,   NO_KEY),
    command("PTTL",                          Read,       KEY),
    command("PUBLISH",                       Write,      NO_KEY),
    command("PUBSUB CHANNELS",               Read,       NO_KEY),
    command("PUBSUB HELP",                   Read,       NO_KEY),
    command("PUBSUB NUMPAT",                 Read,       NO_KEY),
    command("PUBSUB NUMSUB",                 Read,       NO_KEY),
    command("PUBSUB SHARDCHANNELS",          Read,       NO_KEY),
    command("PUBSUB SHARDNUMSUB",            Read,       NO_KEY),
    command("PUNSUBSCRIBE",                  Unshared,   NO_KEY),
    command("QUIT",                          Unshared,   NO_KEY),
    command("RANDOMKEY",                     Read,       NO_KEY),
    command("READONLY",                      Unshared,   NO_KEY),
    command("READWRITE",                     Unshared,   NO_KEY),
    command("RENAME",                        Write,      TWO_KEYS),
    command("RENAMENX",                      Write,      TWO_KEYS),
    command("REPLCONF",                      Unshared,   NO_KEY),
    command("REPLICAOF",                     Write,      NO_KEY),
    command("RESET",                         Unshared,   NO_KEY),
    command("RESTORE",                       Write,      KEY),
    command("RESTORE-ASKING",                Write,      KEY),
    command("ROLE",                          Read,       NO_KEY),
    command("RPOP",                          Write,      KEY),
    command("RPOPLPUSH",                     Write,      TWO_KEYS),
    command("RPUSH",                         Write,      KEY),
    command("RPUSHX",                        Write,      KEY),
    command("SADD",                          Repeatable, KEY),
    command("SAVE",                          Write,      NO_KEY),
    command("SCAN",                          Read,       NO_KEY),
    command("SCARD",                         Read,       KEY),
    command("SCRIPT DEBUG",                  Unshared,   NO_KEY),
    command("SCRIPT EXISTS",                 Read,       NO_KEY),
    command("SCRIPT FLUSH",                  Write,      NO_KEY),
    command("SCRIPT HELP",                   Read,       NO_KEY),
    command("SCRIPT KILL",                   Write,      NO_KEY),
    command("SCRIPT LOAD",                   Idempotent, NO_KEY),
    command("SCRIPT SHOW",                   Read,       NO_KEY),
    command("SDIFF",                         Read,       KEYS),
    command("SDIFFSTORE",                    Write,      KEYS),
    command("SELECT",                        Session,    NO_KEY),
    command("SET",                           Idempotent, KEY),
    command("SETBIT",                        Repeatable, KEY),
    command("SETEX",                         Idempotent, KEY),
    command("SETNX",                         Repeatable, KEY),
    command("SETRANGE",                      Idempotent, KEY),
    command("SHUTDOWN",                      Write,      NO_KEY),
    command("SINTER",                        Read,       KEYS),
    command("SINTERCARD",                    Read,       COUNTED),
    command("SINTERSTORE",                   Write,      KEYS),
    command("SISMEMBER",                     Read,       KEY),
    command("SLAVEOF",                       Write,      NO_KEY),
    command("SLOWLOG GET",                   Read,       NO_KEY),
    command("SLOWLOG HELP",                  Read,       NO_KEY),
    command("SLOWLOG LEN",                   Read,       NO_KEY),
    command("SLOWLOG RESET",                 Write,      NO_KEY),
    command("SMEMBERS",                      Read,       KEY),
    command("SMISMEMBER",                    Read,       KEY),
    command("SMOVE",                         Write,      TWO_KEYS),
    command("SORT",                          Idempotent, SORT),
    command("SORT_RO",                       Read,       KEY),
    command("SPOP",                          Write,      KEY),
    command("SPUBLISH",                      Write,      KEY),
    command("SRANDMEMBER",                   Read,       KEY),
    command("SREM",                          Repeatable, KEY),
    command("SSCAN",                         Read,       KEY),
    command("SSUBSCRIBE",                    Unshared,   KEYS),
    command("STRLEN",                        Read,       KEY),
    command("SUBSCRIBE",                     Unshared,   NO_KEY),
    command("SUBSTR",                        Read,       KEY),
    command("SUNION",                        Read,       KEYS),
    command("SUNIONSTORE",                   Write,      KEYS),
    command("SUNSUBSCRIBE",                  Unshared,   KEYS),
    command("SWAPDB",                        Write,      NO_KEY),
    command("SYNC",                          Unshared,   NO_KEY),
    command("TIME",                          Read,       NO_KEY),
    command("TOUCH",                         Read,       KEYS),
    command("TTL",                           Read,       KEY),
    command("TYPE",                          Read,       KEY),
    command("UNLINK",                        Repeatable, KEYS),
    command("UNSUBSCRIBE",                   Unshared,   NO_KEY),
    command("UNWATCH",                       Unshared,   NO_KEY),
    command("WAIT",                          Write,      NO_KEY),
    command("WAITAOF",                       Write,      NO_KEY),
    command("WATCH",                         Unshared,   KEYS),
    command("XACK",                          Repeatable, KEY),
    command("XADD",                          Write,      KEY),
    command("XAUTOCLAIM",                    Write,      KEY),
    command("XCLAIM",                        Write,      KEY),
    command("XDEL",                          Repeatable, KEY),
    command("XGROUP CREATE",                 Write,      KEY_2),
    command("XGROUP CREATECONSUMER",         Repeatable, KEY_2),
    command("XGROUP DELCONSUMER",            Repeatable, KEY_2),
    command("XGROUP DESTROY",                Repeatable, KEY_2),
    command("XGROUP HELP",                   Read,       NO_KEY),
    command("XGROUP SETID",                  Write,      KEY_2),
    command("XINFO CONSUMERS",               Read,       KEY_2),
    command("XINFO GROUPS",                  Read,       KEY_2),
    command("XINFO HELP",                    Read,       NO_KEY),
    command("XINFO STREAM",                  Read,       KEY_2),
    command("XLEN",                          Read,       KEY),
    command("XPENDING",                      Read,       KEY),
    command("XRANGE",                        Read,       KEY),
    command("XREAD",                         Read,       STREAMS),
    command("XREADGROUP",                    Write,      STREAMS_OF_GROUP),
    command("XREVRANGE",                     Read,       KEY),
    command("XSETID",                        Write,      KEY),
    command("XTRIM",                         Write,      KEY),
    command("ZADD",                          Repeatable, KEY),
    command("ZCARD",                         Read,       KEY),
    command("ZCOUNT",                        Read,       KEY),
    command("ZDIFF",                         Read,       COUNTED),
    command("ZDIFFSTORE",                    Write,      KEY_AND_COUNTED),
    command("ZINCRBY",                       Write,      KEY),
    command("ZINTER",                        Read,       COUNTED),
    command("ZINTERCARD",                    Read,       COUNTED),
    command("ZINTERSTORE",                   Write,      KEY_AND_COUNTED),
    command("ZLEXCOUNT",                     Read,       KEY),
    command("ZMPOP",                         Write,      COUNTED),
    command("ZMSCORE",                       Read,       KEY),
    command("ZPOPMAX",                       Write,      KEY),
    command("ZPOPMIN",                       Write,      KEY),
    command("ZRANDMEMBER",                   Read,       KEY),
    command("ZRANGE",                        Read,       KEY),
    command("ZRANGEBYLEX",                   Read,       KEY),
    command("ZRANGEBYSCORE",                 Read,       KEY),
    command("ZRANGESTORE",                   Write,      TWO_KEYS),
    command("ZRANK",                         Read,       KEY),
    command("ZREM",                          Repeatable, KEY),
    command("ZREMRANGEBYLEX",                Write,      KEY),
    command("ZREMRANGEBYRANK",               Write,      KEY),
    command("ZREMRANGEBYSCORE",              Write,      KEY),
    command("ZREVRANGE",                     Read,       KEY),
    command("ZREVRANGEBYLEX",                Read,       KEY),
    command("ZREVRANGEBYSCORE",              Read,       KEY),
    command("ZREVRANK",                      Read,       KEY),
    command("ZSCAN",                         Read,       KEY),
    command("ZSCORE",                        Read,       KEY),
    command("ZUNION",                        Read,       COUNTED),
    command("ZUNIONSTORE",                   Write,      KEY_AND_COUNTED),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn a_subcommand_is_found_by_both_of_its_words_in_any_case() {
        let row = find("CONFIG", Some(b"get")).unwrap();
        assert_eq!((row.word(), row.subcommand()), ("CONFIG", Some("GET")));
        assert_eq!(
            (row!("GET").word(), row!("GET").subcommand()),
            ("GET", None)
        );
        assert!(find("CONFIG", Some(b"NOPE")).is_none());
        assert!(find("CONFIG", None).is_none());
        assert_eq!(find("GET", Some(b"\xff")).unwrap().word(), "GET");
    }
}
