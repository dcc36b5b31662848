//! Where scans are kept: a kv-server, by its client. One hash for each scan, so that what belongs together is written together.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use kv_client::{Client, Config};
use kv_server::Server;
use tokio::sync::Mutex;

pub struct Store {
    client: Client,
    embedded: Option<Embedded>,
}

/// The server in this process, which listens nowhere, and how much of what it was told is in its file.
struct Embedded {
    server: Arc<Server>,
    written: AtomicU64,
    saved: Mutex<u64>,
}

impl Store {
    /// Uses a server that runs elsewhere, and leaves it to that server when it saves.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let client = Client::connect(url)
            .await
            .context("connecting to the store failed")?;
        Ok(Self {
            client,
            embedded: None,
        })
    }

    /// Starts a server in this process, with what it had saved in `file`.
    pub async fn embedded(file: &Path) -> anyhow::Result<Self> {
        let server = Server::builder().no_tcp().snapshot(file).start().await?;
        let server = Arc::new(server);
        let listening = Arc::clone(&server);
        let connect = move || std::future::ready(Ok(listening.connect()));
        let client = Client::connect(Config::connector(connect))
            .await
            .context("connecting to the embedded store failed")?;
        let embedded = Embedded {
            server,
            written: AtomicU64::new(0),
            saved: Mutex::new(0),
        };
        Ok(Self {
            client,
            embedded: Some(embedded),
        })
    }

    /// A number that no scan has had.
    pub async fn next_id(&self) -> anyhow::Result<u64> {
        let id = self.client.incr(LAST).await?;
        Ok(u64::try_from(id)?)
    }

    /// The newest number.
    pub async fn last_id(&self) -> anyhow::Result<u64> {
        let last: Option<u64> = self.client.get(LAST).into().await?;
        Ok(last.unwrap_or(0))
    }

    /// Writes fields of a scan, all of them or none, and returns when they outlast this process.
    pub async fn put(&self, id: u64, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        self.client.hset(key(id), fields).await?;
        self.client.expire(key(id), KEPT).await?;
        self.save().await
    }

    pub async fn get(&self, id: u64, field: &str) -> anyhow::Result<Option<String>> {
        Ok(self.client.hget(key(id), field).into().await?)
    }

    /// Forgets a field; that it is gone is saved with whatever is written next.
    pub async fn forget(&self, id: u64, field: &str) -> anyhow::Result<()> {
        self.client.hdel(key(id), field).await?;
        Ok(())
    }

    /// Saves the embedded server's data. Those who wait for one another's turn are served by one snapshot.
    async fn save(&self) -> anyhow::Result<()> {
        let Some(embedded) = &self.embedded else {
            return Ok(());
        };
        let mine = embedded.written.fetch_add(1, Ordering::SeqCst) + 1;
        let mut saved = embedded.saved.lock().await;
        if *saved < mine {
            let written = embedded.written.load(Ordering::SeqCst);
            embedded.server.save().await?;
            *saved = written;
        }
        Ok(())
    }
}

fn key(id: u64) -> String {
    format!("portscan:scan:{id}")
}

const LAST: &str = "portscan:last";

/// How long scans are remembered.
const KEPT: Duration = Duration::from_secs(180 * 24 * 3600);
