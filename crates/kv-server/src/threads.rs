//! Threads of the server's own, for isolation from the caller's runtime.

use std::thread::{Builder, JoinHandle};

use tokio::runtime::{self, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::Error;

/// Threads with a current-thread runtime each; they end when this is dropped, whatever runs on them.
#[derive(Debug)]
pub(crate) struct Threads {
    end: DropGuard,
    threads: Vec<JoinHandle<()>>,
    handles: Vec<Handle>,
}

impl Threads {
    pub(crate) fn start(count: usize) -> Result<Self, Error> {
        let end = CancellationToken::new();
        let (mut threads, mut handles) = (Vec::new(), Vec::new());
        for number in 0..count {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(Error::Thread)?;
            handles.push(runtime.handle().clone());
            let ended = end.clone();
            let run = move || runtime.block_on(ended.cancelled());
            threads.push(
                Builder::new()
                    .name(format!("kv-server-{number}"))
                    .spawn(run)
                    .map_err(Error::Thread)?,
            );
        }
        Ok(Self {
            end: end.drop_guard(),
            threads,
            handles,
        })
    }

    pub(crate) fn first(&self) -> Handle {
        self.handles[0].clone()
    }

    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.handles.clone()
    }

    /// Ends the threads and waits for them.
    pub(crate) async fn join(self) {
        drop(self.end);
        let threads = self.threads;
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().try_for_each(JoinHandle::join));
        if !matches!(joined.await, Ok(Ok(()))) {
            tracing::error!("a server thread panicked");
        }
    }
}
