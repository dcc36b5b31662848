//! The program `portscan-web` in a real browser, as a person uses it.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

#[path = "../../crates/portscan/tests/common/mod.rs"]
mod common;
mod support;

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    common::{inside, listen},
    support::{
        Folder, Running, http, json as ask, wait_for,
        web::{SLOW, Web, add_slow_address},
    },
};

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

    /// The text of an element.
    fn text(&self, id: &str) -> String {
        let text = self.run(&format!(
            "return document.getElementById('{id}').textContent"
        ));
        text.as_str().unwrap().to_owned()
    }

    /// Waits until the scan that is shown is in this state.
    fn wait_for_state(&self, wanted: &str) {
        wait_for(wanted, || {
            let state = self.run("return document.getElementById('status').dataset.state ?? null");
            (state == wanted).then_some(())
        });
    }

    /// Presses Tab until an element has the focus that a person can see, then Enter.
    fn tab_to_and_press(&self, what: &str) {
        for _ in 0..40 {
            self.keys("\u{e004}");
            let focus = self.run(&format!(
                "const e = document.activeElement; return e.matches(`{what}`) && getComputedStyle(e).outlineStyle !== 'none'"
            ));
            if focus == true {
                return self.keys("\u{e007}");
            }
        }
        panic!("Tab does not lead to {what}");
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

fn has_chromedriver() -> bool {
    let mut command = Command::new("chromedriver");
    let status = command.arg("--version").stdout(Stdio::null()).status();
    let found = status.is_ok_and(|status| status.success());
    if !found {
        eprintln!("skipped: chromedriver (Debian chromium-driver) is missing");
    }
    found
}

#[test]
fn a_person_adds_runs_watches_and_downloads_in_a_browser() {
    if !inside("a_person_adds_runs_watches_and_downloads_in_a_browser", "") {
        return;
    }
    if !has_chromedriver() {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22, 6379]);
    let folder = Folder::new("portscan-web-browser");
    let web = Web::start(&folder.0.join("scans.rdb"), &[]);
    let browser = Browser::start(&folder.0);
    browser.command("url", &json!({ "url": format!("http://{}/", web.addr) }));
    assert_eq!(
        browser.run("return document.documentElement.scrollWidth <= innerWidth"),
        true,
        "it fits a phone"
    );

    assert_eq!(
        browser.run("return performance.getEntriesByType('resource').every(e => e.name.startsWith(location.origin))"),
        true,
        "nothing comes from outside"
    );

    // By keyboard alone: Tab to the hosts, type, Tab to the ports, type, Enter.
    browser.keys("\u{e004}127.0.0.1\u{e004}1-65535\u{e007}");
    browser.wait_for_state("done");
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
        Some(browser.text("error")).filter(|text| !text.is_empty())
    });
    assert!(message.contains("octet 300 exceeds 255"), "{message}");
}

#[test]
fn a_person_stops_a_scan_and_sees_what_changed_by_keyboard_alone() {
    let test = "a_person_stops_a_scan_and_sees_what_changed_by_keyboard_alone";
    if !inside(test, "") || !has_chromedriver() || !add_slow_address() {
        return;
    }
    listen(Ipv4Addr::LOCALHOST.into(), &[22]);
    listen(SLOW.parse().unwrap(), &[22]);
    let folder = Folder::new("portscan-web-keyboard");
    let web = Web::start(&folder.0.join("scans.rdb"), &[]);
    let browser = Browser::start(&folder.0);
    let page = json!({ "url": format!("http://{}/", web.addr) });
    let scan = |targets: &str, ports: &str| {
        browser.command("url", &page);
        // Tab to the hosts, type, Tab to the ports, type over what stands there, Enter.
        browser.keys(&format!("\u{e004}{targets}\u{e004}{ports}\u{e007}"));
        wait_for("the scan to begin", || {
            (browser.run("return document.getElementById('job').hidden") == false).then_some(())
        });
    };
    // It would take three minutes.
    scan("10.9.9.1-14", "1-65535");
    browser.tab_to_and_press("#stop");
    browser.wait_for_state("stopped");
    let status = browser.text("status");
    assert!(
        !status.contains("917490 of") && status.starts_with("stopped, "),
        "{status}"
    );
    let shown = ask(&web.addr, "GET /jobs/1", &Value::Null);
    assert_eq!(shown["job"]["status"], "stopped");
    assert_eq!(
        browser.run("return document.getElementById('stop').hidden"),
        true
    );

    for port in [None, Some(23)] {
        port.into_iter()
            .for_each(|port| listen(Ipv4Addr::LOCALHOST.into(), &[port]));
        scan("127.0.0.1", "20-30");
        browser.wait_for_state("done");
    }
    let row =
        "return [...document.getElementById('jobs').rows[0].cells].map(cell => cell.textContent)";
    let row = wait_for("the list", || {
        Some(browser.run(row)).filter(|row| row[2] == "done")
    });
    assert_eq!(
        (&row[0], &row[3], &row[4]),
        (
            &json!("3: 127.0.0.1 20-30"),
            &json!("2"),
            &json!("1 changed")
        )
    );

    // Another day: the page is opened again, and the scan found in the list.
    browser.command("url", &page);
    wait_for("the list", || {
        (browser.run("return document.getElementById('jobs').rows.length") == 3).then_some(())
    });
    browser.tab_to_and_press("#jobs tr:first-child button");
    browser.wait_for_state("done");
    assert_eq!(browser.text("title"), "Scan 3: 127.0.0.1 ports 20-30");
    assert_eq!(
        browser.text("notes"),
        "Changed since the scan before:\n127.0.0.1 port 23: closed -> open"
    );
    for (format, needle) in [
        ("json", "\"hosts\""),
        ("xml", "<nmaprun"),
        ("csv", ";tcp;23;"),
    ] {
        browser.tab_to_and_press(&format!("#download-{format}"));
        let file = folder.0.join(format!("portscan-3.{format}"));
        wait_for("the download", || {
            let text = fs::read_to_string(&file).ok()?;
            text.contains(needle).then_some(())
        });
    }
}

#[test]
fn serve() {
    common::serve();
}
