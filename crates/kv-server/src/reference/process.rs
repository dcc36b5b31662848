//! A `redis-server` of a test's own. The integration tests include this file too.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, thread};

/// A server in a directory of its own; both go with the value.
pub(crate) struct RedisProcess {
    child: Child,
    dir: PathBuf,
}

impl RedisProcess {
    /// Starts a server with these arguments, which loads `dump`, if given; `None`, with a line to say so, where there is no `redis-server`. With
    /// `REQUIRE_REDIS` set, that is a failure.
    ///
    /// # Panics
    ///
    /// Panics with the server's log if it does not start, for instance because it rejects the file.
    pub(crate) fn start(args: &[&str], dump: Option<&[u8]>) -> Option<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("kv-server-redis-{}-{number}", std::process::id());
        let dir = env::temp_dir().join(name);
        // Whatever a killed run with the same number has left.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("a directory for the server");
        if let Some(dump) = dump {
            fs::write(dir.join("dump.rdb"), dump).expect("the file to load");
        }
        let spawned = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .args(args)
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else {
            assert!(
                env::var_os("REQUIRE_REDIS").is_none(),
                "redis-server is not installed"
            );
            eprintln!("skipped: there is no redis-server");
            fs::remove_dir_all(&dir).expect("the directory made above");
            return None;
        };
        let mut log = BufReader::new(child.stdout.take().expect("a piped output"));
        let process = Self { child, dir };
        let mut read = String::new();
        while !read.contains("eady to accept connections") {
            let len = log.read_line(&mut read).expect("the server's log");
            assert!(len > 0, "redis-server did not start:\n{read}");
        }
        // The server would stop at a full pipe; the thread ends with the server.
        thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        Some(process)
    }

    /// Where it listens, and saves.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
