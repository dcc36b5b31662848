//! The program `portscan-web`, run and asked over HTTP.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    process::Stdio,
};

use serde_json::Value;

use super::{Running, json as ask, program};

/// The program, and where it listens.
pub struct Web {
    pub running: Running,
    pub addr: String,
}

impl Web {
    pub fn start(data: &Path, args: &[&str]) -> Self {
        let mut command = program("portscan-web");
        command
            .args(["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
            .args(args)
            .stderr(Stdio::null());
        let mut running = Running::start(&mut command);
        let addr = running
            .line()
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Self { running, addr }
    }

    pub fn scan(&self, request: &Value) -> u64 {
        ask(&self.addr, "POST /jobs", request)["id"]
            .as_u64()
            .unwrap()
    }

    /// Listens to the events of a scan until its end, and gives them all.
    pub fn events(&self, id: u64) -> Vec<Value> {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        write!(
            stream,
            "GET /jobs/{id}/events HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.addr
        )
        .unwrap();
        let mut events = Vec::new();
        for line in BufReader::new(stream).lines() {
            if let Some(data) = line.unwrap().strip_prefix("data: ") {
                events.push(serde_json::from_str(data).unwrap());
                if events
                    .last()
                    .is_some_and(|event: &Value| event["type"] == "end")
                {
                    break;
                }
            }
        }
        events
    }

    /// Waits for the end of a scan and gives it as it is shown then.
    pub fn finished(&self, id: u64) -> Value {
        self.events(id);
        ask(&self.addr, &format!("GET /jobs/{id}"), &Value::Null)
    }
}

/// An address of this namespace that is scanned at the polite 5,000 ports a second, because it is no loopback one; so are
/// the others of its network.
pub const SLOW: &str = "10.9.9.9";

pub fn add_slow_address() -> bool {
    crate::common::shell(&format!("ip addr add {SLOW}/24 dev lo"))
}
