//! The program `kv-server` as people use it: from the outside.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

#[path = "../../crates/portscan/tests/common/mod.rs"]
mod common; // for `support`
mod support;

use std::fs;

use crate::support::{Folder, Running, program};

#[test]
fn the_log_says_which_signal_ended_the_server() {
    let folder = Folder::new("kv-server");
    for (signal, name) in [("-TERM", "SIGTERM"), ("-INT", "SIGINT")] {
        let log = folder.0.join(name);
        let mut command = program("kv-server");
        command.args(["--port", "0", "--save", "", "--dir"]);
        command.arg(&folder.0).arg("--logfile").arg(&log);
        let mut server = Running::start(&mut command);
        let line = server.line();
        assert!(line.contains("Ready to accept connections"), "{line}");
        assert_eq!(server.end(signal), Some(0));
        let log = fs::read_to_string(log).unwrap();
        assert!(log.contains(&format!("signal=\"{name}\"")), "{log}");
        assert!(log.contains("shutdown by the program"), "{log}");
        assert!(!log.contains("by a client"), "{log}");
    }
}
