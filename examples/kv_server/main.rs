//! A Redis-compatible server that takes redis-server's command line.
//!
//!     cargo run --release --example kv-server                  # 127.0.0.1:6379
//!     cargo run --release --example kv-server -- --port 7777 --requirepass secret
//!     cargo run --release --example kv-server -- start         # in the background; stop, restart, status

mod allocator;
mod daemon;
mod options;

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use kv_server::Server;
use options::{Action, HELP, Options};
use tokio::signal::unix::{SignalKind, signal};

/// The least CPU time of three (`kv_compare` with `--redis` naming a build with another one): jemalloc 5.3 takes 1.0 of it at pipeline 1 and 1.14 to
/// 1.3 at 16 and 100, glibc 1.0 and 1.19 to 1.34. For a key with 64 bytes jemalloc takes 118 bytes, mimalloc 122, glibc 128. And glibc stalled for
/// up to 2 s while millions of short entries were removed (`kv_table`).
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprint!("kv-server: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprint!(": {cause}");
                source = cause.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let options = Options::parse()?;
    let pid_file = options.pid_file();
    match options.action {
        Action::Version => {
            let bits = usize::BITS;
            println!(
                "Redis server v={} sha=00000000:0 malloc=mimalloc bits={bits} build=kv-server-{}",
                kv_server::REDIS_VERSION,
                env!("CARGO_PKG_VERSION")
            );
        }
        Action::Help => println!("{HELP}"),
        Action::Status => {
            let Some(pid) = daemon::running(&pid_file)? else {
                println!("not running");
                return Ok(ExitCode::from(3)); // as `systemctl status` and init scripts do
            };
            println!("running, process {pid}");
        }
        Action::Stop => match daemon::stop(&pid_file)? {
            Some(pid) => println!("stopped, process {pid}"),
            None => println!("not running"),
        },
        Action::Start | Action::Restart => {
            if daemon::enter_background()? {
                return serve(&options);
            }
            if matches!(options.action, Action::Restart) {
                daemon::stop(&pid_file)?;
            }
            drop(options.builder()?); // tells of mistakes while there is a terminal
            daemon::start(&pid_file)?;
        }
        Action::Run => return serve(&options),
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves until a signal or SHUTDOWN.
fn serve(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    log_to(options)?;
    keep_pages_small(options.disable_thp);
    let in_background = matches!(options.action, Action::Start | Action::Restart);
    let wants_pid_file = in_background || options.pid_file.is_some();
    let _pid_file = wants_pid_file
        .then(|| daemon::PidFile::create(&options.pid_file()))
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let server = options.builder()?.start().await?;
        announce(&server)?;
        loop {
            let signal = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                () = server.shutdown_requested() => break,
            };
            tracing::info!(signal, "shutting down");
            match shut_down(&server).await {
                Ok(()) => break,
                Err(error) => tracing::error!(%error, signal, "the server goes on"),
            }
        }
        server.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Redis's default too: the kernel may take tens of milliseconds to make a huge page while a client waits.
fn keep_pages_small(disable_thp: bool) {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_thp_disable(disable_thp) {
        tracing::warn!(%error, "huge pages stay as they are");
    }
}

/// What a client's SHUTDOWN does: if the data is to be saved and cannot be, the server goes on.
async fn shut_down(server: &Server) -> Result<(), kv_server::ReplyError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let db = server.db(0);
    // A snapshot in the background comes to its end first.
    while is_saving(&db)? {
        tokio::time::sleep(PAUSE).await;
    }
    db.call(["SHUTDOWN"]).map(drop)
}

fn is_saving(db: &kv_server::Db<'_>) -> Result<bool, kv_server::ReplyError> {
    let info = db.call(["INFO", "persistence"])?;
    Ok(info
        .as_str()
        .is_some_and(|text| text.contains("rdb_bgsave_in_progress:1")))
}

/// The one line on standard output; nobody may be listening.
fn announce(server: &Server) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "kv-server (Redis {}), process {}: Ready to accept connections at {}",
        kv_server::REDIS_VERSION,
        std::process::id(),
        server.url()
    )?;
    out.flush()
}

fn log_to(options: &Options) -> std::io::Result<()> {
    let log = tracing_subscriber::fmt()
        .with_max_level(options.log_level)
        .with_ansi(false);
    match &options.log_file {
        Some(path) => log
            .with_writer(OpenOptions::new().append(true).create(true).open(path)?)
            .init(),
        None => log.with_writer(std::io::stderr).init(),
    }
    Ok(())
}
