//! Where jobs and reports are kept: a kv-server, by its client. Strings only, so that any server of the kind will do.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::Path,
    sync::Mutex,
    time::Duration,
};

use anyhow::Context;
use kv_client::Client;
use kv_server::Server;
use serde::{Serialize, de::DeserializeOwned};

pub struct Store {
    client: Client,
    /// The embedded server lives as long as the store.
    _server: Option<Server>,
}

impl Store {
    /// Uses a server that runs elsewhere.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let client = Client::connect(url)
            .await
            .context("connecting to the store failed")?;
        Ok(Self {
            client,
            _server: None,
        })
    }

    /// Starts a server in this process. Each change it makes is appended to a journal, and done again at the next start.
    pub async fn embedded(journal: &Path) -> anyhow::Result<Self> {
        let name = || format!("opening {} failed", journal.display());
        let (changes, whole) = read(journal).with_context(name)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(journal)
            .with_context(name)?;
        // A line that a crash cut off is not completed by the next one.
        file.set_len(whole)?;
        let file = Mutex::new(None::<File>);
        let file = std::sync::Arc::new(file);
        let journal_of = std::sync::Arc::clone(&file);
        let server = Server::builder()
            .on_write(move |effect| {
                let mut file = journal_of
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let Some(file) = file.as_mut() else { return };
                let words: Vec<_> = effect
                    .command
                    .iter()
                    .map(|word| String::from_utf8_lossy(word))
                    .collect();
                let line = serde_json::to_string(&words).unwrap_or_default() + "\n";
                if let Err(error) = file.write_all(line.as_bytes()) {
                    tracing::error!(%error, "the journal cannot be written");
                }
            })
            .start()
            .await?;
        let client = Client::connect(server.url())
            .await
            .context("connecting to the embedded store failed")?;
        for change in changes {
            let Some((name, args)) = change.split_first() else {
                continue;
            };
            if name == "DEL" {
                // What forgetting a key, or its end of life, comes to; strings only, see above.
                for key in args {
                    client.command("GETDEL").arg(key).await?;
                }
            } else {
                client.command(name).arg(args).await?;
            }
        }
        let open = OpenOptions::new()
            .append(true)
            .open(journal)
            .with_context(name)?;
        *file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(open);
        Ok(Self {
            client,
            _server: Some(server),
        })
    }

    /// A number that no job has had.
    pub async fn next_id(&self) -> anyhow::Result<u64> {
        Ok(u64::try_from(
            self.client.incr(format!("{PREFIX}:last")).await?,
        )?)
    }

    /// The newest number.
    pub async fn last_id(&self) -> anyhow::Result<u64> {
        let last: Option<u64> = self.client.get(format!("{PREFIX}:last")).into().await?;
        Ok(last.unwrap_or(0))
    }

    pub async fn put<T: Serialize>(&self, kind: &str, id: u64, value: &T) -> anyhow::Result<()> {
        self.put_text(kind, id, &serde_json::to_string(value)?)
            .await
    }

    pub async fn get<T: DeserializeOwned>(&self, kind: &str, id: u64) -> anyhow::Result<Option<T>> {
        let text = self.get_text(kind, id).await?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    pub async fn put_text(&self, kind: &str, id: u64, text: &str) -> anyhow::Result<()> {
        self.client
            .set(format!("{PREFIX}:{kind}:{id}"), text)
            .ex(KEPT)
            .await?;
        Ok(())
    }

    pub async fn get_text(&self, kind: &str, id: u64) -> anyhow::Result<Option<String>> {
        Ok(self
            .client
            .get(format!("{PREFIX}:{kind}:{id}"))
            .into()
            .await?)
    }

    /// Forgets a value.
    pub async fn forget(&self, kind: &str, id: u64) -> anyhow::Result<()> {
        self.client
            .command("GETDEL")
            .arg(format!("{PREFIX}:{kind}:{id}"))
            .await?;
        Ok(())
    }
}

/// The changes of a journal, and the length of its whole lines.
fn read(journal: &Path) -> std::io::Result<(Vec<Vec<String>>, u64)> {
    let file = match File::open(journal) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(error),
    };
    let (mut changes, mut whole) = (Vec::new(), 0);
    let mut lines = BufReader::new(file);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let Ok(change) = serde_json::from_str(&line) else {
            break;
        };
        changes.push(change);
        whole += line.len() as u64;
        line.clear();
    }
    Ok((changes, whole))
}

const PREFIX: &str = "portscan";

/// How long scans are remembered.
const KEPT: Duration = Duration::from_secs(180 * 24 * 3600);
