//! TLS: whom to trust, and who we are.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::config::Stream;

/// How connections are secured by TLS: [rustls] with its *ring* provider, which builds without other tools; TLS 1.2 and 1.3.
///
/// The default trusts the certificate authorities of the [web]. A server of one's own usually has one of its own:
///
/// ```
/// use kv_client::{Config, Tls};
///
/// let tls = Tls::new().ca_file("/etc/redis/ca.pem").identity_files("/etc/app/client.pem", "/etc/app/client.key");
/// let config: Config = "rediss://db.example".parse()?;
/// let config = config.tls(tls);
/// # Ok::<(), kv_client::UrlError>(())
/// ```
///
/// The same by URL: `rediss://db.example?ca_file=/etc/redis/ca.pem&cert_file=/etc/app/client.pem&key_file=/etc/app/client.key`.
///
/// Files are in PEM. They are read anew for each connection, so that certificates can be replaced while the client runs.
///
/// [rustls]: https://docs.rs/rustls
/// [web]: https://docs.rs/webpki-roots
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Pem>,
    identity: Option<(Pem, Pem)>,
    server_name: Option<String>,
    /// Takes the place of all that.
    config: Option<Arc<ClientConfig>>,
}

#[derive(Clone)]
enum Pem {
    File(PathBuf),
    Bytes(Arc<[u8]>),
}

impl Tls {
    /// Trusts the certificate authorities of the web, and shows no certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in this file, and no others.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = Some(Pem::File(path.into()));
        self
    }

    /// Trusts these certificates in PEM, and no others.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.ca = Some(Pem::Bytes(pem.as_ref().into()));
        self
    }

    /// Shows the certificate (with those that lead to its authority) in the first file, whose key is in the second, to
    /// servers that ask for one.
    #[must_use]
    pub fn identity_files(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some((Pem::File(cert.into()), Pem::File(key.into())));
        self
    }

    /// As [`identity_files`](Self::identity_files), from memory.
    #[must_use]
    pub fn identity_pem(mut self, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let (cert, key) = (cert.as_ref().into(), key.as_ref().into());
        self.identity = Some((Pem::Bytes(cert), Pem::Bytes(key)));
        self
    }

    /// The name that the server's certificate must have. Default: the host that is connected to.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Uses a configuration of the caller's instead: another provider, another verifier. Only
    /// [`server_name`](Self::server_name) still counts.
    #[must_use]
    pub fn with_rustls(mut self, config: Arc<ClientConfig>) -> Self {
        self.config = Some(config);
        self
    }

    /// The files, as the options of a URL name them.
    pub(crate) fn url_options(&self) -> impl Iterator<Item = (&'static str, String)> {
        let file = |pem: &Pem| match pem {
            Pem::File(path) => Some(path.to_string_lossy().into_owned()),
            Pem::Bytes(_) => None,
        };
        let (cert, key) = match &self.identity {
            Some((cert, key)) => (file(cert), file(key)),
            None => (None, None),
        };
        let options = [
            ("ca_file", self.ca.as_ref().and_then(file)),
            ("cert_file", cert),
            ("key_file", key),
            ("server_name", self.server_name.clone()),
        ];
        options
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }

    /// Secures a connection to `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<Box<dyn Stream>> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let config = match &self.config {
            Some(config) => Arc::clone(config),
            None => {
                let tls = self.clone();
                let loading = tokio::task::spawn_blocking(move || tls.load());
                Arc::new(loading.await.map_err(io::Error::other)??)
            }
        };
        Ok(Box::new(
            TlsConnector::from(config).connect(name, stream).await?,
        ))
    }

    fn load(&self) -> io::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(ca) => {
                for cert in ca.certificates()? {
                    roots.add(cert).map_err(|error| ca.invalid(&error))?;
                }
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((cert, key)) => builder
                .with_client_auth_cert(cert.certificates()?, key.key()?)
                .map_err(|error| cert.invalid(&error)),
        }
    }
}

impl Pem {
    fn certificates(&self) -> io::Result<Vec<CertificateDer<'static>>> {
        let bytes = self.bytes()?;
        let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let certs = certs.map_err(|error| self.invalid(&error))?;
        if certs.is_empty() {
            return Err(self.invalid(&"no certificate in it"));
        }
        Ok(certs)
    }

    fn key(&self) -> io::Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(&self.bytes()?).map_err(|error| self.invalid(&error))
    }

    fn bytes(&self) -> io::Result<Arc<[u8]>> {
        match self {
            Self::Bytes(bytes) => Ok(Arc::clone(bytes)),
            Self::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(io::Error::new(
                    error.kind(),
                    format!("{}: {error}", self.name().display()),
                )),
            },
        }
    }

    fn name(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Bytes(_) => Path::new("PEM from memory"),
        }
    }

    fn invalid(&self, problem: &dyn fmt::Display) -> io::Error {
        let text = format!("{}: {problem}", self.name().display());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    }
}

/// Never shows a key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |pem: &Pem| pem.name().display().to_string();
        f.debug_struct("Tls")
            .field("ca", &self.ca.as_ref().map(name))
            .field(
                "identity",
                &self.identity.as_ref().map(|(cert, _)| name(cert)),
            )
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
