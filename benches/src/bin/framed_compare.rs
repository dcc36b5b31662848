//! framed-echo's echo server beside the same on tokio-util's `LengthDelimitedCodec` and a bare epoll loop in C.
//!
//!     cargo run --release -p benches --bin framed_compare [-- ROUNDS [SECONDS [CASE...]]]
//!
//! A case is BODY:CONNECTIONS:DEPTH, such as `16:50:16`; without one, all of [`CASES`] are measured.
//! Each server has one thread and is pinned to CPU 0, the load to CPU 1. Rounds go through the servers in turn, medians
//! are printed. CPU time is what the kernel accounts to the server's process (`/proc/PID/schedstat`), so it does not
//! depend on how busy the load generator is. The C program is compiled with `cc -O2`.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use benches::flags::{self, Result};
use bytes::{BufMut, BytesMut};
use framed_echo::{Kind, Request, RequestCodec, server::Server};
use futures::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::codec::{BytesCodec, Encoder, FramedWrite, LengthDelimitedCodec};

const USAGE: &str = "\
Usage: framed_compare [ROUNDS [SECONDS [CASE...]]]

Compares the echo server with LengthDelimitedCodec and a loop in C, 3 rounds of 1 second each. A case is
BODY:CONNECTIONS:DEPTH, such as 16:50:16; without one, all are measured.";

/// The servers, by the name under which this program runs as one of them. Two are on `LengthDelimitedCodec`: one sends
/// each echo as tokio's examples do, the other forwards the stream of requests, which flushes when no more are ready.
const SERVERS: [&str; 4] = ["framed-echo", "send", "forward", "epoll-c"];

/// Body bytes, connections, requests that a connection has under way.
type Case = (usize, usize, usize);

const CASES: [Case; 12] = [
    (16, 1, 1),
    (16, 50, 1),
    (16, 1000, 1),
    (16, 50, 16),
    (1024, 1, 1),
    (1024, 50, 1),
    (1024, 1000, 1),
    (1024, 50, 16),
    (65_536, 1, 1),
    (65_536, 50, 1),
    (65_536, 1000, 1),
    (65_536, 50, 4),
];

fn main() -> Result<()> {
    let args = flags::words(USAGE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if let [serve, name] = &args[..] {
        if serve == "serve" {
            return runtime.block_on(serve_as(name));
        }
    }
    let rounds = args.first().map_or(Ok(3), |rounds| rounds.parse())?;
    let seconds = args.get(1).map_or(Ok(1.0), |seconds| seconds.parse())?;
    let chosen: Vec<Case> = args
        .iter()
        .skip(2)
        .map(|case| parse_case(case))
        .collect::<Result<_>>()?;
    let cases = if chosen.is_empty() {
        &CASES[..]
    } else {
        &chosen
    };
    let epoll = compile()?;
    println!(
        "| body | connections | under way | server | messages/s | CPU µs/message | rate | CPU |"
    );
    println!("|---:|---:|---:|---|---:|---:|---:|---:|");
    for &(body, connections, depth) in cases {
        let mut samples = [const { Vec::new() }; SERVERS.len()];
        for _ in 0..rounds {
            for (name, samples) in SERVERS.iter().zip(&mut samples) {
                let server = Process::start(name, &epoll)?;
                let duration = Duration::from_secs_f64(seconds);
                samples.push(runtime.block_on(measure(
                    &server,
                    body,
                    connections,
                    depth,
                    duration,
                ))?);
            }
        }
        let medians = samples.map(median);
        for (name, (rate, cpu)) in SERVERS.iter().zip(medians) {
            let (our_rate, our_cpu) = medians[0];
            println!(
                "| {body} | {connections} | {depth} | {name} | {rate:.0} | {cpu:.2} | {:.2} | {:.2} |",
                our_rate / rate,
                our_cpu / cpu
            );
        }
    }
    Ok(())
}

fn parse_case(case: &str) -> Result<Case> {
    let numbers: Vec<usize> = case
        .split(':')
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    match numbers[..] {
        [body, connections, depth] => Ok((body, connections, depth)),
        _ => Err(format!("case {case} is not BODY:CONNECTIONS:DEPTH").into()),
    }
}

async fn serve_as(name: &str) -> Result<()> {
    match name {
        "framed-echo" => {
            let server = Server::builder().bind("127.0.0.1:0").start().await?;
            println!("{}", server.local_addr().port());
            std::future::pending().await
        }
        _ => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?.port());
            let forwards = name == "forward";
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(length_delimited(stream, forwards));
            }
        }
    }
}

/// The peer: tokio-util reads the frames.
async fn length_delimited(mut stream: TcpStream, forwards: bool) -> std::io::Result<()> {
    let (read, write) = stream.split();
    let mut codec = LengthDelimitedCodec::builder();
    codec
        .length_field_offset(9)
        .length_field_length(4)
        .length_adjustment(13)
        .num_skip(0);
    let mut replies = codec.new_read(read).map(|request| {
        let mut request = request?;
        // As in the C program: the echo begins four bytes into the request.
        request.copy_within(0..4, 4);
        Ok(request.split_off(4).freeze())
    });
    let mut write = FramedWrite::new(write, BytesCodec::new());
    if forwards {
        return replies.forward(write).await;
    }
    while let Some(reply) = replies.next().await {
        write.send(reply?).await?;
    }
    Ok(())
}

/// Builds the C program beside this one.
fn compile() -> Result<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/framed/epoll_echo.c");
    let binary = env::current_exe()?.with_file_name("epoll_echo");
    let status = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&binary)
        .arg(source)
        .status()?;
    if !status.success() {
        return Err("cc failed".into());
    }
    Ok(binary)
}

/// A server process, pinned to CPU 0.
struct Process {
    child: Child,
    port: u16,
}

impl Process {
    fn start(name: &str, epoll: &PathBuf) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]);
        if name == "epoll-c" {
            command.arg(epoll);
        } else {
            command.arg(env::current_exe()?).args(["serve", name]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let port = line.trim().parse()?;
        Ok(Self { child, port })
    }

    /// CPU time so far, of all threads.
    fn cpu(&self) -> Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += schedstat
                .split(' ')
                .next()
                .ok_or("empty schedstat")?
                .parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Messages a second and CPU microseconds a message.
async fn measure(
    server: &Process,
    body: usize,
    connections: usize,
    depth: usize,
    duration: Duration,
) -> Result<(f64, f64)> {
    let mut request = BytesMut::new();
    RequestCodec::new().encode(
        Request::new(1, 2, Kind::PICTURE, vec![7; body]),
        &mut request,
    )?;
    let mut batch = BytesMut::new();
    for _ in 0..depth {
        batch.put_slice(&request);
    }
    let batch = batch.freeze();
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let cpu = server.cpu()?;
    let start = Instant::now();
    let clients = streams.into_iter().map(|mut stream| {
        let batch = batch.clone();
        let replies = depth * (9 + body);
        tokio::spawn(async move {
            let mut buffer = vec![0; replies.min(128 * 1024)];
            let mut messages = 0;
            while start.elapsed() < duration {
                let (mut read, mut write) = stream.split();
                let receive = async {
                    let mut left = replies;
                    while left > 0 {
                        let max = left.min(buffer.len());
                        match read.read(&mut buffer[..max]).await? {
                            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                            len => left -= len,
                        }
                    }
                    Ok(())
                };
                tokio::try_join!(write.write_all(&batch), receive)?;
                messages += depth;
            }
            Ok::<_, std::io::Error>(messages)
        })
    });
    let mut messages = 0;
    for client in clients.collect::<Vec<_>>() {
        messages += client.await??;
    }
    let elapsed = start.elapsed();
    let cpu = server.cpu()? - cpu;
    let messages = messages as f64;
    Ok((
        messages / elapsed.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / messages,
    ))
}

fn median(samples: Vec<(f64, f64)>) -> (f64, f64) {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (rates, cpus) = samples.into_iter().unzip();
    (middle(rates), middle(cpus))
}
