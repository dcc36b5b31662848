//! Logging in: [`Credentials`], and [`CredentialsProvider`] for those that change.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Outcome, Result};

/// A user's name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Option<String>,
    password: String,
}

/// Where the login of each connection comes from: always the same [`Credentials`], or whatever is asked for them.
///
/// One that asks does so before each connection, the first and every later one, and when
/// [`Client::reauthenticate`](crate::Client::reauthenticate) is called:
///
/// ```
/// use kv_client::{Config, Credentials, CredentialsProvider};
///
/// let config: Config = "redis://db.example".parse()?;
/// let config = config.credentials(CredentialsProvider::new(|| async {
///     let token = std::fs::read_to_string("/run/secrets/redis")?;
///     Ok::<_, std::io::Error>(Credentials::new("app", token.trim()))
/// }));
/// # Ok::<(), kv_client::UrlError>(())
/// ```
///
/// Asking counts against [`Config::connect_timeout`](crate::Config::connect_timeout). While it fails, or the server refuses
/// what it gave, commands wait as they do for a lost connection, and it is asked again, with the delays of
/// [`Config::backoff`](crate::Config::backoff). Only [`Client::connect`](crate::Client::connect) fails at once.
#[derive(Clone)]
pub struct CredentialsProvider(Source);

#[derive(Clone)]
enum Source {
    Fixed(Credentials),
    Asked(Arc<dyn Fn() -> Asking + Send + Sync>),
}

type Asking = Pin<Box<dyn Future<Output = Result<Credentials, Arc<Cause>>> + Send>>;
type Cause = dyn StdError + Send + Sync;

impl Credentials {
    /// A user of the server's access control list.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            password: password.into(),
        }
    }

    /// The password of the default user, `requirepass` in redis.conf.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            user: None,
            password: password.into(),
        }
    }

    /// The user; `None` is the default user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(crate) fn secret(&self) -> &str {
        &self.password
    }
}

/// Never shows the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl CredentialsProvider {
    /// Calls `ask` before each connection.
    ///
    /// What it fails with is the source of [`ErrorKind::Credentials`]; it should not name the password.
    pub fn new<F, Fut, E>(ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self(Source::Asked(Arc::new(move || {
            let asking = ask();
            Box::pin(async move { asking.await.map_err(|cause| Arc::from(cause.into())) })
        })))
    }

    /// Those that are always the same.
    pub(crate) fn fixed(&self) -> Option<&Credentials> {
        match &self.0 {
            Source::Fixed(credentials) => Some(credentials),
            Source::Asked(_) => None,
        }
    }

    pub(crate) async fn ask(&self) -> Result<Credentials> {
        match &self.0 {
            Source::Fixed(credentials) => Ok(credentials.clone()),
            Source::Asked(ask) => ask()
                .await
                .map_err(|source| Error::new(ErrorKind::Credentials { source }, Outcome::NotSent)),
        }
    }
}

impl From<Credentials> for CredentialsProvider {
    fn from(credentials: Credentials) -> Self {
        Self(Source::Fixed(credentials))
    }
}

/// Never shows a password.
impl fmt::Debug for CredentialsProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Fixed(credentials) => credentials.fmt(f),
            Source::Asked(_) => f
                .debug_struct("CredentialsProvider")
                .finish_non_exhaustive(),
        }
    }
}
