//! The client and a name with two addresses of which one is silent, in a network namespace of its own.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use framed_echo::{Message, client::Client, server::Server};

/// A namespace in which `two.test` has an IPv6 address that nobody has, behind an interface that is up, and an IPv4
/// address of this machine.
const NETWORK: &str = "mount --bind $HOSTS /etc/hosts \
    && ip link set lo up \
    && ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up \
    && ip -6 addr add 2001:db8::1/64 dev v0 nodad && ip addr add 10.66.0.1/24 dev v0";

const HOSTS: &str = "127.0.0.1 localhost\n2001:db8::2 two.test\n10.66.0.1 two.test\n";

const TEST: &str = "a_silent_ipv6_address_costs_a_quarter_of_a_second";

#[tokio::test]
async fn a_silent_ipv6_address_costs_a_quarter_of_a_second() {
    if env::var_os("FRAMED_ECHO_NAMESPACE").is_none() {
        return run_inside();
    }
    let server = Server::builder()
        .bind("10.66.0.1:0")
        .start()
        .await
        .expect("a free port");
    let port = server.local_addr().port();
    // A resolver that does not read the file, or that prefers IPv4, leaves nothing to wait for.
    let order = tokio::net::lookup_host(("two.test", port)).await;
    let is_v6_first = order.is_ok_and(|mut found| found.next().is_some_and(|a| a.is_ipv6()));
    if !is_v6_first {
        eprintln!("skipped: the resolver does not put the IPv6 address of /etc/hosts first");
        return;
    }

    let begun = Instant::now();
    let builder = Client::builder(format!("two.test:{port}")).id(1);
    let (client, _incoming) = builder
        .connect_timeout(Duration::from_secs(60))
        .connect()
        .await
        .expect("the IPv4 address answers");
    // Sooner would mean that the silent address was not waited for at all.
    assert!(begun.elapsed() >= Duration::from_millis(250));
    let echo = client.request(Message::text(1, 2, "hi"), Duration::from_secs(60));
    assert_eq!(echo.await.expect("an echo").body, "hi");
}

/// Runs this test again in a namespace, or passes with a message where that is not permitted.
fn run_inside() {
    let hosts = env::temp_dir().join(format!("framed-echo-hosts-{}", std::process::id()));
    fs::write(&hosts, HOSTS).expect("a temporary file");
    let inside = |flags: &[&str], script: &str| {
        let mut command = Command::new("unshare");
        command.args(flags).args(["sh", "-c", script]);
        command
            .arg(env::current_exe().expect("this program"))
            .env("HOSTS", &hosts)
            .env("FRAMED_ECHO_NAMESPACE", "1");
        command
    };
    let candidates: [&[&str]; 2] = [
        &["--net", "--mount"],
        &["--map-root-user", "--net", "--mount"],
    ];
    let works = |flags: &&&[&str]| {
        let mut probe = inside(flags, NETWORK);
        let status = probe.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    match candidates.iter().find(works) {
        None => eprintln!(
            "skipped: {TEST} needs a network namespace (unshare, ip, mount), which is not permitted here"
        ),
        Some(flags) => {
            let script = format!("{NETWORK} && exec \"$0\" --exact {TEST} --nocapture");
            let status = inside(flags, &script).status().expect("ran just now");
            assert!(status.success(), "{TEST} failed inside its namespace");
        }
    }
    fs::remove_file(hosts).expect("written above");
}
