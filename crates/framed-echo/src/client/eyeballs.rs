//! Happy eyeballs: a name with several addresses is reached through whichever answers first, as in
//! [RFC 8305](https://www.rfc-editor.org/rfc/rfc8305).

use std::{io, net::SocketAddr, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::net::{TcpStream, lookup_host};

/// How long an attempt has to itself before the next address is tried beside it; the value that the RFC recommends.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to a `HOST:PORT`.
///
/// # Errors
///
/// The name cannot be looked up, or has no address; or else the last failure, when every address has failed.
pub(super) async fn happy_eyeballs(address: &str) -> io::Result<TcpStream> {
    let addresses = interleave(lookup_host(address).await?.collect());
    if addresses.is_empty() {
        let text = format!("{address} has no address");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    let stream = race(addresses, TcpStream::connect).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The first attempt that succeeds. The next begins when one has failed, and when one has been silent for
/// [`ATTEMPT_DELAY`]; none is given up before another has succeeded.
async fn race<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut addresses = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::ErrorKind::NotFound.into();
    loop {
        match addresses.next() {
            Some(address) => attempts.push(connect(address)),
            None if attempts.is_empty() => return Err(failure),
            None => {}
        }
        let next = async {
            match addresses.len() {
                0 => std::future::pending().await,
                _ => tokio::time::sleep(ATTEMPT_DELAY).await,
            }
        };
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            () = next => {}
        }
    }
}

/// IPv6 and IPv4 in turn, beginning with the family that the resolver put first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut a, mut b): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|a| a.is_ipv6() == first_is_v6);
    let mut mixed = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.drain(..), b.drain(..));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return mixed,
            (x, y) => mixed.extend(x.into_iter().chain(y)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::{Instant, sleep};

    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter()
            .map(|a| a.parse().expect("an address"))
            .collect()
    }

    /// What an address does, so many milliseconds after it is tried.
    #[derive(Clone, Copy)]
    enum Does {
        Answer(u64),
        Refuse(u64),
        Nothing,
    }
    use Does::{Answer, Nothing, Refuse};

    /// Races addresses that do this: which of them won, after how many milliseconds, and when each was tried.
    async fn raced(does: &[Does]) -> (io::Result<usize>, u64, Vec<u64>) {
        let start = Instant::now();
        let elapsed = || u64::try_from(start.elapsed().as_millis()).expect("small");
        let tried = RefCell::new(Vec::new());
        let addresses = (0..does.len())
            .map(|i| SocketAddr::from(([192, 0, 2, 1], u16::try_from(i).expect("small"))))
            .collect();
        let won = race(addresses, |address| {
            tried.borrow_mut().push(elapsed());
            let does = does[usize::from(address.port())];
            async move {
                match does {
                    Answer(ms) => {
                        sleep(Duration::from_millis(ms)).await;
                        Ok(address.port().into())
                    }
                    Refuse(ms) => {
                        sleep(Duration::from_millis(ms)).await;
                        Err(io::ErrorKind::ConnectionRefused.into())
                    }
                    Nothing => std::future::pending().await,
                }
            }
        })
        .await;
        let took = elapsed();
        (won, took, tried.into_inner())
    }

    #[test]
    fn families_take_turns() {
        let mixed = interleave(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"]));
        assert_eq!(
            mixed,
            addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn beside_a_silent_address_the_next_is_tried_every_quarter_of_a_second() {
        let (won, took, tried) = raced(&[Nothing, Nothing, Answer(10), Answer(0)]).await;
        assert_eq!((won.expect("two answer"), took), (2, 510));
        assert_eq!(tried, [0, 250, 500], "and the last not at all");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_answers_in_time_is_the_only_one_tried() {
        let (won, took, tried) = raced(&[Answer(240), Answer(0)]).await;
        assert_eq!((won.expect("it answers"), took), (0, 240));
        assert_eq!(tried, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_still_wins_against_a_later_one() {
        let (won, took, tried) = raced(&[Answer(300), Answer(100)]).await;
        assert_eq!((won.expect("both answer"), took), (0, 300));
        assert_eq!(tried, [0, 250]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_brings_the_next_address_at_once() {
        let (won, took, tried) = raced(&[Refuse(20), Nothing, Refuse(0), Answer(5)]).await;
        assert_eq!((won.expect("the last answers"), took), (3, 275));
        assert_eq!(tried, [0, 20, 270, 270]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_failure_comes_when_the_last_attempt_has_failed() {
        let (won, took, _) = raced(&[Refuse(1000), Refuse(0)]).await;
        let error = won.expect_err("all refuse");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(took, 1000, "the first might still have answered");
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        // `localhost` may be ::1 as well, where nobody listens.
        let stream = happy_eyeballs(&format!("localhost:{port}"))
            .await
            .expect("one family answers");
        assert_eq!(stream.peer_addr().expect("connected").port(), port);
    }

    #[tokio::test]
    async fn the_failure_is_reported_when_nobody_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        drop(listener);
        let error = happy_eyeballs(&address).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
