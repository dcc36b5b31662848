//! The program `portscan-web`: over HTTP, over a restart, by mail, and in a real browser.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

#[path = "../../crates/portscan/tests/common/mod.rs"]
mod common;
mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    common::{LISTENERS, inside, listen},
    support::{Folder, Running, http, http_with, json as ask, program, wait_for},
};

/// The program, and where it listens.
struct Web {
    running: Running,
    addr: String,
}

impl Web {
    fn start(data: &Path, args: &[&str]) -> Self {
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

    fn scan(&self, request: &Value) -> u64 {
        ask(&self.addr, "POST /jobs", request)["id"]
            .as_u64()
            .unwrap()
    }

    /// Listens to the events of a scan until its end, and gives them all.
    fn events(&self, id: u64) -> Vec<Value> {
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
    fn finished(&self, id: u64) -> Value {
        self.events(id);
        ask(&self.addr, &format!("GET /jobs/{id}"), &Value::Null)
    }
}

#[test]
fn a_scan_is_watched_and_its_report_downloaded() {
    if !inside("a_scan_is_watched_and_its_report_downloaded", "") {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22, 80]);
    let folder = Folder::new("portscan-web-watched");
    let web = Web::start(&folder.0.join("journal"), &[]);
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
    let web = Web::start(&folder.0.join("journal"), &[]);
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
    let journal = folder.0.join("journal");
    let web = Web::start(&journal, &[]);
    let request = json!({ "targets": "127.0.0.1", "ports": "20-30" });
    let first = web.scan(&request);
    web.finished(first);
    let long = web.scan(&json!({ "targets": "127.0.0.1-2", "ports": "all" }));
    assert_eq!(web.running.end("-TERM"), Some(0));
    // What a crash would leave: half a line at the end.
    fs::OpenOptions::new()
        .append(true)
        .open(&journal)
        .unwrap()
        .write_all(b"[\"SET\",\"half")
        .unwrap();

    listen(Ipv4Addr::LOCALHOST.into(), &[23]);
    let web = Web::start(&journal, &[]);
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
fn a_report_is_mailed_and_nothing_new_is_not() {
    if !inside("a_report_is_mailed_and_nothing_new_is_not", "") {
        return;
    }
    if !Command::new("python3")
        .args(["-c", "import aiosmtpd"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("skipped: aiosmtpd (pip install aiosmtpd) is missing");
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22]);
    let mut smtp = Running::start(Command::new("python3").args([
        "-u",
        "-m",
        "aiosmtpd",
        "-n",
        "-l",
        "127.0.0.1:2525",
        "-c",
        "aiosmtpd.handlers.Debugging",
        "stdout",
    ]));
    wait_for("the mail server", || {
        TcpStream::connect("127.0.0.1:2525").ok()
    });
    let folder = Folder::new("portscan-web-mail");
    let web = Web::start(
        &folder.0.join("journal"),
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
    let mut mail = Vec::new();
    while mail
        .last()
        .is_none_or(|line: &String| !line.contains("END MESSAGE"))
    {
        mail.push(smtp.line());
    }
    let mail = mail.join("\n");
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

/// A browser, driven over the WebDriver protocol.
struct Browser {
    _driver: Running,
    session: String,
}

impl Browser {
    const ADDR: &'static str = "127.0.0.1:9515";

    fn start(downloads: &Path) -> Self {
        let mut command = Command::new("chromedriver");
        command.args(["--port=9515"]).stderr(Stdio::null());
        let driver = Running::start(&mut command);
        wait_for("chromedriver", || TcpStream::connect(Self::ADDR).ok());
        let capabilities = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=375,800"],
            "prefs": { "download.default_directory": downloads }
        }}}});
        let answer = ask(Self::ADDR, "POST /session", &capabilities);
        Self {
            _driver: driver,
            session: answer["value"]["sessionId"].as_str().unwrap().to_owned(),
        }
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        ask(
            Self::ADDR,
            &format!("POST /session/{}/{path}", self.session),
            body,
        )["value"]
            .clone()
    }

    fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Presses keys, as on a keyboard.
    fn keys(&self, text: &str) {
        let actions: Vec<Value> = text
            .chars()
            .flat_map(|key| {
                [
                    json!({ "type": "keyDown", "value": key }),
                    json!({ "type": "keyUp", "value": key }),
                ]
            })
            .collect();
        self.command(
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }),
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        http(Self::ADDR, &format!("DELETE /session/{}", self.session), "");
    }
}

#[test]
fn a_person_adds_runs_watches_and_downloads_in_a_browser() {
    if !inside("a_person_adds_runs_watches_and_downloads_in_a_browser", "") {
        return;
    }
    if !Command::new("chromedriver")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("skipped: chromedriver (Debian chromium-driver) is missing");
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22, 6379]);
    let folder = Folder::new("portscan-web-browser");
    let web = Web::start(&folder.0.join("journal"), &[]);
    let browser = Browser::start(&folder.0);
    browser.command("url", &json!({ "url": format!("http://{}/", web.addr) }));
    assert_eq!(
        browser.run("return document.documentElement.scrollWidth <= innerWidth"),
        true,
        "it fits a phone"
    );

    // By keyboard alone: Tab to the hosts, type, Tab to the ports, type, Enter.
    browser.keys("\u{e004}127.0.0.1\u{e004}1-65535\u{e007}");
    wait_for("the end of the scan", || {
        let state = browser.run("return document.getElementById('status').dataset.state ?? null");
        (state == "done").then_some(())
    });
    let ports = "return [...document.getElementById('open').rows].map(row => row.cells[1].textContent).join()";
    wait_for("the open ports", || {
        let ports = browser.run(ports);
        let ports = ports.as_str().unwrap();
        (ports.contains("22,") && ports.contains("6379")).then_some(())
    });
    assert_eq!(
        browser.run("return document.documentElement.scrollWidth <= innerWidth"),
        true,
        "with results too"
    );
    wait_for("the scan in the list", || {
        (browser.run("return document.getElementById('jobs').rows.length") == 1).then_some(())
    });

    browser.run("document.getElementById('download-csv').click()");
    let csv = wait_for("the download", || {
        fs::read_to_string(folder.0.join("portscan-1.csv"))
            .ok()
            .filter(|csv| csv.contains("6379"))
    });
    assert!(csv.contains("127.0.0.1;;;tcp;22;ssh;open"), "{csv}");

    browser.run("document.getElementById('targets').value = '10.0.0.300'");
    browser.run("document.getElementById('form').requestSubmit()");
    let message = wait_for("the message", || {
        let message = browser.run("return document.getElementById('error').textContent");
        message
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    });
    assert!(message.contains("octet 300 exceeds 255"), "{message}");
}

#[test]
fn serve() {
    common::serve();
}
