//! Listening sockets and the accept loop.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::connection::session::Origin;
use crate::error::Error;
use crate::server::{Inner, Refused};

/// A bound socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// An accepted connection that can move to another thread's runtime.
enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

/// How long to wait when the system has no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Listener {
    pub(crate) async fn tcp(host: &str, port: u16) -> Result<Self, Error> {
        let listener = TcpListener::bind((host, port)).await;
        listener.map(Self::Tcp).map_err(|source| Error::Bind {
            addr: format!("{host}:{port}"),
            source,
        })
    }

    /// Replaces a socket that a former server left behind. `mode` are the permissions of the socket file.
    pub(crate) fn unix(path: &Path, mode: Option<u32>) -> Result<Self, Error> {
        let failed = |source| Error::Bind {
            addr: path.display().to_string(),
            source,
        };
        if is_socket(path) {
            std::fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        if let Some(mode) = mode {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(path, permissions).map_err(failed)?;
        }
        Ok(Self::Unix(listener, path.to_owned()))
    }

    pub(crate) fn tcp_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    pub(crate) fn unix_path(&self) -> Option<PathBuf> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(_, path) => Some(path.clone()),
        }
    }

    /// Ends listening, also if another process has a copy of the socket: a program that this process is just starting
    /// keeps all files of its parent until its own code runs, and with them the port, which a restart wants.
    fn close(self) {
        let ended = match &self {
            Self::Tcp(listener) => SockRef::from(listener).shutdown(Shutdown::Both),
            Self::Unix(..) => Ok(()), // a restart makes a new socket in the place of the old
        };
        if let Err(error) = ended {
            debug!(%error, "a listener ends with its last copy");
        }
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener
                .accept()
                .await
                .map(|(stream, addr)| Accepted::Tcp(stream, addr)),
            Self::Unix(listener, _) => listener
                .accept()
                .await
                .map(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// Accepts connections until `stop`, and spreads them over `threads` in turn; with none, they run where this runs.
pub(crate) async fn accept(
    listener: Listener,
    inner: Arc<Inner>,
    stop: CancellationToken,
    tasks: TaskTracker,
    threads: Vec<Handle>,
) {
    let mut next = 0;
    loop {
        let (accepted, place) = tokio::select! {
            accepted = accept_one(&listener, &inner) => accepted,
            () = stop.cancelled() => return listener.close(),
        };
        match threads.len() {
            0 | 1 => start(accepted, &inner, &tasks, place).await,
            count => {
                let thread = &threads[next % count];
                next += 1;
                match accepted.detach() {
                    Ok(detached) => {
                        let (inner, tracker) = (inner.clone(), tasks.clone());
                        tasks.spawn_on(
                            async move {
                                match detached.attach() {
                                    Ok(accepted) => start(accepted, &inner, &tracker, place).await,
                                    Err(error) => {
                                        warn!(%error, "cannot move a connection to its thread")
                                    }
                                }
                            },
                            thread,
                        );
                    }
                    Err(error) => warn!(%error, "cannot move a connection to its thread"),
                }
            }
        }
    }
}

/// The next connection, and its place if places are counted.
async fn accept_one(
    listener: &Listener,
    inner: &Inner,
) -> (Accepted, Option<OwnedSemaphorePermit>) {
    let place = match inner.places() {
        Some(places) => places.acquire_owned().await.ok(),
        None => None,
    };
    loop {
        match listener.accept().await {
            Ok(accepted) => return (accepted, place),
            Err(error) if is_about_one_connection(&error) => {
                debug!(%error, "a connection was gone before it was accepted")
            }
            Err(error) => {
                warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

async fn start(
    accepted: Accepted,
    inner: &Arc<Inner>,
    tasks: &TaskTracker,
    place: Option<OwnedSemaphorePermit>,
) {
    match accepted {
        Accepted::Tcp(stream, addr) => {
            let local = stream
                .local_addr()
                .map_or_else(|_| String::new(), |addr| addr.to_string());
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "cannot set TCP_NODELAY");
            }
            let origin = Origin {
                addr: addr.to_string(),
                local_addr: local,
                is_unix: false,
                fd: stream.as_raw_fd(),
            };
            serve(stream, origin, inner, tasks, place).await;
        }
        Accepted::Unix(stream) => {
            let path = stream
                .local_addr()
                .ok()
                .and_then(|addr| addr.as_pathname().map(|path| path.display().to_string()));
            let addr = format!("{}:0", path.unwrap_or_default());
            let origin = Origin {
                addr: addr.clone(),
                local_addr: addr,
                is_unix: true,
                fd: stream.as_raw_fd(),
            };
            serve(stream, origin, inner, tasks, place).await;
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    origin: Origin,
    inner: &Arc<Inner>,
    tasks: &TaskTracker,
    place: Option<OwnedSemaphorePermit>,
) {
    match inner.admit(origin).await {
        Ok(registered) => spawn(
            Connection::new(stream, inner.clone(), registered),
            tasks,
            place,
        ),
        Err(refused) => drop(tasks.spawn(turn_away(stream, refused))),
    }
}

fn spawn(
    connection: impl Future<Output = ()> + Send + 'static,
    tasks: &TaskTracker,
    place: Option<OwnedSemaphorePermit>,
) {
    match place {
        None => drop(tasks.spawn(connection)),
        Some(place) => drop(tasks.spawn(async move {
            connection.await;
            drop(place);
        })),
    }
}

/// Says why, as Redis does, and closes.
pub(crate) async fn turn_away(mut stream: impl AsyncWrite + Unpin, refused: Refused) {
    const FULL: &[u8] = b"-ERR max number of clients reached\r\n";
    if refused == Refused::Stopping {
        return;
    }
    if let Err(error) = stream.write_all(FULL).await {
        debug!(%error, "cannot turn a connection away");
    }
}

/// A connection that belongs to no runtime.
enum Detached {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    fn detach(self) -> io::Result<Detached> {
        match self {
            Self::Tcp(stream, addr) => stream.into_std().map(|stream| Detached::Tcp(stream, addr)),
            Self::Unix(stream) => stream.into_std().map(Detached::Unix),
        }
    }
}

impl Detached {
    /// Registers the socket with the runtime that this runs on.
    fn attach(self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(stream, addr) => {
                TcpStream::from_std(stream).map(|stream| Accepted::Tcp(stream, addr))
            }
            Self::Unix(stream) => UnixStream::from_std(stream).map(Accepted::Unix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_is_free_again_though_another_process_holds_its_listener() {
        let listener = Listener::tcp("127.0.0.1", 0).await.unwrap();
        let addr = listener.tcp_addr().unwrap();
        let Listener::Tcp(socket) = &listener else {
            unreachable!("it was asked for TCP");
        };
        // What a program gets that is being started.
        let copy = SockRef::from(socket).try_clone().unwrap();
        listener.close();
        TcpStream::connect(addr).await.expect_err("nobody listens");
        let again = Listener::tcp("127.0.0.1", addr.port()).await.unwrap();
        TcpStream::connect(addr).await.expect("the new one listens");
        drop((again, copy));
    }
}
