//! Shows frames with their header fields: those in a file, or those of a connection as they pass by.
//!
//!     cargo run --example frame-dump -- requests.bin                 # bytes from a client
//!     cargo run --example frame-dump -- --replies replies.bin        # bytes from a server
//!     cargo run --example frame-dump -- --listen localhost:9999 --to localhost:8888 --record session
//!
//! The last form is a proxy: clients connect to it, it connects to the server, and with `--record` it leaves
//! `session.1.requests` and `session.1.replies`, which the first two forms show again.

use std::{
    fmt::Debug,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use bytes::{Bytes, BytesMut};
use clap::Parser;
use framed_echo::{
    Codec, Header, Item, Kind, Limits, ReplyHeader, RequestHeader,
    control::{FromClient, FromServer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::codec::Decoder;

/// Shows the frames of a capture file, or of a live connection that it passes on.
#[derive(Parser)]
struct Args {
    /// The bytes of one direction of a connection; `-` for the standard input.
    #[arg(required_unless_present = "listen")]
    file: Option<PathBuf>,
    /// The file holds replies, from a server, and not requests.
    #[arg(long, requires = "file")]
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
    let result = match (&args.file, &args.listen, &args.to) {
        (Some(file), ..) if args.replies => dump_file::<ReplyHeader>(file),
        (Some(file), ..) => dump_file::<RequestHeader>(file),
        (None, Some(listen), Some(to)) => proxy(listen, to, args.record.as_deref()).await,
        _ => Ok(()), // clap has seen to it that this cannot be
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

fn dump_file<H: Shown>(path: &Path) -> Result<(), Error> {
    let mut file: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?),
    };
    let mut dump = Dump::<H>::new(String::new());
    let mut chunk = [0; 64 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return dump.finish(),
            len => dump.feed(&chunk[..len])?,
        }
    }
}

async fn proxy(listen: &str, to: &str, record: Option<&Path>) -> Result<(), Error> {
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("{listen}: {error}"))?;
    println!("listening on {}", listener.local_addr()?);
    for number in 1_u64.. {
        let (client, address) = listener.accept().await?;
        println!("{number} connected from {address}");
        let (to, record) = (to.to_owned(), record.map(Path::to_owned));
        tokio::spawn(async move {
            match pass_on(number, client, &to, record.as_deref()).await {
                Ok(()) => println!("{number} closed"),
                Err(error) => println!("{number} failed: {error}"),
            }
        });
    }
    Ok(())
}

async fn pass_on(
    number: u64,
    mut client: TcpStream,
    to: &str,
    record: Option<&Path>,
) -> Result<(), Error> {
    let mut server = TcpStream::connect(to)
        .await
        .map_err(|error| format!("{to}: {error}"))?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        half::<RequestHeader>(number, from_client, to_server, record),
        half::<ReplyHeader>(number, from_server, to_client, record),
    )?;
    Ok(())
}

/// Passes one direction on, and shows it. Bytes go out before they are decoded, whatever they are.
async fn half<H: Shown>(
    number: u64,
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    record: Option<&Path>,
) -> Result<(), Error> {
    let mut file = match record {
        Some(name) => Some(File::create(format!(
            "{}.{number}.{}",
            name.display(),
            H::FILE
        ))?),
        None => None,
    };
    let mut dump = Dump::<H>::new(format!("{number} "));
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let len = from.read(&mut chunk).await?;
        if len == 0 {
            to.shutdown().await?;
            return dump.finish();
        }
        to.write_all(&chunk[..len]).await?;
        if let Some(file) = &mut file {
            file.write_all(&chunk[..len])?;
        }
        dump.feed(&chunk[..len])?;
    }
}

/// Decodes one direction and prints a line for each frame, with the offset of its first byte.
struct Dump<H> {
    prefix: String,
    codec: Codec<H>,
    buffer: BytesMut,
    /// Where the next frame begins.
    offset: u64,
    /// Bytes of the large body that passes, if one does.
    large: u32,
}

/// Bodies longer than this are not shown, only counted.
const SHOWN_BYTES: u32 = 1024 * 1024;

impl<H: Shown> Dump<H> {
    fn new(prefix: String) -> Self {
        let limits = (0..=u8::MAX).fold(Limits::default(), |limits, kind| {
            limits.with(Kind(kind), u32::MAX)
        });
        Self {
            prefix,
            codec: Codec::new().limits(limits).chunked(SHOWN_BYTES),
            buffer: BytesMut::new(),
            offset: 0,
            large: 0,
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        while let Some(item) = self.codec.decode(&mut self.buffer)? {
            self.show(item)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        match self.codec.decode_eof(&mut self.buffer) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("at byte {}: {error}", self.offset).into()),
        }
    }

    fn show(&mut self, item: Item<H>) -> io::Result<()> {
        let (header, len, shown) = match item {
            Item::Frame(frame) => {
                let len = u32::try_from(frame.body.len()).unwrap_or(u32::MAX);
                (frame.header, len, frame.header.describe(frame.body))
            }
            Item::Start { header, len } => {
                self.large = len;
                (header, len, "...".to_owned())
            }
            Item::Chunk { left, .. } => {
                if left == 0 {
                    self.offset += u64::from(std::mem::take(&mut self.large));
                }
                return Ok(());
            }
            Item::TooLong { header, len, .. } => (header, len, "...".to_owned()),
        };
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{}{:08x} {} {} length={len} {shown}",
            self.prefix,
            self.offset,
            H::NAME,
            header.fields()
        )?;
        self.offset += H::LEN as u64;
        if self.large == 0 {
            self.offset += u64::from(len);
        }
        Ok(())
    }
}

/// A header that can be shown.
trait Shown: Header {
    const NAME: &'static str;

    /// The ending of a file that holds many of them.
    const FILE: &'static str;

    fn fields(&self) -> String;

    fn control(kind: Kind, body: Bytes) -> Option<String>;

    fn describe(&self, body: Bytes) -> String {
        match Self::control(self.kind(), body.clone()) {
            Some(control) => control,
            None if self.kind() == Kind::TEXT => match std::str::from_utf8(&body) {
                Ok(text) => format!("{text:?}"),
                Err(error) => format!("{} (not UTF-8: {error})", hex(&body)),
            },
            None => hex(&body),
        }
    }
}

impl Shown for RequestHeader {
    const NAME: &'static str = "request";
    const FILE: &'static str = "requests";

    fn fields(&self) -> String {
        format!(
            "sender={} receiver={} kind={}",
            self.sender, self.receiver, self.kind
        )
    }

    fn control(kind: Kind, body: Bytes) -> Option<String> {
        FromClient::decode(kind, body).map(show_control)
    }
}

impl Shown for ReplyHeader {
    const NAME: &'static str = "reply";
    const FILE: &'static str = "replies";

    fn fields(&self) -> String {
        format!("sender={} kind={}", self.sender, self.kind)
    }

    fn control(kind: Kind, body: Bytes) -> Option<String> {
        FromServer::decode(kind, body).map(show_control)
    }
}

fn show_control<C: Debug, E: ToString>(control: Result<C, E>) -> String {
    match control {
        Ok(control) => format!("{control:?}"),
        Err(error) => error.to_string(),
    }
}

/// The first bytes, in hex.
fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;

    let digits: String = bytes
        .iter()
        .take(SHOWN)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if bytes.len() > SHOWN {
        digits + "..."
    } else {
        digits
    }
}
