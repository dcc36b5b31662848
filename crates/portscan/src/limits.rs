//! The limit of file descriptors.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors a scan may use: the limit, less those that are open and a reserve for the rest of the program.
pub(crate) fn descriptors(raise: bool) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if raise && limit.current < limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        // A limit that cannot be raised is kept; the scan is only slower.
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = raised;
        }
    }
    let limit = limit.current.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    // Where the system does not list them, the usual few are assumed.
    let open = fs::read_dir("/proc/self/fd").map_or(16, Iterator::count);
    limit.saturating_sub(open + RESERVE).max(1)
}

/// Descriptors left to the program: its own sockets and files, banners, look-ups.
const RESERVE: usize = 24;
