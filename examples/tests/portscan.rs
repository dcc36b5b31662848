//! The program `portscan` as a person sees it: what it prints, what it writes, how it exits.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

#[path = "../../crates/portscan/tests/common/mod.rs"]
mod common;
mod support;

use std::{fs, net::Ipv4Addr, process::Output};

use portscan::Report;

use crate::{
    common::{LISTENERS, inside, listen},
    support::{Folder, Running, program},
};

fn run(args: &[&str]) -> Output {
    program("portscan").args(args).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn open_ports_are_printed_as_found_and_sorted_at_the_end() {
    if !inside("open_ports_are_printed_as_found_and_sorted_at_the_end", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22, 80, 1000]);
    let output = run(&["127.0.0.1", "22-1000"]);
    let mut lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(
        lines[3..],
        ["Opened ports:", "22", "80", "1000"],
        "both ends of the range are scanned"
    );
    lines.truncate(3);
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["Opened Port: 1000", "Opened Port: 22", "Opened Port: 80"]
    );
    assert!(output.stderr.is_empty(), "quiet when piped");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_terminal_shows_progress_and_the_time_to_go() {
    let test = "a_terminal_shows_progress_and_the_time_to_go";
    // An address that is no loopback one is scanned at 5,000 ports a second: long enough to be watched.
    if !inside(test, "") || !common::shell("ip addr add 10.9.9.9/32 dev lo") {
        return;
    }
    let command = format!(
        "{} 10.9.9.9 1-5000",
        program("portscan").get_program().to_str().unwrap()
    );
    // script (util-linux) runs a command in a terminal of its own.
    let output = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(
        screen.contains("/5000 ") && screen.contains("ETA "),
        "{screen}"
    );
    assert_eq!(output.status.code(), Some(1), "{screen}");
}

#[test]
fn the_exit_code_tells_the_outcome() {
    if !inside("the_exit_code_tells_the_outcome", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22]);
    let code = |args: &[&str]| run(args).status.code();
    assert_eq!(code(&["127.0.0.1", "22"]), Some(0));
    assert_eq!(code(&["127.0.0.1", "23"]), Some(1));
    assert_eq!(
        code(&["gone.invalid 127.0.0.1", "22"]),
        Some(3),
        "a name was not resolved"
    );
    assert_eq!(
        code(&["192.168.7.7", "22"]),
        Some(3),
        "no route, so undecided"
    );
    assert_eq!(
        code(&["127.0.0.1", "22-30", "--expect", "22 only"]),
        Some(0)
    );
    assert_eq!(code(&["127.0.0.1", "22-30", "--expect", "23"]), Some(4));
    assert_eq!(
        code(&["127.0.0.1", "22", "--expect", "23"]),
        Some(3),
        "not scanned, so not known"
    );
    let undecided = run(&["192.168.7.7", "22"]);
    assert_eq!(
        String::from_utf8_lossy(&undecided.stderr),
        "portscan: 1 ports are undecided, by this machine's fault: no-route\n"
    );
    assert_eq!(code(&["127.0.0.1", "22", "--dry-run"]), Some(0));
}

#[test]
fn every_scan_leaves_an_audit_line() {
    if !inside("every_scan_leaves_an_audit_line", "") {
        return;
    }
    let output = run(&["127.0.0.1", "22-24", "--seed", "7", "--verbose"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    for needle in [
        "portscan::audit",
        "scan begins",
        "127.0.0.1 22-24",
        "scan ends",
    ] {
        assert!(stderr.contains(needle), "{needle} is not in {stderr}");
    }
}

#[test]
fn bad_use_names_what_is_wrong_and_sends_nothing() {
    for (args, message) in [
        (
            &["127.0.0.300", "22"][..],
            "target \"127.0.0.300\" at column 9: octet 300 exceeds 255",
        ),
        (
            &["127.0.0.1", "22,99999"],
            "port \"99999\" at column 4: port 99999 exceeds 65535",
        ),
        (
            &["192.0.2.1", "22"],
            "192.0.2.1 lies outside the scope loopback and private addresses",
        ),
        (
            &["127.0.0.1", "22", "-o", "report.pdf"],
            "report.pdf: the extension names the format",
        ),
        (
            &["127.0.0.1", "22", "-o", "/nonexistent/report.xml"],
            "writing /nonexistent/report.xml is not possible",
        ),
        (
            &["127.0.0.1", "22", "--diff", "/nonexistent/report.json"],
            "reading /nonexistent/report.json failed",
        ),
        (
            &["127.0.0.1", "22", "--exclude", "127.0.0.0/8"],
            "no target is left to scan",
        ),
        (
            &["127.0.0.1", "22", "--rate", "0"],
            "a number from 1, or unlimited",
        ),
        (
            &["127.0.0.1", "22", "--shard", "3/2"],
            "there is no shard 3 of 2",
        ),
        (
            &["127.0.0.1", "22", "--timeout", "soon"],
            "a time is written 1500ms or 1.5s",
        ),
        (&["127.0.0.1", "22", "--resume", "x"], "cannot be used with"),
        (&["--input", "/nonexistent"], "opening /nonexistent failed"),
        (
            &["127.0.0.1", "22", "--expect", "22 perhaps"],
            "is not a list of ports",
        ),
        (&[], "required"),
    ] {
        let output = run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(message), "{args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn an_interrupted_scan_leaves_a_valid_report_and_goes_on() {
    if !inside("an_interrupted_scan_leaves_a_valid_report_and_goes_on", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &LISTENERS);
    let folder = Folder::new("portscan-interrupted");
    let file = |name: &str| folder.0.join(name).to_str().unwrap().to_owned();
    let (partial, checkpoint, whole) = (file("partial.json"), file("state"), file("whole.json"));
    let mut scan = Running::start(program("portscan").args([
        "127.0.0.1",
        "all",
        "--rate",
        "3000",
        "-o",
        &partial,
        "--checkpoint",
        &checkpoint,
    ]));
    // One port has been found, most have not.
    assert!(scan.line().starts_with("Opened Port: "));
    assert_eq!(scan.end("-INT"), Some(3));
    let report = Report::read_json(fs::File::open(&partial).unwrap()).unwrap();
    let before = report.counts();
    assert!(
        !report.is_complete() && before.open > 0 && before.total() < 65_535,
        "{before:?}"
    );

    let output = run(&["--resume", &checkpoint, "-o", &whole]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = Report::read_json(fs::File::open(&whole).unwrap()).unwrap();
    assert!(report.is_complete());
    assert_eq!(
        report.open_ports().into_iter().collect::<Vec<_>>(),
        LISTENERS
    );
    assert_eq!(report.counts().total(), 65_535);
}

#[test]
fn every_format_is_written_and_a_later_scan_is_compared() {
    if !inside("every_format_is_written_and_a_later_scan_is_compared", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22]);
    let folder = Folder::new("portscan-formats");
    let files: Vec<String> = ["txt", "json", "jsonl", "csv", "xml"]
        .map(|format| {
            folder
                .0
                .join(format!("report.{format}"))
                .to_str()
                .unwrap()
                .to_owned()
        })
        .to_vec();
    let mut args = vec!["127.0.0.1", "20-30", "-t", "auto", "--banners"];
    files.iter().for_each(|file| args.extend(["-o", file]));
    assert_eq!(run(&args).status.code(), Some(0));
    for (file, needle) in files.iter().zip([
        "22/tcp  open",
        "\"open\"",
        "{\"host\":",
        ";tcp;22;ssh;open;",
        "<nmaprun",
    ]) {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(needle), "{file}: {text}");
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[25]);
    let output = run(&["127.0.0.1", "20-30", "--diff", &files[2]]);
    assert!(
        stdout(&output).ends_with("127.0.0.1 port 25: closed -> open\n"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn targets_come_from_files_and_standard_input() {
    if !inside("targets_come_from_files_and_standard_input", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22]);
    let folder = Folder::new("portscan-targets");
    let list = folder.0.join("hosts.txt");
    fs::write(&list, "127.0.0.1 # this one\n127.0.0.2-4\n").unwrap();
    let output = run(&[
        "-i",
        list.to_str().unwrap(),
        "--exclude",
        "127.0.0.3",
        "127.0.0.9",
        "22",
        "--dry-run",
    ]);
    assert!(
        stdout(&output).starts_with("4 addresses x 1 ports: 4 probes"),
        "{}",
        stdout(&output)
    );
    let output = run(&["-i", list.to_str().unwrap(), "22,80", "--dry-run"]);
    assert!(
        stdout(&output).starts_with("4 addresses x 2 ports: 8 probes"),
        "with a file, a single argument is the ports: {output:?}"
    );
    fs::write(&list, "127.0.0.1\n127.0.0.1/99\n").unwrap();
    let output = run(&["-i", list.to_str().unwrap()]);
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("hosts.txt:2:11: prefix length 99 exceeds 32"),
        "{output:?}"
    );
}

#[test]
fn without_privileges_the_syn_technique_is_refused_or_replaced() {
    let test = "without_privileges_the_syn_technique_is_refused_or_replaced";
    if !inside(test, "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22]);
    // A copy where a user without privileges can reach it.
    let folder = Folder::new("portscan-unprivileged");
    let copy = folder.0.join("portscan");
    fs::copy(program("portscan").get_program(), &copy).unwrap();
    let run = |technique| {
        std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&copy)
            .args(["127.0.0.1", "22", "-t", technique])
            .output()
            .unwrap()
    };
    let refused = run("syn");
    let message = "portscan: raw sockets are refused (the SYN technique needs root or CAP_NET_RAW)";
    assert!(
        String::from_utf8_lossy(&refused.stderr).starts_with(message),
        "{refused:?}"
    );
    assert_eq!(refused.status.code(), Some(2));
    let replaced = run("auto");
    assert!(
        String::from_utf8_lossy(&replaced.stderr).contains("so the connect technique is used"),
        "{replaced:?}"
    );
    assert!(stdout(&replaced).starts_with("Opened Port: 22\n"));
    assert_eq!(replaced.status.code(), Some(0));
}

#[test]
fn the_descriptor_limit_is_raised_when_asked() {
    if !inside(
        "the_descriptor_limit_is_raised_when_asked",
        "ulimit -Sn 80;",
    ) {
        return;
    }
    if !common::shell(
        "nft add table inet f; nft 'add chain inet f input { type filter hook input priority 0; }'; nft add rule inet f input tcp dport 1-400 drop",
    ) {
        return;
    }
    let folder = Folder::new("portscan-limit");
    let file = folder.0.join("report.json").to_str().unwrap().to_owned();
    let waited = |args: &[&str]| {
        let common = [
            "127.0.0.1",
            "1-400",
            "--timeout",
            "300ms",
            "--retries",
            "0",
            "-o",
            &file,
        ];
        let output = run(&[&common, args].concat());
        let report = Report::read_json(fs::File::open(&file).unwrap()).unwrap();
        // A machine that is held up too often leaves some ports undecided, and then this says nothing.
        let (counts, code) = (report.counts(), output.status.code());
        let known = code == Some(1) && counts.filtered == 400;
        assert!(known || counts.undecided > 0, "{code:?}: {report}");
        known.then(|| report.statistics().elapsed)
    };
    // Some fifty at a time against all at once, 0.3 s each; a busy machine takes longer, but hardly each time.
    let took: Vec<_> = (0..5)
        .map(|_| (waited(&[]), waited(&["--raise-limit"])))
        .take_while(|(few, all)| few.zip(*all).is_none_or(|(few, all)| few < 2 * all))
        .collect();
    assert!(took.len() < 5, "without and with: {took:?}");
}

#[test]
fn serve() {
    common::serve();
}
