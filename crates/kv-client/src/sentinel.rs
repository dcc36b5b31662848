//! Redis Sentinel: where the primary of a service is, and noticing that another server has become it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use crate::client::Client;
use crate::config::{Address, Config, Protocol};
use crate::connection::handshake::Peer;
use crate::connection::link::Link;
use crate::connection::node::locked;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::from_reply::FromReply;
use crate::pubsub::{Event, Gap};
use crate::reply::Reply;
use crate::request::Request;

/// How often a sentinel is asked for the primary, beside listening for what it announces.
const CHECK: Duration = Duration::from_secs(10);
/// The pause before another sentinel is listened to.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks the sentinels, one after the other, where the primary of `service` is, other than at one of the addresses in
/// `passed`.
///
/// Whoever says so goes to the end of their line, until [`Sentinels::trust`]: one that has not heard of a failover must
/// not be the first to be asked again and again.
///
/// # Errors
///
/// [`ErrorKind::NoPrimary`] if none of them says; its source is what the last one said.
pub(crate) async fn find_primary(
    config: &Config,
    service: &str,
    passed: &[Address],
) -> Result<(Address, Host)> {
    let sentinels = config.sentinels.list();
    // One that does not answer leaves time for the others, and for the primary.
    let shares = u32::try_from(sentinels.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let patience = config.connect_timeout / shares;
    let mut last = None;
    for sentinel in &sentinels {
        let own = config_of(config, sentinel);
        match timeout(patience, ask(&own, service)).await {
            Ok(Ok(Some((primary, _)))) if passed.contains(&primary) => {
                debug!(addr = %own.address, %primary, "is no better informed");
            }
            Ok(Ok(Some((primary, others)))) => {
                config.sentinels.learn(sentinel, others);
                config.sentinels.doubt(sentinel);
                return Ok((primary, sentinel.clone()));
            }
            Ok(Ok(None)) => debug!(addr = %own.address, service, "unknown to this sentinel"),
            Ok(Err(error)) => last = Some(Box::new(error)),
            Err(_) => debug!(addr = %own.address, "this sentinel does not answer"),
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
        bulk_from: None,
        ..config.clone()
    }
}

/// The primary, and the other sentinels.
async fn ask(config: &Config, service: &str) -> Result<Option<(Address, Vec<Host>)>> {
    let mut sentinel = Peer::open(config, &config.session()).await?.0;
    let mut request = Request::new("SENTINEL");
    request.push(b"GET-MASTER-ADDR-BY-NAME");
    request.push(service.as_bytes());
    match sentinel.ask(&request).await? {
        Reply::Null => Ok(None),
        Reply::Error(error) => Err(Error::server(error).of("SENTINEL")),
        reply => {
            let parsed = <(String, u16) as FromReply>::from_reply(reply);
            let (host, port) = parsed.map_err(|error| Error::reply(error).of("SENTINEL"))?;
            let (host, port) = config.reach(&host, port);
            let mut request = Request::new("SENTINEL");
            request.push(b"SENTINELS");
            request.push(service.as_bytes());
            // Whoever may not ask for them can do without.
            let others = match sentinel.ask(&request).await? {
                Reply::Error(error) => {
                    debug!(addr = %config.address, %error, "does not name the other sentinels");
                    Vec::new()
                }
                reply => {
                    let parsed = Vec::from_reply(reply);
                    let parsed = parsed.map_err(|error| Error::reply(error).of("SENTINEL"))?;
                    others_of(config, parsed)
                }
            };
            Ok(Some((Address::Tcp { host, port }, others)))
        }
    }
}

/// Where the sentinels are that another one speaks of.
fn others_of(config: &Config, listed: Vec<HashMap<String, String>>) -> Vec<Host> {
    let others = listed.iter().filter_map(|sentinel| {
        let port = sentinel.get("port")?.parse().ok()?;
        Some(config.reach(sentinel.get("ip")?, port))
    });
    others.collect()
}

/// A host and a port.
pub(crate) type Host = (String, u16);

/// The sentinels that are known: those of the configuration, and those that they have spoken of. Clones share what they learn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sentinels {
    configured: Vec<Host>,
    /// In the order in which they are asked.
    known: Arc<Mutex<Vec<Host>>>,
}

/// The most that are remembered, unless more are configured.
const MAX_SENTINELS: usize = 16;

impl Sentinels {
    pub(crate) fn new(configured: &[Host]) -> Self {
        Self {
            configured: configured.to_vec(),
            known: Arc::new(Mutex::new(configured.to_vec())),
        }
    }

    fn list(&self) -> Vec<Host> {
        locked(&self.known).clone()
    }

    /// `told` knows of the service, and of these `others` that watch it: it is asked first from now on, and those that it no
    /// longer knows are forgotten, unless they are configured.
    fn learn(&self, told: &Host, others: Vec<Host>) {
        let mut known = locked(&self.known);
        known.retain(|host| {
            host != told && (self.configured.contains(host) || others.contains(host))
        });
        known.insert(0, told.clone());
        for other in others {
            if known.len() < MAX_SENTINELS && !known.contains(&other) {
                known.push(other);
            }
        }
    }

    /// The others are asked before this one from now on.
    fn doubt(&self, sentinel: &Host) {
        let mut known = locked(&self.known);
        known.sort_by_key(|host| host == sentinel);
    }

    /// What this one says is so: it is asked first from now on.
    pub(crate) fn trust(&self, sentinel: &Host) {
        let mut known = locked(&self.known);
        known.sort_by_key(|host| host != sentinel);
    }
}

/// Listens to the sentinels for as long as `link` is in use, and has it leave a server that is not the primary any more.
pub(crate) async fn watch(config: Arc<Config>, link: Weak<Link>) {
    let Address::Sentinel { service, .. } = &config.address else {
        return;
    };
    for turn in 0.. {
        let sentinels = config.sentinels.list();
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
            (Some(link), Some((host, port))) => {
                let (host, port) = config.reach(&host, port);
                leave_unless(&link, &Address::Tcp { host, port });
                let question = client.command("SENTINEL").arg(("SENTINELS", service));
                if let Ok(listed) = question.into().await {
                    config.sentinels.learn(sentinel, others_of(config, listed));
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> Vec<Host> {
        names.iter().map(|name| ((*name).to_owned(), 1)).collect()
    }

    #[test]
    fn sentinels_learn_of_others_and_forget_them_but_not_those_that_are_configured() {
        let sentinels = Sentinels::new(&hosts(&["a", "b"]));
        sentinels
            .clone()
            .learn(&hosts(&["b"])[0], hosts(&["a", "c", "d"]));
        assert_eq!(sentinels.list(), hosts(&["b", "a", "c", "d"]));
        sentinels.learn(&hosts(&["c"])[0], hosts(&["e"]));
        assert_eq!(sentinels.list(), hosts(&["c", "b", "a", "e"]));
        sentinels.doubt(&hosts(&["c"])[0]);
        assert_eq!(sentinels.list(), hosts(&["b", "a", "e", "c"]));
        sentinels.trust(&hosts(&["a"])[0]);
        assert_eq!(sentinels.list(), hosts(&["a", "b", "e", "c"]));
    }

    #[test]
    fn no_more_sentinels_are_remembered_than_are_of_use() {
        let sentinels = Sentinels::new(&hosts(&["a"]));
        let many: Vec<Host> = (0..100).map(|n| (format!("s{n}"), 1)).collect();
        sentinels.learn(&hosts(&["a"])[0], many);
        assert_eq!(sentinels.list().len(), MAX_SENTINELS);
    }
}
