//! What may be done with a command when its connection breaks.

use crate::patience;
use crate::request::Request;
use crate::table::Row;

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
    /// The class of a command with its arguments: that of its row, unless an option says otherwise.
    pub(crate) fn of(row: &Row, request: &Request) -> Self {
        let options = |first: usize, words: &[&str]| {
            request.args().skip(first).any(|arg| {
                let mut words = words.iter();
                words.any(|word| arg.eq_ignore_ascii_case(word.as_bytes()))
            })
        };
        match row.word() {
            "XREAD" | "XREADGROUP" if patience::block(request).is_some() => Self::Blocking,
            // The reply of the second run would be another one.
            "SET" if options(2, &["GET"]) => Self::Write,
            "SET" if options(2, &["NX"]) => Self::Repeatable,
            "GETEX" | "HGETEX" if request.args().count() > 1 => Self::Repeatable,
            "SORT" | "GEORADIUS" | "GEORADIUSBYMEMBER" if options(1, &["STORE", "STOREDIST"]) => {
                Self::Write
            }
            "ZADD" if options(1, &["INCR"]) => Self::Write,
            "EXPIRE" | "EXPIREAT" | "PEXPIRE" | "PEXPIREAT" | "HEXPIRE" | "HEXPIREAT"
            | "HPEXPIRE" | "HPEXPIREAT"
                if options(2, &["NX", "GT", "LT"]) =>
            {
                Self::Write
            }
            _ => row.class,
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

    fn class(line: &str) -> Class {
        let mut words = line.split(' ');
        let mut request = Request::new(words.next().unwrap_or_default().to_owned());
        words.for_each(|word| request.push(word.as_bytes()));
        request.class()
    }

    #[test]
    fn the_default_never_repeats_a_command_that_is_not_the_same_twice() {
        for line in [
            "INCR k",
            "LPUSH k v",
            "SPOP k",
            "PUBLISH c m",
            "EVAL x 0",
            "GETDEL k",
            "XADD k * a b",
            "NO-SUCH-COMMAND",
            "DEL k",
            "SADD k m",
            "SET k v NX",
            "SET k v EX 9 get",
            "SORT k STORE d",
            "ZADD k INCR 1 m",
        ] {
            assert!(!Retry::default().repeats(class(line)), "{line}");
        }
        for line in [
            "GET k",
            "SET k GET",
            "SET k v EX 9",
            "MSET k v",
            "SELECT 1",
            "SORT k",
        ] {
            assert!(Retry::default().repeats(class(line)), "{line}");
        }
    }

    #[test]
    fn a_stream_read_blocks_only_with_block() {
        assert_eq!(class("XREAD STREAMS s 0"), Class::Read);
        assert_eq!(class("XREAD block 0 STREAMS s 0"), Class::Blocking);
        assert_eq!(class("XREAD STREAMS block 0"), Class::Read);
        let read_group = |options: &str| class(&format!("XREADGROUP GROUP block c {options}"));
        assert_eq!(read_group("STREAMS block >"), Class::Write);
        assert_eq!(read_group("COUNT 1 BLOCK 0 STREAMS s >"), Class::Blocking);
    }

    #[test]
    fn subcommands_have_classes_of_their_own() {
        assert_eq!(class("CONFIG get x"), Class::Read);
        assert_eq!(class("CONFIG RESETSTAT"), Class::Write);
        assert_eq!(class("CLIENT REPLY"), Class::Unshared);
        assert_eq!(class("CLIENT"), Class::Write);
    }
}
