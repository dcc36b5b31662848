//! A Redis-compatible server.
//!
//!     cargo run --release --example kv-server -- --port 6379

use kv_server::Server;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().skip_while(|arg| arg != "--port").nth(1);
    let port = port.map_or(Ok(6379), |port| port.parse())?;
    let server = Server::builder().port(port).threads(1).start().await?;
    println!("ready to accept connections at {}", server.url());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
