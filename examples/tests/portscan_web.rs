//! The program `portscan-web`: over HTTP, over a restart and a crash, by mail.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

#[path = "../../crates/portscan/tests/common/mod.rs"]
mod common;
mod support;

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    common::{LISTENERS, inside, listen},
    support::{
        Folder, Running, http, http_with, json as ask, wait_for,
        web::{SLOW, Web, add_slow_address},
    },
};

#[test]
fn a_scan_is_watched_and_its_report_downloaded() {
    if !inside("a_scan_is_watched_and_its_report_downloaded", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22, 80]);
    let folder = Folder::new("portscan-web-watched");
    let web = Web::start(&folder.0.join("scans.rdb"), &[]);
    let id = web.scan(&json!({ "targets": "127.0.0.1", "ports": "1-1000", "expect": "22 only" }));
    let events = web.events(id);
    let mut open: Vec<u64> = events
        .iter()
        .filter(|event| event["type"] == "open")
        .map(|event| event["port"].as_u64().unwrap())
        .collect();
    open.sort_unstable();
    // A scan that ended before the events were asked for has only its end to tell.
    assert!(open == [22, 80] || events.len() == 1, "{events:?}");
    let shown = web.finished(id);
    assert_eq!(shown["open"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&shown["job"]["status"], &shown["job"]["decided"]),
        (&json!("done"), &json!(1000))
    );
    assert!(
        shown["job"]["judgement"]
            .as_str()
            .unwrap()
            .starts_with("not as expected")
    );
    for (format, needle) in [
        ("csv", "127.0.0.1;;;tcp;22;ssh;open"),
        ("json", "\"hosts\""),
        ("xml", "<nmaprun"),
        ("txt", "22/tcp"),
    ] {
        let (status, body) = http(&web.addr, &format!("GET /jobs/{id}/report/{format}"), "");
        assert_eq!(status, 200);
        assert!(body.contains(needle), "{format}: {body}");
    }
    assert_eq!(http(&web.addr, "GET /jobs/99", "").0, 404);
    assert_eq!(
        http(&web.addr, &format!("GET /jobs/{id}/report/pdf"), "").0,
        404
    );
    assert_eq!(web.running.end("-TERM"), Some(0));
}

#[test]
fn what_is_wrong_is_said_and_other_sites_are_refused() {
    if !inside("what_is_wrong_is_said_and_other_sites_are_refused", "") {
        return;
    }
    let folder = Folder::new("portscan-web-wrong");
    let web = Web::start(&folder.0.join("scans.rdb"), &[]);
    let wrong = |request: Value| {
        let (status, answer) = http(&web.addr, "POST /jobs", &request.to_string());
        assert_eq!(status, 400, "{answer}");
        serde_json::from_str::<Value>(&answer).unwrap()["error"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        wrong(json!({ "targets": "127.0.0.1/40", "ports": "1" }))
            .contains("prefix length 40 exceeds 32")
    );
    assert!(
        wrong(json!({ "targets": "127.0.0.1", "ports": "1-x" })).contains("no service is called")
    );
    assert!(wrong(json!({ "targets": "192.0.2.1", "ports": "1" })).contains("outside the scope"));
    assert!(
        wrong(json!({ "targets": "127.0.0.1", "ports": "1", "mail": "a@b.example" }))
            .contains("no mail server")
    );
    let body = json!({ "targets": "127.0.0.1", "ports": "1" }).to_string();
    let post = |headers: &str| http_with(&web.addr, "POST /jobs", headers, &body).0;
    assert_eq!(
        post("Host: evil.example\r\nContent-Type: application/json\r\n"),
        403
    );
    assert_eq!(
        post(&format!(
            "Host: {}\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\n",
            web.addr
        )),
        403
    );
    assert_eq!(
        post(&format!(
            "Host: {}\r\nContent-Type: text/plain\r\n",
            web.addr
        )),
        415
    );
    assert_eq!(ask(&web.addr, "GET /jobs", &Value::Null), json!([]));
}

#[test]
fn scans_survive_a_restart_and_go_on() {
    if !inside("scans_survive_a_restart_and_go_on", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &LISTENERS);
    let folder = Folder::new("portscan-web-restart");
    let data = folder.0.join("scans.rdb");
    let web = Web::start(&data, &[]);
    let request = json!({ "targets": "127.0.0.1", "ports": "20-30" });
    let first = web.scan(&request);
    web.finished(first);
    let long = web.scan(&json!({ "targets": "127.0.0.1-2", "ports": "all" }));
    assert_eq!(web.running.end("-TERM"), Some(0));

    listen(Ipv4Addr::LOCALHOST.into(), &[23]);
    let web = Web::start(&data, &[]);
    let shown = web.finished(long);
    assert_eq!(
        (&shown["job"]["status"], &shown["job"]["decided"]),
        (&json!("done"), &json!(2 * 65_535))
    );
    let open = shown["open"].as_array().unwrap();
    assert!(open.len() >= LISTENERS.len(), "{open:?}");
    assert_eq!(
        ask(&web.addr, &format!("GET /jobs/{first}"), &Value::Null)["open"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let second = web.scan(&request);
    assert_eq!(
        web.finished(second)["job"]["changes"],
        json!(["127.0.0.1 port 23: closed -> open"])
    );
    assert_eq!(
        ask(&web.addr, "GET /jobs", &Value::Null)
            .as_array()
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_scan_that_was_killed_goes_on_and_has_lost_nothing() {
    if !inside("a_scan_that_was_killed_goes_on_and_has_lost_nothing", "") || !add_slow_address() {
        return;
    }
    let open = [22, 5000, 22_000, 39_999];
    listen(SLOW.parse().unwrap(), &open);
    let folder = Folder::new("portscan-web-killed");
    let data = folder.0.join("scans.rdb");
    let web = Web::start(&data, &[]);
    let done = web.scan(&json!({ "targets": SLOW, "ports": "22" }));
    web.finished(done);
    let id = web.scan(&json!({ "targets": SLOW, "ports": "1-40000" }));
    let show = |web: &Web, id| ask(&web.addr, &format!("GET /jobs/{id}"), &Value::Null);
    wait_for("some progress", || {
        (show(&web, id)["job"]["decided"].as_u64() > Some(1000)).then_some(())
    });
    let saved = || fs::metadata(&data).unwrap().modified().unwrap();
    let before = saved();
    wait_for("a snapshot", || (saved() > before).then_some(()));
    assert_eq!(show(&web, id)["job"]["status"], "running");
    assert_eq!(web.running.end("-KILL"), None);

    let web = Web::start(&data, &[]);
    let shown = show(&web, id);
    assert_eq!(shown["job"]["status"], "running", "{shown}");
    let decided = shown["job"]["decided"].as_u64().unwrap();
    assert!(decided > 1000, "{decided} ports were known before");
    let shown = web.finished(id);
    assert_eq!(
        (&shown["job"]["status"], &shown["job"]["decided"]),
        (&json!("done"), &json!(40_000))
    );
    let ports: Vec<u64> = shown["open"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["port"].as_u64().unwrap())
        .collect();
    assert_eq!(ports, open.map(u64::from));
    let (_, report) = http(&web.addr, &format!("GET /jobs/{id}/report/json"), "");
    let report = portscan::Report::read_json(report.as_bytes()).unwrap();
    assert_eq!(report.counts().total(), 40_000);
    assert_eq!(show(&web, done)["open"].as_array().unwrap().len(), 1);
}

/// A real mail server on port 2525 that prints what it gets; `None` (with a message) where it is missing.
fn mail_server() -> Option<Running> {
    let mut command = Command::new("python3");
    let found = command
        .args(["-c", "import aiosmtpd"])
        .stderr(Stdio::null());
    if !found.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: aiosmtpd (pip install aiosmtpd) is missing");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-u", "-m", "aiosmtpd", "-n", "-l", "127.0.0.1:2525"]);
    let server = Running::start(command.args(["-c", "aiosmtpd.handlers.Debugging", "stdout"]));
    wait_for("the mail server", || {
        TcpStream::connect("127.0.0.1:2525").ok()
    });
    Some(server)
}

fn next_mail(server: &mut Running) -> String {
    let mut mail = server.line();
    while !mail.contains("END MESSAGE") {
        mail = mail + "\n" + &server.line();
    }
    mail
}

#[test]
fn a_report_that_was_not_mailed_before_a_crash_is_mailed_after_it() {
    let test = "a_report_that_was_not_mailed_before_a_crash_is_mailed_after_it";
    if !inside(test, "") {
        return;
    }
    let Some(mut smtp) = mail_server() else {
        return;
    };
    // A mail server that takes the call and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", silent.local_addr().unwrap());
    let folder = Folder::new("portscan-web-unmailed");
    let data = folder.0.join("scans.rdb");
    let web = Web::start(&data, &["--smtp", &url]);
    let id =
        web.scan(&json!({ "targets": "127.0.0.1", "ports": "25", "mail": "admin@example.com" }));
    let _call = silent.accept().unwrap();
    assert_eq!(web.running.end("-KILL"), None);

    let web = Web::start(&data, &["--smtp", "smtp://127.0.0.1:2525"]);
    let mail = next_mail(&mut smtp);
    assert!(
        mail.contains("Subject: portscan 127.0.0.1 25: 0 open"),
        "{mail}"
    );
    let mailed = wait_for("the note", || {
        let shown = ask(&web.addr, &format!("GET /jobs/{id}"), &Value::Null);
        shown["job"]["mailed"].as_str().map(str::to_owned)
    });
    assert_eq!(mailed, "sent to admin@example.com");
}

#[test]
fn a_report_is_mailed_and_nothing_new_is_not() {
    if !inside("a_report_is_mailed_and_nothing_new_is_not", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22]);
    let Some(mut smtp) = mail_server() else {
        return;
    };
    let folder = Folder::new("portscan-web-mail");
    let web = Web::start(
        &folder.0.join("scans.rdb"),
        &[
            "--smtp",
            "smtp://127.0.0.1:2525",
            "--mail-from",
            "scan@here.example",
        ],
    );
    let request = json!({ "targets": "127.0.0.1", "ports": "20-30", "mail": "admin@example.com", "only_changes": true });
    let first = web.scan(&request);
    assert_eq!(
        web.finished(first)["job"]["mailed"],
        "sent to admin@example.com"
    );
    let mail = next_mail(&mut smtp);
    for needle in [
        "From: scan@here.example",
        "To: admin@example.com",
        "Subject: portscan 127.0.0.1 20-30: 1 open",
        "22/tcp",
        "report.csv",
    ] {
        assert!(mail.contains(needle), "{needle} is not in\n{mail}");
    }
    let second = web.scan(&request);
    assert_eq!(
        web.finished(second)["job"]["mailed"],
        "not sent, nothing changed"
    );
    drop(smtp);
    let third =
        web.scan(&json!({ "targets": "127.0.0.1", "ports": "20-30", "mail": "admin@example.com" }));
    let mailed = web.finished(third)["job"]["mailed"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(mailed.starts_with("not sent: "), "{mailed}");
}

#[test]
fn serve() {
    common::serve();
}
