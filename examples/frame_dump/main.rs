//! Shows frames with their header fields: those in a capture, or those of a connection as they pass by.
//!
//!     tcpdump -i lo -w session.pcap port 8888                        # or tshark, dumpcap, Wireshark
//!     cargo run --example frame-dump -- session.pcap                 # pcap or pcapng, both directions
//!     cargo run --example frame-dump -- requests.bin                 # the bytes of one direction, from a client
//!     cargo run --example frame-dump -- --replies replies.bin        # the same, from a server
//!     cargo run --example frame-dump -- --listen localhost:9999 --to localhost:8888 --record session
//!
//! The last form is a proxy: clients connect to it, it connects to the server, and with `--record` it leaves
//! `session.1.requests` and `session.1.replies`, which the forms before show again.

mod capture;
mod dump;
mod proxy;
mod tcp;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use framed_echo::{ReplyHeader, RequestHeader};

use crate::dump::{Dump, Shown};

/// Shows the frames of a capture file, or of a live connection that it passes on.
#[derive(Parser)]
struct Args {
    /// A capture (pcap or pcapng), or the bytes of one direction of a connection; `-` for the standard input.
    #[arg(required_unless_present = "listen")]
    file: Option<PathBuf>,
    /// The server's port in a capture: what goes there are requests, what comes from there are replies.
    #[arg(long, default_value_t = 8888, conflicts_with = "listen")]
    port: u16,
    /// The file holds requests and nothing else, whatever it begins with.
    #[arg(long, requires = "file")]
    requests: bool,
    /// The file holds replies, from a server, and nothing else.
    #[arg(long, requires = "file", conflicts_with = "requests")]
    replies: bool,
    /// Accept connections here and pass them on.
    #[arg(
        long,
        requires = "to",
        conflicts_with = "file",
        value_name = "HOST:PORT"
    )]
    listen: Option<String>,
    /// The server that connections are passed on to.
    #[arg(long, requires = "listen", value_name = "HOST:PORT")]
    to: Option<String>,
    /// Write what passes to NAME.N.requests and NAME.N.replies, N being the connection.
    #[arg(long, requires = "listen", value_name = "NAME")]
    record: Option<PathBuf>,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    let result = match (&args.listen, &args.to) {
        (Some(listen), Some(to)) => proxy::proxy(listen, to, args.record.as_deref()).await,
        _ => show_file(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe may stop early.
        Err(error)
            if error.downcast_ref().map(io::Error::kind) == Some(io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("frame-dump: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show_file(args: &Args) -> Result<(), Error> {
    let path = args.file.as_deref().unwrap_or("-".as_ref());
    let mut file: Box<dyn BufRead + Send> = match path.to_str() {
        Some("-") => Box::new(BufReader::new(io::stdin())),
        _ => {
            let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Box::new(BufReader::new(file))
        }
    };
    if args.replies {
        return show_bytes::<ReplyHeader>(file);
    }
    if !args.requests && capture::is_capture(file.fill_buf()?) {
        return capture::show(file, args.port);
    }
    show_bytes::<RequestHeader>(file)
}

/// Shows one direction of a connection.
fn show_bytes<H: Shown>(mut file: impl Read) -> Result<(), Error> {
    let mut dump = Dump::<H>::new(String::new());
    let mut chunk = [0; 64 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return dump.finish(),
            len => dump.feed(&chunk[..len])?,
        }
    }
}
