//! Another login for connections that stand: [`Client::set_credentials`] and [`Client::reauthenticate`].

use crate::client::{Client, Servers};
use crate::config::{Credentials, CredentialsProvider};
use crate::connection::exchange::{Again, Exchange};
use crate::connection::handshake::auth;
use crate::connection::link::{Answer, Freight, Link, TimeLimit};
use crate::connection::login::Login;
use crate::connection::node::Node;
use crate::connection::outgoing::Outgoing;
use crate::connection::session::Effect;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::join::join_all;
use crate::reply::Reply;
use crate::request::Request;

impl Client {
    /// Logs in with something else from now on: on the connections that stand, by AUTH, and on all that are made later.
    ///
    /// ```
    /// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
    /// use kv_client::Credentials;
    ///
    /// // The server knows both passwords for a while: ACL SETUSER app >new
    /// client.set_credentials(Credentials::new("app", "new")).await?;
    /// // Now it may forget the old one: ACL SETUSER app <old
    /// # Ok(()) }
    /// ```
    ///
    /// Commands of other callers run meanwhile, without a gap between the logins. A connection on which a command blocks
    /// keeps its login until that command is answered, and one that carries subscriptions in RESP2, on which a server
    /// takes no AUTH, until it is lost. What is cached is dropped.
    ///
    /// # Errors
    ///
    /// If a server refuses the login, or a provider has none to give; then what was used before is used again. A server
    /// that does not answer in time is [`Outcome::MaybeExecuted`].
    ///
    /// # Cancel safety
    ///
    /// Once polled, later connections use the new login; those that stand may have been told, or not.
    pub async fn set_credentials(&self, login: impl Into<CredentialsProvider>) -> Result<()> {
        let current = self.login();
        let before = current.replace(Some(login.into()));
        let turn = current.turn();
        let result = self.log_in(&current).await;
        if let Err(error) = &result {
            if error.had_no_effect() && current.turn() == turn {
                current.replace(before);
            }
        }
        result
    }

    /// Asks the [`CredentialsProvider`] anew and logs in with its answer on the connections that stand: before a token
    /// runs out, say, with which a server would cut them. Without a login there is nothing to do.
    ///
    /// # Errors
    ///
    /// As [`set_credentials`](Self::set_credentials).
    pub async fn reauthenticate(&self) -> Result<()> {
        let current = self.login();
        current.renew();
        self.log_in(&current).await
    }

    fn login(&self) -> Login {
        match &self.inner.servers {
            Servers::One(node) => node.session().login,
            Servers::Cluster(cluster) => cluster.session().login,
        }
    }

    async fn log_in(&self, login: &Login) -> Result<()> {
        let limit = TimeLimit {
            timeout: self.config().command_timeout,
            deadline: None,
        };
        let (Some(credentials), _) = login.ask().await? else {
            return Ok(());
        };
        let nodes = match &self.inner.servers {
            Servers::One(node) => vec![node.clone()],
            Servers::Cluster(cluster) => cluster.connected_nodes(),
        };
        let tasks = nodes.iter().map(|node| node.log_in(&credentials, limit));
        let results: Result<()> = join_all(tasks.collect()).await.into_iter().collect();
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Closed, Outcome::NotSent).of("AUTH"));
        }
        results
    }
}

impl Node {
    /// Logs in on every connection that stands. The others will ask for themselves.
    async fn log_in(&self, credentials: &Credentials, limit: TimeLimit) -> Result<()> {
        let links = self.links_that_take_auth();
        let tasks = links.iter().map(|link| log_in(link, credentials, limit));
        let results = join_all(tasks.collect()).await;
        self.lanes.clear();
        if let Some(cache) = &self.cache {
            cache.clear();
        }
        results.into_iter().collect()
    }
}

async fn log_in(link: &Link, credentials: &Credentials, limit: TimeLimit) -> Result<()> {
    if !link.lock().status.connected {
        return Ok(());
    }
    let request = Unnoticed(auth(credentials));
    let exchange = Exchange::new(link, request, limit, Again::NEVER);
    match exchange.run().await {
        Ok(Answer::One(Reply::Error(error))) => Err(Error::server(error).of("AUTH")),
        Ok(Answer::One(_) | Answer::Many { .. }) => Ok(()),
        Ok(Answer::Failed(failure)) | Err(failure) => match failure.kind {
            // The next connection, if there is one, begins with the new login.
            ErrorKind::Lost { .. } | ErrorKind::Connect { .. } | ErrorKind::Closed => Ok(()),
            kind => Err(Error::new(kind, failure.outcome).of("AUTH")),
        },
    }
}

/// An AUTH that does not become the login of later connections: that is known already, and may change.
#[derive(Debug)]
struct Unnoticed(Request);

impl Freight for Unnoticed {
    fn commands(&self) -> usize {
        1
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>> {
        Freight::encode(&self.0, out)
    }

    fn effect(&self) -> Option<Box<Effect>> {
        None
    }

    fn each_change(&self, _: &mut dyn FnMut(Option<&[u8]>)) {}
}
