//! The real server.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::UnixStream;

use crate::common::Client;

/// A `redis-server` in a directory of its own; both go with the value.
pub(crate) struct Redis {
    child: Child,
    dir: PathBuf,
}

impl Redis {
    /// `None` where there is no `redis-server`.
    pub(crate) fn start() -> Option<Self> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("kv-server-differential-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let spawned = Command::new("redis-server")
            .args(["--port", "0", "--unixsocket", "socket", "--save", ""])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else {
            std::fs::remove_dir_all(&dir).unwrap();
            return None;
        };
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let redis = Self { child, dir };
        let mut read = String::new();
        while !read.contains("eady to accept connections") {
            assert!(
                log.read_line(&mut read).unwrap() > 0,
                "redis-server did not start:\n{read}"
            );
        }
        // It would stop at a full pipe; the thread ends with the server.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(redis)
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::over(UnixStream::connect(self.dir.join("socket")).await.unwrap())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
