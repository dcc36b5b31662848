//! What is said of a command when the only node does what a test tells it to.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use kv_client::{Client, Config, ErrorKind, Outcome, Retry};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::join;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::requests::read;

/// What callers have sent, over whichever connection.
struct Node {
    asked: mpsc::Receiver<Asked>,
    port: u16,
    /// Accepts connections, until it is dropped.
    _serving: JoinSet<()>,
}

/// A command, and where its reply goes. Without one its connection is cut.
struct Asked {
    args: Vec<String>,
    reply: oneshot::Sender<String>,
}

impl Node {
    /// The only node of a cluster, and a client of it.
    async fn start() -> (Client, Self) {
        let (config, node) = Self::start_after(0).await;
        let client = Client::connect(config).await.expect("it is a cluster");
        (client, node)
    }

    /// A node that takes no connection before it has refused so many. Its clients wait for longer than a busy machine needs.
    async fn start_after(refused: usize) -> (Config, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let (ask, asked) = mpsc::channel(16);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            for _ in 0..refused {
                drop(listener.accept().await);
            }
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(BufReader::new(stream), port, ask.clone()));
            }
        });
        let node = Self {
            asked,
            port,
            _serving: serving,
        };
        let config = Config::cluster([("127.0.0.1", port)])
            .connect_timeout(Duration::from_secs(30))
            .command_timeout(Duration::from_secs(60));
        (config, node)
    }

    async fn expect(&mut self, name: &str) -> oneshot::Sender<String> {
        let asked = self.asked.recv().await.expect("connections are accepted");
        assert_eq!(asked.args[0], name);
        asked.reply
    }

    async fn answer(&mut self, name: &str, reply: &str) {
        let to = self.expect(name).await;
        to.send(reply.to_owned()).expect("the connection stands");
    }
}

/// Answers what the client asks for itself; the rest is for the test.
async fn serve(
    mut stream: BufReader<TcpStream>,
    port: u16,
    ask: mpsc::Sender<Asked>,
) -> Option<()> {
    let shards = format!(
        "*1\r\n*4\r\n+slots\r\n*2\r\n:0\r\n:16383\r\n+nodes\r\n*1\r\n*12\r\n+id\r\n+one\r\n+port\r\n:{port}\r\n\
         +ip\r\n+127.0.0.1\r\n+endpoint\r\n+127.0.0.1\r\n+role\r\n+master\r\n+health\r\n+online\r\n"
    );
    loop {
        let args = read(&mut stream).await?;
        let reply = match args[0].as_str() {
            "HELLO" => "-ERR unknown command\r\n".to_owned(),
            "PING" => "+PONG\r\n".to_owned(),
            "CLUSTER" => shards.clone(),
            _ => {
                let (reply, replied) = oneshot::channel();
                ask.send(Asked { args, reply }).await.ok()?;
                replied.await.ok()?
            }
        };
        stream.get_mut().write_all(reply.as_bytes()).await.ok()?;
    }
}

fn assert_maybe_though_refused<T: Debug>(result: kv_client::Result<T>) {
    let error = result.expect_err("refused");
    assert_eq!(error.code(), Some("OOM"));
    assert_eq!(error.outcome(), Outcome::MaybeExecuted, "{error:?}");
}

#[tokio::test]
async fn a_command_may_have_run_though_there_was_nobody_to_send_it_to_again() {
    let (client, mut node) = Node::start().await;
    let (result, ()) = join!(client.set("k", "v").into_future(), async {
        let _cut = node.expect("SET").await;
        drop(node);
        // Its time runs out at once from here on; until it was sent it had all that a slow machine needs.
        tokio::time::pause();
    });
    let error = result.expect_err("the node is gone");
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.outcome(), Outcome::MaybeExecuted, "{error:?}");

    // What comes after that cannot have run.
    let incr = client.incr("n").timeout(Duration::from_millis(100));
    let error = incr.await.expect_err("the node is gone");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error:?}");
}

#[tokio::test]
async fn parts_of_a_command_may_have_run_though_they_were_refused_the_second_time() {
    let (client, mut node) = Node::start().await;
    let mset = client.mset([("a", 1), ("b", 2)]);
    let (result, ()) = join!(mset.into_future(), async {
        drop(node.expect("MSET").await);
        // Both parts were sent, and are sent again.
        node.answer("MSET", "-OOM command not allowed\r\n").await;
        node.answer("MSET", "-OOM command not allowed\r\n").await;
    });
    assert_maybe_though_refused(result);
}

#[tokio::test]
async fn a_transaction_may_have_run_though_it_was_refused_the_second_time() {
    let (client, mut node) = Node::start().await;
    let transaction = client.transaction((client.incr("n"),));
    let transaction = transaction.retry(Retry::Always);
    let (result, ()) = join!(transaction.into_future(), async {
        node.answer("MULTI", "+OK\r\n").await;
        node.answer("INCR", "+QUEUED\r\n").await;
        drop(node.expect("EXEC").await);
        node.answer("MULTI", "+OK\r\n").await;
        node.answer("INCR", "-OOM command not allowed\r\n").await;
        node.answer("EXEC", "-EXECABORT for that\r\n").await;
    });
    assert_maybe_though_refused(result);
}

#[tokio::test]
async fn a_blocking_command_that_somebody_ends_is_not_begun_again() {
    let (client, mut node) = Node::start().await;
    let blpop = client.blpop("q", Duration::ZERO);
    let ended = "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n";
    let (result, ()) = join!(blpop.into_future(), node.answer("BLPOP", ended));
    let error = result.expect_err("somebody has ended it");
    assert_eq!(error.code(), Some("UNBLOCKED"));
    assert_eq!(error.outcome(), Outcome::Rejected);

    // The primary became a replica: what was waiting for it goes to the next.
    let blpop = client.blpop("q", Duration::ZERO);
    let forced = "-UNBLOCKED force unblock from blocking operation, instance state changed\r\n";
    let (result, ()) = join!(blpop.into_future(), async {
        node.answer("BLPOP", forced).await;
        node.answer("BLPOP", "*-1\r\n").await;
    });
    assert_eq!(result.expect("it goes on"), None);
}

#[tokio::test]
async fn a_command_outlasts_a_moment_in_which_no_node_takes_its_slot() {
    let (client, mut node) = Node::start().await;
    let moved = format!("-MOVED 1649 127.0.0.1:{}\r\n", node.port);
    let (result, ()) = join!(client.incr("n").into_future(), async {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(150) {
            node.answer("INCR", &moved).await;
        }
        node.answer("INCR", ":1\r\n").await;
    });
    assert_eq!(result.expect("the nodes agree in the end"), 1);

    // And if they never do, that is said before its time is over.
    let incr = client.incr("n").timeout(Duration::from_secs(60));
    let (result, ()) = join!(incr.into_future(), async {
        for _ in 0..17 {
            node.answer("INCR", &moved).await;
        }
    });
    let error = result.expect_err("nobody takes it");
    let kind = error.kind();
    assert!(
        matches!(kind, ErrorKind::TooManyRedirects { hops: 16 }),
        "{error:?}"
    );
    assert_eq!(error.outcome(), Outcome::Rejected);
}

#[tokio::test]
async fn a_script_that_says_what_nodes_say_is_not_run_again() {
    let (client, mut node) = Node::start().await;
    for said in [
        "TRYAGAIN tomorrow",
        "LOADING the van",
        "READONLY",
        "MOVED on",
    ] {
        let eval = client.eval("return redis.error_reply(ARGV[1])", "n", said);
        let reply = format!("-{said}\r\n");
        let (result, ()) = join!(eval.into_future(), node.answer("EVAL", &reply));
        let error = result.expect_err("it says so itself");
        assert_eq!(error.server_error().expect("its words").text(), said);
        assert!(!error.had_no_effect(), "it may have written: {error:?}");
    }

    // A node that says so has not begun it.
    let eval = client.eval("return 1", "n", ());
    let (result, ()) = join!(eval.into::<i64>().into_future(), async {
        let busy = "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
        node.answer("EVAL", busy).await;
        let moved = format!("-MOVED 1649 127.0.0.1:{}\r\n", node.port);
        node.answer("EVAL", &moved).await;
        let replica = "-READONLY You can't write against a read only replica. script: x, on @user_script:1.\r\n";
        node.answer("EVAL", replica).await;
        node.answer("EVAL", ":1\r\n").await;
    });
    assert_eq!(result.expect("it goes on"), 1);
}

#[tokio::test]
async fn whatever_a_lazy_client_is_asked_first_waits_for_the_cluster_to_come_up() {
    // Nobody but the commands themselves gives cause to ask for the map.
    let lazy = |config: Config| Client::connect_lazy(config.refresh_interval(None)).expect("a url");
    let guard = Duration::from_secs(60);

    let (config, mut node) = Node::start_after(3).await;
    let client = lazy(config.command_timeout(guard));
    let (result, ()) = join!(client.get("k").into_future(), node.answer("GET", "+v\r\n"));
    assert_eq!(result.expect("it came up").as_deref(), Some(&b"v"[..]));

    let (config, mut node) = Node::start_after(3).await;
    let client = lazy(config.command_timeout(guard));
    let (result, ()) = join!(
        client.dbsize().into_future(),
        node.answer("DBSIZE", ":7\r\n")
    );
    assert_eq!(result.expect("it came up"), 7);

    let (config, mut node) = Node::start_after(3).await;
    let client = lazy(config.command_timeout(guard));
    let watched = client.watch("k").run(|tx| async move { tx.get("k").await });
    let (result, ()) = join!(watched, async {
        node.answer("WATCH", "+OK\r\n").await;
        node.answer("GET", "+v\r\n").await;
        node.answer("UNWATCH", "+OK\r\n").await;
    });
    assert_eq!(result.expect("it came up").as_deref(), Some(&b"v"[..]));
}

#[tokio::test]
async fn a_command_that_blocks_for_a_time_does_not_wait_for_a_node_for_ever() {
    let (config, _node) = Node::start_after(usize::MAX).await;
    let client = Client::connect_lazy(config.command_timeout(Duration::from_millis(50)));
    let client = client.expect("a url");
    let blpop = client.blpop("q", Duration::from_millis(50)).into_future();
    let limited = timeout(Duration::from_secs(60), blpop).await;
    let error = limited
        .expect("its time is over")
        .expect_err("there is no node");
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error:?}");
}
