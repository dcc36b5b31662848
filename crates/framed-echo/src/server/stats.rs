//! What a server has done so far, in numbers.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counters themselves; shared by all connections.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats {
                    $($name: self.$name.load(Relaxed),)*
                    memory_bytes: 0,
                }
            }
        }

        /// A server's counters at one moment; all count from its start.
        ///
        /// `Display` writes one `framed_NAME VALUE` a line, which is also Prometheus' text format.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
            /// Bytes taken from the memory budget at this moment.
            pub memory_bytes: u64,
        }

        impl fmt::Display for Stats {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, concat!("framed_", stringify!($name), " {}"), self.$name)?;)*
                writeln!(f, "framed_memory_bytes {}", self.memory_bytes)
            }
        }
    };
}

counters! {
    /// Connections accepted.
    accepted,
    /// Connections closed again.
    closed,
    /// Connections turned away at the cap.
    turned_away,
    /// Clients that said hello.
    sessions,
    /// Bytes received.
    bytes_in,
    /// Bytes sent.
    bytes_out,
    /// Whole messages received.
    messages_in,
    /// Large messages received.
    uploads,
    /// Bodies over their limit, skipped.
    too_long,
    /// Refusals sent.
    refused,
    /// Messages put into the inbox because the receiver was away.
    kept,
    /// Messages put into the inbox because the receiver's queue was full.
    spilled,
    /// Messages delivered out of the inbox.
    fetched,
    /// Messages that had to wait because the receiver's queue was full, and their senders with them.
    waited,
    /// Messages given up because the receiver's queue was full.
    dropped,
    /// Connections closed because their queue was full.
    cut,
    /// Connections closed by the idle timeout or for want of a pong.
    idle,
    /// Connections closed because they stopped inside a frame.
    read_timeouts,
    /// Connections closed because they took no bytes.
    write_timeouts,
    /// Connections that ended inside a frame.
    truncated,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Relaxed);
    }
}
