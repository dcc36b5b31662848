//! The subject of a certificate, as shown by a server that is not ours.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

mod common;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use portscan::{Scanner, Technique};

use crate::common::{inside, listen, shell};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn the_subject_is_read_without_being_trusted() {
    if !inside("the_subject_is_read_without_being_trusted", "") {
        return;
    }
    let folder = std::env::temp_dir().join(format!("portscan-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let made = shell(&format!(
        "cd {} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 \
         -subj '/CN=scan.example/O=Tests' 2>/dev/null",
        folder.display()
    ));
    if !made {
        return;
    }
    let mut server = Command::new("openssl")
        .args([
            "s_server", "-accept", "8443", "-cert", "cert.pem", "-key", "key.pem", "-quiet",
        ])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while TcpStream::connect((V4, 8443)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the server does not start"
        );
        thread::sleep(Duration::from_millis(10));
    }
    // Something that does not speak TLS stands beside it.
    listen(V4, &[8442]);
    for technique in [Technique::Connect, Technique::Syn] {
        let scanner = Scanner::new("127.0.0.1", "8440-8445")
            .unwrap()
            .technique(technique);
        let report = scanner
            .tls_subjects(true)
            .service_timeout(Duration::from_secs(60))
            .run()
            .await
            .unwrap();
        let host = report.host(V4).unwrap();
        assert_eq!(
            host.port(8443).unwrap().tls_subject(),
            Some("CN=scan.example, O=Tests"),
            "{technique:?}"
        );
        assert_eq!(host.port(8442).unwrap().tls_subject(), None);
    }
    server.kill().unwrap();
    server.wait().unwrap();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn serve() {
    common::serve();
}
