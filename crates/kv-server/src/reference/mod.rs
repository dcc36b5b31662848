//! A real `redis-server` to compare with, for tests.

mod process;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use self::process::RedisProcess;

/// A server of its own, with a connection to it. Both go with the value.
pub(crate) struct Reference {
    process: RedisProcess,
    connection: BufReader<UnixStream>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Self>),
}

impl Reference {
    /// Starts a server that loads `dump`, if given; see [`RedisProcess::start`].
    pub(crate) fn start(dump: Option<&[u8]>) -> Option<Self> {
        let args = [
            "--enable-debug-command",
            "yes",
            "--sanitize-dump-payload",
            "yes",
        ];
        let process = RedisProcess::start(&args, dump)?;
        let connection = UnixStream::connect(process.dir().join("socket"));
        Some(Self {
            process,
            connection: BufReader::new(connection.expect("the server's socket")),
        })
    }

    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, command: impl AsRef<[A]>) -> Reply {
        let mut request = format!("*{}\r\n", command.as_ref().len()).into_bytes();
        for argument in command.as_ref() {
            let argument = argument.as_ref();
            request.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            request.extend_from_slice(argument);
            request.extend_from_slice(b"\r\n");
        }
        self.connection
            .get_mut()
            .write_all(&request)
            .expect("a connected server");
        self.reply()
    }

    /// What the server saves now.
    pub(crate) fn save(&mut self) -> Vec<u8> {
        assert_eq!(self.call(["SAVE"]), Reply::Simple("OK".into()));
        fs::read(self.process.dir().join("dump.rdb")).expect("the file just saved")
    }

    fn reply(&mut self) -> Reply {
        let mut line = String::new();
        self.connection.read_line(&mut line).expect("a reply");
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().expect("a number");
        match kind {
            "+" => Reply::Simple(rest.into()),
            "-" => Reply::Error(rest.into()),
            ":" => Reply::Integer(number()),
            "$" => match usize::try_from(number()) {
                Ok(len) => {
                    let mut bytes = vec![0; len + 2];
                    self.connection
                        .read_exact(&mut bytes)
                        .expect("the whole string");
                    bytes.truncate(len);
                    Reply::Bulk(bytes)
                }
                Err(_) => Reply::Null,
            },
            "*" if number() < 0 => Reply::Null,
            "*" => Reply::Array((0..number()).map(|_| self.reply()).collect()),
            other => panic!("a reply of an unknown kind {other:?}"),
        }
    }
}

impl Reply {
    pub(crate) fn bulk(text: impl AsRef<[u8]>) -> Self {
        Self::Bulk(text.as_ref().to_vec())
    }

    pub(crate) fn array(self) -> Vec<Self> {
        match self {
            Self::Array(elements) => elements,
            other => panic!("{other:?} is not an array"),
        }
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bulk(bytes) => bytes,
            other => panic!("{other:?} is not a bulk string"),
        }
    }
}
