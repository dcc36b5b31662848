//! Passes connections on, and shows what passes.

use std::{fs::File, io::Write, path::Path};

use framed_echo::{ReplyHeader, RequestHeader};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    Error,
    dump::{Dump, Shown},
};

pub(crate) async fn proxy(listen: &str, to: &str, record: Option<&Path>) -> Result<(), Error> {
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
