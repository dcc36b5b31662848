//! What may be done with a command when its connection breaks: the table behind every retry decision.

/// The class of a command decides whether it is sent again after a connection was lost while its reply was awaited.
///
/// Commands that certainly did not reach the server are sent again whatever their class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// Changes nothing: GET, LRANGE, INFO.
    Read,
    /// Changes data, but running it twice leaves the same data *and* the same reply: SET without options, MSET, SETEX.
    Idempotent,
    /// Running it twice leaves the same data, but the second reply may differ from the first: DEL, HSET, SADD, EXPIRE.
    Repeatable,
    /// Running it twice is not the same as running it once: INCR, LPUSH, PUBLISH, scripts, and everything unknown.
    Write,
    /// Waits on the server, and so must not stand in front of other callers' commands: BLPOP, XREAD with BLOCK.
    Blocking,
    /// Changes the state of the connection, and is replayed by the client after a reconnect: SELECT, AUTH, CLIENT SETNAME.
    Session,
    /// Would break a connection that is shared between callers: SUBSCRIBE, MULTI, MONITOR, CLIENT REPLY.
    Unshared,
}

impl Class {
    /// The class of a command by its upper-case name and its first argument (the subcommand of CLIENT, CONFIG, ...).
    ///
    /// `has_block` says that one of its arguments is the word BLOCK. Names that are not known are [`Class::Write`].
    pub(crate) fn of(name: &str, subcommand: Option<&str>, has_block: bool) -> Self {
        match name {
            "BITCOUNT"
            | "BITFIELD_RO"
            | "BITPOS"
            | "DBSIZE"
            | "DUMP"
            | "ECHO"
            | "EVALSHA_RO"
            | "EVAL_RO"
            | "EXISTS"
            | "EXPIRETIME"
            | "FCALL_RO"
            | "GEODIST"
            | "GEOHASH"
            | "GEOPOS"
            | "GEORADIUSBYMEMBER_RO"
            | "GEORADIUS_RO"
            | "GEOSEARCH"
            | "GET"
            | "GETBIT"
            | "GETRANGE"
            | "HEXISTS"
            | "HEXPIRETIME"
            | "HGET"
            | "HGETALL"
            | "HKEYS"
            | "HLEN"
            | "HMGET"
            | "HPEXPIRETIME"
            | "HPTTL"
            | "HRANDFIELD"
            | "HSCAN"
            | "HSTRLEN"
            | "HTTL"
            | "HVALS"
            | "INFO"
            | "KEYS"
            | "LASTSAVE"
            | "LCS"
            | "LINDEX"
            | "LLEN"
            | "LOLWUT"
            | "LPOS"
            | "LRANGE"
            | "MGET"
            | "PEXPIRETIME"
            | "PFCOUNT"
            | "PING"
            | "PTTL"
            | "RANDOMKEY"
            | "ROLE"
            | "SCAN"
            | "SCARD"
            | "SDIFF"
            | "SINTER"
            | "SINTERCARD"
            | "SISMEMBER"
            | "SMEMBERS"
            | "SMISMEMBER"
            | "SORT_RO"
            | "SRANDMEMBER"
            | "SSCAN"
            | "STRLEN"
            | "SUBSTR"
            | "SUNION"
            | "TIME"
            | "TOUCH"
            | "TTL"
            | "TYPE"
            | "XLEN"
            | "XPENDING"
            | "XRANGE"
            | "XREVRANGE"
            | "ZCARD"
            | "ZCOUNT"
            | "ZDIFF"
            | "ZINTER"
            | "ZINTERCARD"
            | "ZLEXCOUNT"
            | "ZMSCORE"
            | "ZRANDMEMBER"
            | "ZRANGE"
            | "ZRANGEBYLEX"
            | "ZRANGEBYSCORE"
            | "ZRANK"
            | "ZREVRANGE"
            | "ZREVRANGEBYLEX"
            | "ZREVRANGEBYSCORE"
            | "ZREVRANK"
            | "ZSCAN"
            | "ZSCORE"
            | "ZUNION" => Self::Read,
            "HMSET" | "MSET" | "PSETEX" | "SET" | "SETEX" | "SETRANGE" => Self::Idempotent,
            "DEL" | "EXPIRE" | "EXPIREAT" | "HDEL" | "HSET" | "HSETNX" | "MSETNX" | "PERSIST"
            | "PEXPIRE" | "PEXPIREAT" | "PFADD" | "SADD" | "SETBIT" | "SETNX" | "SREM"
            | "UNLINK" | "ZREM" => Self::Repeatable,
            "BLMOVE" | "BLMPOP" | "BLPOP" | "BRPOP" | "BRPOPLPUSH" | "BZMPOP" | "BZPOPMAX"
            | "BZPOPMIN" => Self::Blocking,
            "XREAD" if has_block => Self::Blocking,
            "XREAD" => Self::Read,
            "XREADGROUP" if has_block => Self::Blocking,
            "SELECT" | "AUTH" => Self::Session,
            "ASKING" | "DISCARD" | "EXEC" | "HELLO" | "MONITOR" | "MULTI" | "PSUBSCRIBE"
            | "PSYNC" | "PUNSUBSCRIBE" | "QUIT" | "READONLY" | "READWRITE" | "REPLCONF"
            | "RESET" | "SSUBSCRIBE" | "SUBSCRIBE" | "SUNSUBSCRIBE" | "SYNC" | "UNSUBSCRIBE"
            | "UNWATCH" | "WATCH" => Self::Unshared,
            "ACL" | "CLIENT" | "CLUSTER" | "COMMAND" | "CONFIG" | "FUNCTION" | "MEMORY"
            | "OBJECT" | "PUBSUB" | "SCRIPT" | "SLOWLOG" | "XINFO" => {
                Self::of_subcommand(name, subcommand.unwrap_or_default())
            }
            _ => Self::Write,
        }
    }

    fn of_subcommand(name: &str, subcommand: &str) -> Self {
        match (name, subcommand) {
            ("ACL", "CAT" | "GETUSER" | "LIST" | "USERS" | "WHOAMI")
            | ("CLIENT", "GETNAME" | "GETREDIR" | "ID" | "INFO" | "LIST" | "TRACKINGINFO")
            | (
                "CLUSTER",
                "COUNTKEYSINSLOT" | "GETKEYSINSLOT" | "INFO" | "KEYSLOT" | "LINKS" | "MYID"
                | "MYSHARDID" | "NODES",
            )
            | ("CLUSTER", "REPLICAS" | "SHARDS" | "SLAVES" | "SLOTS")
            | ("COMMAND" | "PUBSUB" | "XINFO" | "OBJECT", _)
            | ("CONFIG", "GET")
            | ("FUNCTION", "DUMP" | "LIST" | "STATS")
            | ("MEMORY", "DOCTOR" | "MALLOC-STATS" | "STATS" | "USAGE")
            | ("SCRIPT", "EXISTS")
            | ("SLOWLOG", "GET" | "LEN") => Self::Read,
            ("SCRIPT", "LOAD") => Self::Idempotent,
            ("CLIENT", "SETNAME") => Self::Session,
            ("CLIENT", "CACHING" | "REPLY" | "TRACKING") => Self::Unshared,
            _ => Self::Write,
        }
    }
}

/// Which commands are sent again after a lost connection that may have run them.
///
/// Whatever this says, a command that certainly did not reach the server is sent again, and nothing is retried after
/// its time limit. The number of attempts is bounded by [`Config::max_retries`](crate::Config::max_retries).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Nothing is sent twice, not even a command that never left this process.
    Never,
    /// Reads, and writes whose repetition changes neither data nor reply: [`Class::Read`], [`Class::Idempotent`]. The default.
    #[default]
    Safe,
    /// Also writes whose repetition leaves the same data, though the reply may be that of the second run: [`Class::Repeatable`].
    Repeatable,
    /// Everything, at the price that a command may run twice.
    Always,
}

impl Retry {
    /// Whether a command of this class, which the server may already have run, is to be sent again.
    pub(crate) fn repeats(self, class: Class) -> bool {
        match self {
            Self::Never => false,
            Self::Safe => matches!(class, Class::Read | Class::Idempotent | Class::Session),
            Self::Repeatable => matches!(
                class,
                Class::Read | Class::Idempotent | Class::Session | Class::Repeatable
            ),
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_never_repeats_a_command_that_is_not_the_same_twice() {
        for name in [
            "INCR",
            "LPUSH",
            "SPOP",
            "PUBLISH",
            "EVAL",
            "GETDEL",
            "XADD",
            "NO-SUCH-COMMAND",
            "DEL",
            "SADD",
        ] {
            assert!(
                !Retry::default().repeats(Class::of(name, None, false)),
                "{name}"
            );
        }
        for name in ["GET", "SET", "MSET", "SELECT"] {
            assert!(
                Retry::default().repeats(Class::of(name, None, false)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_stream_read_blocks_only_with_block() {
        assert_eq!(Class::of("XREAD", None, false), Class::Read);
        assert_eq!(Class::of("XREAD", None, true), Class::Blocking);
    }

    #[test]
    fn subcommands_have_classes_of_their_own() {
        assert_eq!(Class::of("CONFIG", Some("GET"), false), Class::Read);
        assert_eq!(Class::of("CONFIG", Some("SET"), false), Class::Write);
        assert_eq!(Class::of("CLIENT", Some("REPLY"), false), Class::Unshared);
        assert_eq!(Class::of("CLIENT", None, false), Class::Write);
    }
}
