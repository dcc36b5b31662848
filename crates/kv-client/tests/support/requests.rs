//! Requests as a server that a test plays reads them: arguments without line ends.

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

/// The next one; `None` at the end of the connection.
pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = line(stream).await?[1..].parse().ok()?;
    let mut args = Vec::new();
    for _ in 0..count {
        line(stream).await?;
        args.push(line(stream).await?);
    }
    Some(args)
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}
