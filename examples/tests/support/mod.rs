//! Running the programs, and just enough HTTP to talk to them.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "test code outside a test function"
)]

pub mod web;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// An example program. `cargo test -p examples` builds it beside this test; `--test NAME` alone does not.
pub fn program(name: &str) -> Command {
    let deps = env::current_exe().unwrap();
    let program = deps
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join(name);
    assert!(
        program.exists(),
        "{name} is not built: cargo build -p examples --example {name}"
    );
    Command::new(program)
}

/// A folder that is removed in the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("{name}-{}", std::process::id()));
        // Whatever a killed run with the same number has left.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running program; killed in the end if it still runs.
pub struct Running {
    pub child: Child,
    pub lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(
            self.lines.read_line(&mut line).unwrap() > 0,
            "the program has ended"
        );
        line.trim_end().to_owned()
    }

    /// Sends a signal and waits for the end.
    pub fn end(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks until there is an answer, for at most two minutes.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "waited too long for {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a request with these header lines, and gives the status and the body.
pub fn http_with(addr: &str, request: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut content_length = None;
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        assert!(
            reader.read_line(&mut line).unwrap() > 0,
            "no answer to {request}: {head}"
        );
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            content_length = Some(length.trim().parse().unwrap());
        }
        head.push_str(&line);
    }
    let mut answer = Vec::new();
    match content_length {
        Some(length) => {
            answer.resize(length, 0);
            reader.read_exact(&mut answer).unwrap();
        }
        None => drop(reader.read_to_end(&mut answer).unwrap()),
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, String::from_utf8(answer).unwrap())
}

pub fn http(addr: &str, request: &str, body: &str) -> (u16, String) {
    http_with(
        addr,
        request,
        &format!("Host: {addr}\r\nContent-Type: application/json\r\n"),
        body,
    )
}

pub fn json(addr: &str, request: &str, body: &Value) -> Value {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let (status, answer) = http(addr, request, &body);
    assert!(status < 300, "{request}: {status} {answer}");
    serde_json::from_str(&answer).unwrap()
}
