//! Redis Sentinel: where the primary of a service is, and noticing that another server has become it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use crate::client::Client;
use crate::config::{Address, Config, Protocol};
use crate::connection::handshake::Peer;
use crate::connection::link::Link;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::pubsub::{Event, Gap};
use crate::reply::Reply;
use crate::request::Request;

/// How often a sentinel is asked for the primary, beside listening for what it announces.
const CHECK: Duration = Duration::from_secs(10);
/// The pause before another sentinel is listened to.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks the sentinels, one after the other, where the primary of `service` is.
///
/// # Errors
///
/// [`ErrorKind::NoPrimary`] if none of them says; its source is what the last one said.
pub(crate) async fn find_primary(
    config: &Config,
    service: &str,
    sentinels: &[(String, u16)],
) -> Result<Address> {
    // One that does not answer leaves time for the others, and for the primary.
    let shares = u32::try_from(sentinels.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let patience = config.connect_timeout / shares;
    let mut last = None;
    for sentinel in sentinels {
        let config = config_of(config, sentinel);
        match timeout(patience, ask(&config, service)).await {
            Ok(Ok(Some(primary))) => return Ok(primary),
            Ok(Ok(None)) => debug!(addr = %config.address, service, "unknown to this sentinel"),
            Ok(Err(error)) => last = Some(Box::new(error)),
            Err(_) => debug!(addr = %config.address, "this sentinel does not answer"),
        }
    }
    let kind = ErrorKind::NoPrimary {
        service: service.to_owned(),
        source: last,
    };
    Err(Error::new(kind, Outcome::NotSent))
}

/// How to connect to a sentinel: they have a login of their own.
fn config_of(config: &Config, (host, port): &(String, u16)) -> Config {
    Config {
        address: Address::Tcp {
            host: host.clone(),
            port: *port,
        },
        credentials: config.sentinel_credentials.clone(),
        db: 0,
        name: None,
        protocol: Protocol::Auto,
        caching: None,
        ..config.clone()
    }
}

async fn ask(config: &Config, service: &str) -> Result<Option<Address>> {
    let mut sentinel = Peer::open(config, &config.session()).await?.0;
    let mut request = Request::new("SENTINEL");
    request.push(b"GET-MASTER-ADDR-BY-NAME");
    request.push(service.as_bytes());
    match sentinel.ask(&request).await? {
        Reply::Null => Ok(None),
        Reply::Error(error) => Err(Error::server(error).of("SENTINEL")),
        reply => {
            let parsed = <(String, u16) as crate::FromReply>::from_reply(reply);
            let (host, port) = parsed.map_err(|error| Error::reply(error).of("SENTINEL"))?;
            Ok(Some(Address::Tcp { host, port }))
        }
    }
}

/// Listens to the sentinels for as long as `link` is in use, and has it leave a server that is not the primary any more.
pub(crate) async fn watch(config: Arc<Config>, link: Weak<Link>) {
    let Address::Sentinel { service, sentinels } = &config.address else {
        return;
    };
    for turn in 0.. {
        let Some(sentinel) = sentinels.get(turn % sentinels.len().max(1)) else {
            return;
        };
        match listen(&config, service, sentinel, &link).await {
            Ok(()) => return,
            Err(error) => debug!(%error, service, "not listening to this sentinel any more"),
        }
        sleep(PAUSE).await;
    }
}

/// Listens to one sentinel. `Ok` if there is nothing left to listen for.
async fn listen(
    config: &Config,
    service: &str,
    sentinel: &(String, u16),
    link: &Weak<Link>,
) -> Result<()> {
    let client = Client::connect_alone(config_of(config, sentinel).reconnect(false)).await?;
    let mut news = client.subscribe("+switch-master").await?;
    loop {
        // What was announced before it was listened to, or while nobody did, is asked for.
        let question = client
            .command("SENTINEL")
            .arg(("GET-MASTER-ADDR-BY-NAME", service));
        let answer: Option<(String, u16)> = question.into().await?;
        match (link.upgrade(), answer) {
            (None, _) => return Ok(()),
            (Some(link), Some((host, port))) => leave_unless(&link, &Address::Tcp { host, port }),
            (Some(_), None) => {}
        }
        match timeout(CHECK, news.next()).await {
            Err(_) | Ok(Some(Event::Gap(Gap::Reconnected))) => {}
            Ok(Some(Event::Message(message))) => {
                debug!(announced = %String::from_utf8_lossy(&message.payload), "a sentinel speaks");
            }
            Ok(_) => return Err(Error::new(ErrorKind::Closed, Outcome::NotSent)),
        }
    }
}

fn leave_unless(link: &Link, primary: &Address) {
    let primary = primary.to_string();
    let mut shared = link.lock();
    if shared.peer().is_some_and(|peer| peer != primary) {
        info!(%primary, "another server has become the primary");
        shared.leave();
    }
    drop(shared);
    link.nudge();
}
