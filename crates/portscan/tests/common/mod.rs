//! Network namespaces for the tests: this machine's own loopback carries other programs and is never scanned.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "test code outside a test function"
)]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, TcpListener},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
};

use portscan::{Reason, Report, Scanner};

/// Twenty ports with listeners: low ones, high ones, some among the source ports of connections, and the last.
pub const LISTENERS: [u16; 20] = [
    22, 25, 53, 80, 110, 143, 443, 993, 1433, 3306, 5432, 6379, 8080, 8443, 9200, 11211, 27017,
    40001, 50002, 65535,
];

/// Runs a test in a network namespace of its own, by running this program again for this test alone.
///
/// `prelude` is shell that runs before, such as `ulimit -n 256`. Returns whether this is the process inside the namespace, which has the body to run.
/// Where namespaces are not permitted the test passes with a message.
#[must_use]
pub fn inside(test: &str, prelude: &str) -> bool {
    if env::var("PORTSCAN_NAMESPACE").is_ok_and(|name| name == test) {
        return true;
    }
    let Some(unshare) = unshare() else {
        eprintln!(
            "skipped: {test} needs a network namespace (unshare --net), which is not permitted here"
        );
        return false;
    };
    let exe = env::current_exe().unwrap();
    let script = format!(
        "ip link set lo up && {prelude} exec \"$0\" --exact {test} --nocapture --include-ignored"
    );
    let status = Command::new(unshare[0])
        .args(&unshare[1..])
        .args(["sh", "-c", &script])
        .arg(exe)
        .env("PORTSCAN_NAMESPACE", test)
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed inside its namespace");
    false
}

/// The command that makes a namespace, in which mounts are private too: directly, or as root of a user namespace.
fn unshare() -> Option<&'static [&'static str]> {
    let works = |command: &[&str]| {
        let probe = Command::new(command[0])
            .args(&command[1..])
            .args(["ip", "link", "set", "lo", "up"])
            .stderr(Stdio::null())
            .status();
        probe.is_ok_and(|status| status.success())
    };
    let candidates: [&[&str]; 2] = [
        &["unshare", "--net", "--mount"],
        &["unshare", "--map-root-user", "--net", "--mount"],
    ];
    candidates.into_iter().find(|command| works(command))
}

/// Runs shell commands in the namespace of the test; `false` (with a message) where one is missing.
#[must_use]
pub fn shell(commands: &str) -> bool {
    let status = Command::new("sh").args(["-ec", commands]).status().unwrap();
    if !status.success() {
        eprintln!("skipped: this failed here: {commands}");
    }
    status.success()
}

/// Listens on ports of an address, and accepts and closes whatever comes, until the process ends.
pub fn listen(addr: IpAddr, ports: &[u16]) {
    for &port in ports {
        let listener =
            TcpListener::bind((addr, port)).unwrap_or_else(|error| panic!("port {port}: {error}"));
        thread::spawn(move || listener.incoming().for_each(drop));
    }
}

/// A second namespace at the other end of a veth pair: 10.66.0.1 here, 10.66.0.2 (and fd66::1, fd66::2) there.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Peer {
    /// `None` (with a message) where veth pairs are not to be had.
    #[must_use]
    pub fn new() -> Option<Self> {
        let mut child = Command::new("unshare")
            .args(["--net", "sh", "-e"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self {
            child,
            stdin,
            stdout,
        };
        peer.run("echo");
        let here = format!(
            "ip link add v0 type veth peer name v1; ip link set v1 netns {}; ip addr add 10.66.0.1/16 dev v0; \
             ip -6 addr add fd66::1/64 dev v0 nodad; ip link set v0 up",
            peer.child.id()
        );
        if !shell(&here) {
            return None;
        }
        peer.run("ip link set lo up; ip addr add 10.66.0.2/16 dev v1; ip -6 addr add fd66::2/64 dev v1 nodad; ip link set v1 up");
        Some(peer)
    }

    /// Runs shell commands at the other end, and waits for them.
    pub fn run(&mut self, commands: &str) {
        writeln!(self.stdin, "{commands}\necho done").unwrap();
        loop {
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "failed at the other end: {commands}"
            );
            if line.trim() == "done" {
                return;
            }
        }
    }

    /// Starts listeners at the other end.
    pub fn listen(&mut self, addr: &str, ports: &[u16]) {
        let exe = env::current_exe().unwrap();
        let ports = ports
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(",");
        writeln!(
            self.stdin,
            "PORTSCAN_LISTEN={addr},{ports} {} --exact serve --nocapture --include-ignored & listeners=\"$listeners $!\"",
            exe.display()
        )
        .unwrap();
        loop {
            let mut line = String::new();
            assert!(
                self.stdout.read_line(&mut line).unwrap() > 0,
                "the listeners did not start"
            );
            if line.contains("listening") {
                return;
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The shell ends its own listeners, which hold its namespace.
        let _ = writeln!(
            self.stdin,
            "test -z \"$listeners\" || kill $listeners; exit 0"
        );
        let _ = self.child.wait();
    }
}

/// What `Peer::listen` runs at the other end: a test that does nothing elsewhere.
pub fn serve() {
    let Ok(what) = env::var("PORTSCAN_LISTEN") else {
        return;
    };
    let (addr, ports) = what.split_once(',').unwrap();
    let ports: Vec<u16> = ports.split(',').map(|port| port.parse().unwrap()).collect();
    listen(addr.parse().unwrap(), &ports);
    println!("listening");
    loop {
        thread::park();
    }
}

/// Shell commands that lose this share of the packets that come in over a device: netem where the kernel has it, or else
/// a rule of nft.
#[must_use]
pub fn loss(device: &str, percent: u8) -> String {
    format!(
        "tc qdisc add dev {device} root netem loss {percent}% limit 20000 2>/dev/null || {{ nft add table inet loss; \
         nft 'add chain inet loss input {{ type filter hook input priority 0; }}'; \
         nft 'add rule inet loss input iifname {device} numgen random mod 100 < {percent} drop'; }}"
    )
}

/// Runs a scan, and runs it again if this machine was so busy that it could not tell silence from being held up itself.
pub async fn undisturbed(scanner: impl Fn() -> Scanner) -> Report {
    let mut report = scanner().run().await.unwrap();
    for _ in 0..10 {
        let mut ports = report.hosts().flat_map(|host| host.ports());
        if !ports.any(|port| port.reason == Reason::Lag) {
            break;
        }
        drop(ports);
        report = scanner().run().await.unwrap();
    }
    report
}

/// Scans all ports of an address and holds the report against the truth.
pub async fn all_ports(scanner: Scanner, run: usize) -> Report {
    let report = scanner.run().await.unwrap();
    let open: Vec<u16> = report.open_ports().into_iter().collect();
    assert_eq!(open, LISTENERS, "run {run}: {:?}", report.statistics());
    let counts = report.counts();
    assert_eq!(
        (counts.closed, counts.filtered, counts.undecided),
        (65_515, 0, 0),
        "run {run}"
    );
    report
}

/// How often an accuracy test repeats its scan: 2, or what `PORTSCAN_RUNS` says.
pub fn runs() -> usize {
    env::var("PORTSCAN_RUNS")
        .ok()
        .and_then(|runs| runs.parse().ok())
        .unwrap_or(2)
}
