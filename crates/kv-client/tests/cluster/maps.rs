//! Nodes that do not know of each other, or of any slot.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_client::{Address, Client, Config};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::requests::read;

/// It says what it is told about the cluster, and answers all else with its port.
struct Node {
    port: u16,
    map: Arc<Mutex<String>>,
    /// The others say that it is not there.
    failed: bool,
    /// Connections so far.
    visitors: Arc<AtomicUsize>,
    /// Accepts connections, until it is dropped.
    serving: JoinSet<()>,
}

impl Node {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let map = Arc::new(Mutex::new("*0\r\n".to_owned()));
        let visitors = Arc::new(AtomicUsize::new(0));
        let mut serving = JoinSet::new();
        serving.spawn({
            let (map, visitors) = (Arc::clone(&map), Arc::clone(&visitors));
            async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    visitors.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(serve(BufReader::new(stream), port, Arc::clone(&map)));
                }
            }
        });
        Self {
            port,
            map,
            failed: false,
            visitors,
            serving,
        }
    }

    /// From now on it says that these nodes are the cluster, each with these slots.
    fn believes_in(&self, nodes: &[(&Self, u16, u16)]) {
        let mut map = format!("*{}\r\n", nodes.len());
        for (node, first, last) in nodes {
            map += &format!(
                "*4\r\n+slots\r\n*2\r\n:{first}\r\n:{last}\r\n+nodes\r\n*1\r\n*8\r\n+port\r\n:{}\r\n\
                 +endpoint\r\n+127.0.0.1\r\n+role\r\n+master\r\n+health\r\n+{}\r\n",
                node.port,
                if node.failed { "fail" } else { "online" },
            );
        }
        *self.map.lock().unwrap() = map;
    }
}

async fn serve(mut stream: BufReader<TcpStream>, port: u16, map: Arc<Mutex<String>>) -> Option<()> {
    loop {
        let reply = match read(&mut stream).await?[0].as_str() {
            "HELLO" => "-ERR unknown command\r\n".to_owned(),
            "PING" => "+PONG\r\n".to_owned(),
            "CLUSTER" => map.lock().unwrap().clone(),
            _ => format!(":{port}\r\n"),
        };
        stream.get_mut().write_all(reply.as_bytes()).await.ok()?;
    }
}

fn cluster(nodes: &[&Node]) -> Config {
    let seeds = nodes.iter().map(|node| ("127.0.0.1", node.port));
    Config::cluster(seeds).command_timeout(Duration::from_secs(60))
}

fn ports(client: &Client) -> Vec<u16> {
    let nodes = client.cluster_nodes();
    let port = |address: &Address| match address {
        Address::Tcp { port, .. } => *port,
        _ => 0,
    };
    nodes.iter().map(|node| port(node.address())).collect()
}

#[tokio::test]
async fn a_seed_that_has_left_its_cluster_does_not_hide_it() {
    let (alone, node) = (Node::start().await, Node::start().await);
    node.believes_in(&[(&node, 0, 16383)]);
    let config = cluster(&[&alone, &node]);
    let client = Client::connect(config.clone()).await.expect("both answer");
    let answered = client.incr("k").await.expect("the second one serves it");
    assert_eq!(answered, i64::from(node.port));

    let lazy = Client::connect_lazy(config).expect("a configuration");
    let answered = lazy.incr("k").await.expect("the second one serves it");
    assert_eq!(answered, i64::from(node.port));
}

#[tokio::test]
async fn a_node_of_another_cluster_at_an_address_of_ours_leads_nobody_astray() {
    let (first, second, foreign) = (
        Node::start().await,
        Node::start().await,
        Node::start().await,
    );
    first.believes_in(&[(&first, 0, 8191), (&second, 8192, 16383)]);
    second.believes_in(&[(&second, 0, 16383)]);
    let config = cluster(&[&first]).refresh_interval(Duration::from_millis(50));
    let client = Client::connect(config).await.expect("it answers");
    assert_eq!(ports(&client), [first.port, second.port]);

    // The first one has the only connection, so it is the first to be asked.
    first.believes_in(&[(&first, 0, 8191), (&foreign, 8192, 16383)]);
    let follows = async {
        while ports(&client) != [second.port] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), follows).await;
    in_time.expect("the other node of ours is believed");
    let answered = client.incr("k").await.expect("it serves all slots");
    assert_eq!(answered, i64::from(second.port));
    assert_eq!(foreign.visitors.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_is_for_all_primaries_reaches_the_next_one_of_a_shard_that_has_lost_its_own() {
    // Whether the others know yet that it is gone or not.
    for failed in [false, true] {
        let (node, mut gone, next) = (
            Node::start().await,
            Node::start().await,
            Node::start().await,
        );
        gone.failed = failed;
        node.believes_in(&[(&node, 0, 8191), (&gone, 8192, 16383)]);
        gone.serving.shutdown().await;
        let config = cluster(&[&node]).refresh_interval(Duration::from_millis(50));
        let client = Client::connect(config).await.expect("it answers");
        let (sum, ()) = tokio::join!(client.dbsize().into_future(), async {
            // It was asked, or found nobody to ask.
            tokio::task::yield_now().await;
            node.believes_in(&[(&node, 0, 8191), (&next, 8192, 16383)]);
        });
        let expected = u64::from(node.port) + u64::from(next.port);
        assert_eq!(sum.expect("all of them answer"), expected, "{failed}");
    }
}
