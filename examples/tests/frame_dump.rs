//! The program `frame-dump`: captures of real programs, and captures as bad as networks make them.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

use std::{
    env, fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use etherparse::PacketBuilder;

/// Runs the program. `cargo test -p examples` builds it beside this test; `--test frame_dump` alone does not.
fn dump(args: &[&str], input: &[u8]) -> Output {
    let test = env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/frame-dump");
    assert!(
        program.exists(),
        "cargo build -p examples --example frame-dump"
    );
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input); // it may not want all of it
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<&str> {
    std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .collect()
}

/// A request from 1 to 2.
fn request(body: &str) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap();
    [
        &b"\0\0\0\x01\0\0\0\x02\x01"[..],
        &len.to_be_bytes(),
        body.as_bytes(),
    ]
    .concat()
}

/// A capture of raw IP packets.
struct Capture {
    bytes: Vec<u8>,
    port: u16,
}

const CLIENT: [u8; 4] = [192, 0, 2, 1];
const SERVER: [u8; 4] = [192, 0, 2, 2];

impl Capture {
    fn new(port: u16) -> Self {
        let numbers: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 101];
        let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        Self { bytes, port }
    }

    fn packet(&mut self, packet: &[u8]) {
        let len = u32::try_from(packet.len()).unwrap();
        for number in [0, 0, len, len] {
            self.bytes.extend(u32::to_le_bytes(number));
        }
        self.bytes.extend(packet);
    }

    fn syn(&mut self, sequence: u32) {
        let builder =
            PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(50_000, self.port, sequence, 1000);
        let mut packet = Vec::new();
        builder.syn().write(&mut packet, &[]).unwrap();
        self.packet(&packet);
    }

    /// From the client.
    fn data(&mut self, sequence: u32, bytes: &[u8]) {
        let builder =
            PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(50_000, self.port, sequence, 1000);
        let mut packet = Vec::new();
        builder.ack(1).write(&mut packet, bytes).unwrap();
        self.packet(&packet);
    }

    fn fin(&mut self, sequence: u32) {
        let builder =
            PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(50_000, self.port, sequence, 1000);
        let mut packet = Vec::new();
        builder.fin().ack(1).write(&mut packet, &[]).unwrap();
        self.packet(&packet);
    }

    fn reset(&mut self, sequence: u32) {
        let builder =
            PacketBuilder::ipv4(CLIENT, SERVER, 64).tcp(50_000, self.port, sequence, 1000);
        let mut packet = Vec::new();
        builder.rst().write(&mut packet, &[]).unwrap();
        self.packet(&packet);
    }
}

const CONNECTED: &str = "1 connected from 192.0.2.1:50000";
const HI: &str = r#"1 00000000 request sender=1 receiver=2 kind=text (1) length=2 "hi""#;
const YOU: &str = r#"1 0000000f request sender=1 receiver=2 kind=text (1) length=3 "you""#;

#[test]
fn captures_of_tcpdump_and_of_tshark_show_both_directions() {
    for file in ["session.pcap", "session.pcapng"] {
        let path = format!("{}/tests/captures/{file}", env!("CARGO_MANIFEST_DIR"));
        let output = dump(&[&path], b"");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            lines(&output),
            [
                "1 connected from 127.0.0.1:53386",
                r#"1 00000000 request sender=10000000 receiver=10000001 kind=text (1) length=18 "你好,世界 👋""#,
                r#"1 00000000 reply sender=10000000 kind=text (1) length=18 "你好,世界 👋""#,
                "1 0000001f request sender=10000000 receiver=10000001 kind=picture (2) length=6 89504e470d0a",
                "1 00000032 request sender=10000000 receiver=10000001 kind=9 length=1 3f",
                r#"1 00000040 request sender=10000000 receiver=10000001 kind=text (1) length=16 "two in one write""#,
                "1 0000001b reply sender=10000000 kind=picture (2) length=6 89504e470d0a",
                "1 0000002a reply sender=10000000 kind=9 length=1 3f",
                r#"1 00000034 reply sender=10000000 kind=text (1) length=16 "two in one write""#,
                "1 closed",
            ],
            "{file}"
        );
        let piped = dump(&["-"], &fs::read(&path).unwrap());
        assert_eq!(piped.stdout, output.stdout, "{file} through a pipe");
    }
}

#[test]
fn packets_late_twice_overlapping_and_around_the_end_of_the_numbers_are_put_in_order() {
    let bytes = [request("hi"), request("you")].concat();
    let first = u32::MAX - 4; // numbers wrap around inside the first header
    let at = |offset: usize| {
        first
            .wrapping_add(1)
            .wrapping_add(u32::try_from(offset).unwrap())
    };
    let mut capture = Capture::new(8888);
    capture.syn(first);
    capture.data(at(20), &bytes[20..]);
    capture.syn(first);
    capture.data(at(0), &bytes[..10]);
    capture.data(at(0), &bytes[..10]);
    capture.data(at(5), &bytes[5..25]);
    capture.fin(at(bytes.len()));
    let output = dump(&["-"], &capture.bytes);
    assert_eq!(lines(&output), [CONNECTED, HI, YOU]);
}

#[test]
fn a_hole_in_the_capture_is_named_and_what_came_before_is_shown() {
    let bytes = [request("hi"), request("you")].concat();
    let mut capture = Capture::new(8888);
    capture.syn(100);
    capture.data(101, &bytes[..17]);
    capture.data(101 + 21, &bytes[21..]);
    let output = dump(&["-"], &capture.bytes);
    let hole = "1 requests: 4 bytes behind byte 17 are not in the capture";
    assert_eq!(lines(&output), [CONNECTED, HI, hole]);
}

#[test]
fn a_capture_may_begin_and_end_in_the_middle() {
    let bytes = [request("hi"), request("you")].concat();
    let mut capture = Capture::new(8888);
    capture.data(7, &bytes[..20]);
    let output = dump(&["-"], &capture.bytes);
    let begins = "1 requests: the capture begins inside the connection";
    let ends = "1 requests: the capture ends inside a frame";
    assert_eq!(lines(&output), [CONNECTED, begins, HI, ends]);
}

#[test]
fn the_same_ports_again_are_another_connection_and_other_ports_none() {
    let mut capture = Capture::new(9000);
    for sequence in [1000, 5000] {
        capture.syn(sequence);
        capture.data(sequence + 1, &request("hi"));
    }
    capture.reset(5016);
    let output = dump(&["-", "--port", "9000"], &capture.bytes);
    let again = CONNECTED.replacen('1', "2", 1);
    let hi = HI.replacen('1', "2", 1);
    let expected = [CONNECTED, HI, "1 closed", &again, &hi, "2 closed"];
    assert_eq!(lines(&output), expected);
    assert!(
        dump(&["-"], &capture.bytes).stdout.is_empty(),
        "none on port 8888"
    );
}

#[test]
fn a_capture_that_is_cut_off_is_shown_up_to_there_and_is_an_error() {
    let mut capture = Capture::new(8888);
    capture.syn(100);
    capture.data(101, &request("hi"));
    capture.data(116, &request("you"));
    capture.bytes.truncate(capture.bytes.len() - 5);
    let output = dump(&["-"], &capture.bytes);
    assert_eq!(lines(&output), [CONNECTED, HI]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("damaged or cut off"), "{stderr}");
}

#[test]
fn the_bytes_of_one_direction_need_no_packets() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("frame-dump-requests");
    fs::write(&path, [request("hi"), request("you")].concat()).unwrap();
    let output = dump(&[path.to_str().unwrap()], b"");
    let bare = |line: &str| line.strip_prefix("1 ").unwrap().to_owned();
    assert_eq!(lines(&output), [bare(HI), bare(YOU)]);

    let reply = b"\0\0\0\x01\x01\0\0\0\x02hi";
    let output = dump(&["-", "--replies"], reply);
    assert_eq!(
        lines(&output),
        [r#"00000000 reply sender=1 kind=text (1) length=2 "hi""#]
    );
    let output = dump(&["-", "--replies"], &reply[..10]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("at byte 0: stream ended inside a body"),
        "{stderr}"
    );
}
