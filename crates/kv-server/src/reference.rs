//! A real `redis-server` to compare with, for tests.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A server of its own in a directory of its own, with a connection to it. Both go with the value.
pub(crate) struct Reference {
    child: Child,
    dir: PathBuf,
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
    /// Starts a server that loads `dump`, if given; `None`, with a line to say so, where there is no `redis-server`.
    ///
    /// # Panics
    ///
    /// Panics with the server's log if it does not start, for instance because it rejects the file.
    pub(crate) fn start(dump: Option<&[u8]>) -> Option<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("kv-server-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for the server");
        if let Some(dump) = dump {
            fs::write(dir.join("dump.rdb"), dump).expect("the file to load");
        }
        let spawned = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--unixsocket",
                "socket",
                "--save",
                "",
                "--enable-debug-command",
                "yes",
            ])
            .args(["--sanitize-dump-payload", "yes"])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else {
            eprintln!("skipped: there is no redis-server");
            fs::remove_dir_all(&dir).expect("the directory made above");
            return None;
        };
        let mut log = BufReader::new(child.stdout.take().expect("a piped output"));
        let mut read = String::new();
        while !read.contains("eady to accept connections") {
            if log.read_line(&mut read).expect("the server's log") == 0 {
                let status = child.wait();
                fs::remove_dir_all(&dir).expect("the directory made above");
                panic!("redis-server did not start ({status:?}):\n{read}");
            }
        }
        // The server would stop at a full pipe; the thread ends with the server.
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let connection = UnixStream::connect(dir.join("socket")).expect("the server's socket");
        Some(Self {
            child,
            dir,
            connection: BufReader::new(connection),
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
        fs::read(self.dir.join("dump.rdb")).expect("the file just saved")
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

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
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
