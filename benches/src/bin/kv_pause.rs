//! The longest single pause of a client: while ten million keys are set, while a snapshot is written meanwhile, and while all is removed.
//!
//!     MIMALLOC_ALLOW_THP=0 cargo run --release -p benches --bin kv_pause [-- KEYS]
//!
//! Without the variable the kernel may give huge pages, and makes some operations wait for them; the program `kv-server` refuses them.
//! In brackets: which operation it was.
//!
//! Each operation runs on the engine without a socket, so that a pause is the engine's. The same loop without an engine shows what the machine's
//! scheduler adds; on a busy machine that is most of it.

use std::time::{Duration, Instant};

use benches::flags::{self, Result};
use kv_server::Server;

/// As the program `kv-server`; see its comment.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VALUE: [u8; 64] = [b'v'; 64];

const USAGE: &str = "\
Usage: kv_pause [KEYS]

Times each operation while so many keys (10 million) are set, saved and removed. MIMALLOC_ALLOW_THP=0 keeps huge pages away.";

#[tokio::main]
async fn main() -> Result {
    let keys: u64 = match flags::words(USAGE).first() {
        Some(number) => number.parse()?,
        None => 10_000_000,
    };
    let dir = std::env::temp_dir().join(format!("kv-pause-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let server = Server::builder()
        .snapshot(dir.join("dump.rdb"))
        .start()
        .await?;
    let db = server.db(0);
    println!("{keys} keys of 14 bytes with values of 64");

    let mut idle = Pauses::default();
    for key in 0..keys {
        idle.time(|| std::hint::black_box(name(key)));
    }
    idle.print("the loop alone");

    let mut fill = Pauses::default();
    for key in 0..keys {
        fill.time(|| db.set(name(key), VALUE));
    }
    fill.print("SET of a new key");

    let began = Instant::now();
    let mut save = Box::pin(server.save());
    // Begins it, and leaves the writing to a thread.
    let begin = Instant::now();
    let mut saved = futures::FutureExt::now_or_never(&mut save);
    let begun = begin.elapsed();
    let mut meanwhile = Pauses::default();
    let mut key = 0;
    while saved.is_none() {
        for _ in 0..10_000 {
            key = (key + 7919) % keys;
            meanwhile.time(|| db.set(name(key), VALUE));
        }
        saved = futures::FutureExt::now_or_never(&mut save);
    }
    saved.ok_or("the snapshot has ended")??;
    drop(save);
    println!(
        "a snapshot took {:.1} s; its beginning {:.3} ms",
        began.elapsed().as_secs_f64(),
        ms(begun)
    );
    meanwhile.print("SET while it was written");

    let mut flush = Pauses::default();
    flush.time(|| db.flush());
    flush.print("FLUSHALL");
    let mut freed = Pauses::default();
    for key in 0..1_000_000 {
        freed.time(|| db.set(name(key), VALUE));
    }
    freed.print("SET while the memory is freed");
    server.shutdown().await;
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

/// A key of 14 bytes.
fn name(key: u64) -> [u8; 14] {
    let mut name = *b"key:0000000000";
    let mut rest = key;
    for digit in name[4..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    name
}

/// The longest few of many operations.
#[derive(Default)]
struct Pauses {
    count: u64,
    total: Duration,
    /// With the number of the operation.
    longest: Vec<(Duration, u64)>,
}

impl Pauses {
    fn time<T>(&mut self, operation: impl FnOnce() -> T) {
        let began = Instant::now();
        let _ = std::hint::black_box(operation());
        let took = began.elapsed();
        self.count += 1;
        self.total += took;
        if self.longest.last().is_none_or(|(least, _)| took > *least) {
            let at = self.longest.partition_point(|(longer, _)| *longer > took);
            self.longest.insert(at, (took, self.count));
            self.longest.truncate(5);
        }
    }

    fn print(&self, what: &str) {
        let longest: Vec<_> = self
            .longest
            .iter()
            .map(|(took, number)| format!("{:.3} ({number})", ms(*took)))
            .collect();
        #[allow(clippy::cast_precision_loss, reason = "for people to read")]
        let mean = self.total.as_secs_f64() * 1e9 / self.count as f64;
        println!(
            "{what}: {} operations, mean {mean:.0} ns, longest {} ms",
            self.count,
            longest.join(" ")
        );
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
