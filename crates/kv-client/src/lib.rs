//! An asynchronous client for Redis and Valkey that tells the truth about failures.
//!
//! ```
//! use std::time::Duration;
//! use kv_client::Client;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = kv_server::Server::builder().start().await?;
//! # let url = server.url();
//! let client = Client::connect(url).await?; // "redis://user:password@host:6379/0"
//!
//! client.set("greeting", "hello").ex(Duration::from_secs(60)).await?;
//! let greeting: Option<String> = client.get("greeting").into().await?;
//! assert_eq!(greeting.as_deref(), Some("hello"));
//!
//! let (visits, length) = client.pipeline((client.incr("visits"), client.strlen("greeting"))).await?;
//! assert_eq!((visits, length), (1, 5));
//! # Ok(()) }
//! ```
//!
//! - [`Client`] is a cheap handle; its clones share one connection, onto which the commands of all tasks are pipelined.
//! - A [`Command`] is a value: it is awaited, or put into a [pipeline](Client::pipeline) or a
//!   [transaction](Client::transaction), where a tuple of commands becomes a tuple of their types.
//!   What has no method of its own is [`Client::command`].
//! - [`Client::watch`] is an optimistic transaction, [`Client::script`] and
//!   [`Client::function`] run what the server keeps, [`Client::monitor`] a
//!   stream of what a server runs.
//! - [`Command::cached`] serves reads from memory until the server says that they have changed.
//! - [`Client::subscribe`] is a stream of messages that says where some may be missing. [`Client::scan_keys`] is one of keys.
//! - [`CredentialsProvider`] logs in with passwords that change, and [`Client::set_credentials`] while connections stand.
//! - [`Config`] is read from a URL or built step by step; [`Config::connector`] takes streams of your own.
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `derive` | `#[derive(FromReply, ToArgs)]` | no |
//! | `tls` | `Tls`, `Config::tls`, `rediss://` and its relatives, by rustls | no |
//!
//! # Structs
//!
//! With the feature `derive`, a struct is made of a hash, and a hash of a struct:
//!
#![cfg_attr(feature = "derive", doc = "```")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! use kv_client::{FromReply, ToArgs};
//!
//! #[derive(FromReply, ToArgs)]
//! struct User {
//!     name: String,
//!     #[kv(rename = "birth-year")]
//!     born: u16,
//!     #[kv(default)] // where the hash has no such field
//!     visits: u64,
//!     email: Option<String>,
//! }
//!
//! # async fn example(client: kv_client::Client, ada: User) -> kv_client::Result<()> {
//! client.hset("user:1", &ada).await?;
//! let user: Option<User> = client.hgetall("user:1").into().await?; // `None` if there is no such key
//! # Ok(()) }
//! ```
//!
//! What cannot be derived is an error of the compiler that says why:
//!
#![cfg_attr(feature = "derive", doc = "```compile_fail")]
#![cfg_attr(not(feature = "derive"), doc = "```ignore")]
//! #[derive(kv_client::FromReply)]
//! enum Shape { // `FromReply` can be derived for a struct with named fields, or with a single one; this is an enum
//!     Circle,
//! }
//! ```
//!
//! # What an error says
//!
//! Each [`Error`] names its [kind](Error::kind), the [command](Error::command), and the command's [`Outcome`]:
//!
//! | [`Outcome`] | the command | so |
//! |---|---|---|
//! | [`NotSent`](Outcome::NotSent) | was not run, and never will be | it may be tried again |
//! | [`MaybeExecuted`](Outcome::MaybeExecuted) | was sent whole, and no reply came | look before you try again |
//! | [`Rejected`](Outcome::Rejected) | was answered with an error | trying again gives the same |
//! | [`Executed`](Outcome::Executed) | was run; its reply has another type than was asked for | the program is to be corrected |
//!
//! A command counts as sent only if its last byte went to the operating system: a server cannot run half a command. One that
//! was sent again is *maybe executed* if any of its attempts may have been, also if the last one was refused.
//!
//! # What happens on a reconnect
//!
//! A lost connection is made anew at once, and then after growing delays ([`Config::backoff`]), for as long as there is a
//! handle. In the meantime:
//!
//! | what | what happens to it |
//! |---|---|
//! | commands that were not written yet | wait for the next connection, in their order, until their time limit |
//! | a command that was written in part | is sent again whole: the server cannot have run it |
//! | a command without a reply that reads, or sets to a fixed value ([`Class::Read`], [`Class::Idempotent`]) | is sent again, up to [`Config::max_retries`] times, within its time limit |
//! | any other command without a reply | fails as [`MaybeExecuted`](Outcome::MaybeExecuted); never run twice, unless [`Retry`] asks for it |
//! | a pipeline | as its most delicate command; otherwise [`results`](Pipeline::results) has the outcome of each |
//! | a transaction | as a pipeline; without a whole EXEC it was not run |
//! | commands that block, and those that are large | have connections of their own, for which the same holds |
//! | the store of [`Config::caching`] | is emptied, and filled anew |
//! | a [watch](Client::watch) | begins again on another connection, unless its transaction was sent |
//! | login, database and name | are restored before anything else is sent, also if AUTH, SELECT or CLIENT SETNAME changed them |
//! | what other commands set for the connection (CLIENT NO-EVICT, CLIENT NO-TOUCH, ...) | is lost: each connection begins as the configuration says |
//! | subscriptions, keyspace notifications | are renewed, and [`Gap::Reconnected`] marks the place in the stream |
//! | a [scan](Client::scan_keys) | goes on from its cursor, as any read is sent again |
//! | a [monitor](Client::monitor) | ends with an error |
//! | scripts and functions that the server has forgotten | are sent, or loaded, again when they are next called |
//! | a login by a [`CredentialsProvider`] | is asked for anew; while it cannot be had, or the server refuses it, commands wait as for any connection |
//! | a login that was [set](Client::set_credentials) meanwhile | is used, also if the connection was being made with the one before |
//! | the server refuses a login that does not change | what waits fails at once with the server's words; the client keeps trying |
//!
//! # In a cluster
//!
//! A `redis-cluster://` URL or [`Config::cluster`] makes the same [`Client`] one of a Redis Cluster. Each command goes to the
//! node of its keys, over one connection to each node, which is made when it is first needed.
//!
//! | what | what happens to it |
//! |---|---|
//! | MGET, MSET, DEL, UNLINK, EXISTS, TOUCH with keys in several slots | are sent in parts, one a slot, and their replies put together; they are not atomic. A write that fails in part is [`MaybeExecuted`](Outcome::MaybeExecuted) |
//! | any other command with keys in several slots | fails as [`ErrorKind::CrossSlot`] before it is sent |
//! | a pipeline | is routed by command; results come back in order. Commands for one node run in order, unless they are sent on |
//! | a transaction | must be in one slot |
//! | DBSIZE, KEYS, FLUSHALL, SCRIPT LOAD, CONFIG SET and the like | go to all primaries, and their replies are put together; a shard without one is waited for |
//! | other commands without keys | go to any primary; [`Client::cluster_nodes`] has a handle for each |
//! | MOVED, ASK | the command goes on to the node that was named, whatever the [`Retry`] policy: it was refused, not run. If nodes send it to each other, it waits in between, and gives up after 16 times |
//! | TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN, READONLY | the command waits for a better map, within its time limit; not with [`Retry::Never`] |
//! | a slot that no node serves, or no map yet | the command asks for a better map and waits, within its time limit; if all nodes say that they are no cluster, or refuse the login, it fails at once |
//! | a node that cannot be reached | its commands that were not sent wait for a better map; those that were, as on any lost connection |
//! | a node that leaves | answers what it was sent, and is let go |
//! | [`Client::scan_keys`] | covers all slots, also those that move meanwhile |
//! | [`Client::ssubscribe`] | is carried by the node of the slot, and follows it, with a [`Gap`] to mark the place |
//! | [`Client::subscribe`], [`Client::psubscribe`] | are carried by one node, another one if that leaves |
//! | reads, with [`Config::read_from`] or [`Command::read_from`] | may go to replicas |
//! | addresses that nodes announce | are those that are connected to, unless [`Config::map_addresses`] knows better |
//!
//! The map of slots is asked for anew when a node says that it is out of date, when a node is lost, and every
//! [`Config::refresh_interval`]; at most once in 50 ms, and at most once a second while nothing changes.
//!
//! # With Sentinel
//!
//! A `redis-sentinel://` URL or [`Config::sentinel`] leads to whichever server is the primary of a service. The sentinels are
//! asked before each connection, one after the other, and the server is asked whether it agrees (ROLE). They name each
//! other (SENTINEL SENTINELS), so that those that were not configured are asked too when the others are gone.
//!
//! | what | what happens to it |
//! |---|---|
//! | another server becomes the primary | the sentinel that is listened to says so; the old one gets nothing more, has half a second to answer what it was sent, and is left |
//! | the old primary refuses a write with READONLY, or ends what blocks on it with UNBLOCKED | it is left in the same way, and the command goes to the next, not with [`Retry::Never`] |
//! | the primary dies | its commands wait for the next one, as after any lost connection |
//! | a sentinel names a server that is none, or not there | the others are asked, this one last from then on |
//! | no sentinel knows the service | [`ErrorKind::NoPrimary`], at once when connecting; later the client goes on asking |
//!
//! # Lanes
//!
//! A client has several connections to one server, which are made when they are first needed:
//!
//! | lane | what goes over it | how many |
//! |---|---|---|
//! | shared | everything else; also subscriptions, with RESP3 | one |
//! | bulk | commands, pipelines and transactions of 1 MiB and more ([`Config::bulk_from`]), and what asks for it ([`Command::bulk`]) | one |
//! | blocking | commands that block, one at a time on each connection | up to [`Config::max_lanes`] |
//! | watching | [`Client::watch`], one at a time on each connection | up to [`Config::max_lanes`] |
//! | subscriptions | those of RESP2 | one |
//!
//! Within a lane everything waits in one line, first come, first served: no task can get ahead of another, nor starve it.
//! Lanes do not wait for each other, so a value of 10 MB delays other large ones, and small ones only by its share of the
//! network and of the server's time. [`Config::max_in_flight`] and [`Config::max_unwritten_bytes`] bound each lane.
//!
//! How large a *reply* will be nobody knows beforehand. One of 10 MB stands in front of the replies to later commands of its
//! lane, unless its command asks for the bulk lane.
//!
//! # Ordering
//!
//! Commands go out in the order in which their futures are first polled, and the server runs those of one lane in
//! that order. Three things are outside of it: commands that block, and those that are large, run beside the others, and
//! commands that are *sent again* after a reconnect may change places. So a command whose predecessor must have run is to
//! await it, or to stand behind it in a pipeline, all of which goes over one lane. With [`Config::bulk_from`] set to `None`
//! large commands stay in line too.
//!
//! # Cancel safety
//!
//! A command can be dropped at any time. If it was not written yet, it is taken back and never sent; if it was, its reply
//! is thrown away when it comes. No other command is affected. A subscription unsubscribes when it is dropped. Dropping a
//! command that blocks closes its connection.
//!
//! # Observability
//!
//! Each command, pipeline and transaction is a span of [`tracing`] at the level *debug* with the target `kv_client::command`. Its
//! fields have OpenTelemetry's [names for databases]: `db.system.name`, `db.operation.name` (`GET`, `PIPELINE GET`, `MULTI`),
//! `db.operation.batch.size`, `db.namespace`, `server.address`, `server.port`, `db.response.status_code` (`WRONGTYPE`) and
//! `error.type`; never a key or a value. [`Client::stats`] counts connections, retries and redirects, says how much is under way on each
//! lane, and how long answers take.
//!
//! Spans need a subscriber of `tracing`: the feature `log` of that crate, which passes records on to a logger where there is no
//! subscriber, does not pass on these.
//!
//! [names for databases]: https://opentelemetry.io/docs/specs/semconv/database/redis/
//!
//! # Limits
//!
//! | limit | default | beyond it |
//! |---|---|---|
//! | [`Config::connect_timeout`] | 5 s | the attempt fails |
//! | [`Config::command_timeout`] | 5 s, from first poll to reply | [`ErrorKind::Timeout`] says in which [`Phase`] |
//! | the same, of a command that blocks | that and its own time, once it has a lane; none if it may block for ever | the same |
//! | [`Config::keepalive`] | 10 s of silence, twice | the connection is made anew |
//! | [`Config::max_in_flight`] | 10,000 commands on each connection | callers wait in line |
//! | [`Config::max_unwritten_bytes`] | 64 MiB on each connection | callers wait in line |
//! | [`Config::max_lanes`] | 16 commands that block, and 16 watches | callers wait in line |
//! | [`Config::limits`] | replies of 1 GiB, strings of 512 MiB, 128 levels | the connection is made anew |
//! | the same, of an argument | 512 MiB | [`ErrorKind::TooLong`], unsent |
//! | [`Subscribe::capacity`] | 1024 messages | [`Overflow`] |
//!
//! Short values are copied out of the buffer that was read from the network; strings of 1 KiB and more in a list share the
//! memory of the whole reply for as long as one of them is kept.

#![forbid(unsafe_code)]

mod arg;
mod cache;
mod class;
mod client;
mod cluster;
mod command;
mod config;
mod connection;
mod error;
mod fields;
mod from_reply;
mod join;
mod keys;
mod keyspace;
mod latency;
mod mailbox;
mod monitor;
mod patience;
mod pipeline;
mod pubsub;
mod reauth;
mod reply;
mod request;
mod scan;
mod script;
mod sentinel;
mod sha1;
mod stats;
mod table;
mod telemetry;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod watch;

pub use arg::{ToArg, ToArgs};
pub use cache::{CacheStats, Cached, Caching};
pub use class::{Class, Retry};
pub use client::Client;
pub use cluster::{ClusterNode, Role, key_slot};
pub use command::*;
pub use config::{
    Address, Config, Connector, Credentials, CredentialsProvider, Protocol, ReadFrom,
};
pub use connection::backoff::Backoff;
pub use error::{Error, ErrorKind, Outcome, Phase, ReplyError, Result, ServerError};
pub use fields::Fields;
pub use from_reply::FromReply;
pub use keyspace::KeyEvent;
#[cfg(feature = "derive")]
pub use kv_client_derive::{FromReply, ToArgs};
pub use latency::Latency;
pub use monitor::{Monitor, Monitored};
pub use pipeline::{Batch, BatchFuture, Pipeline, Transaction};
pub use pubsub::{Event, Gap, Message, Overflow, Subscribe, Subscription};
pub use reply::{Elements, Reply};
pub use request::Request;
pub use resp_codec::{DecodeError, Frame, Limits};
pub use scan::{Element, Scan};
pub use script::{Library, Script, ScriptCall};
pub use stats::{LaneStats, Stats};
#[cfg(feature = "tls")]
pub use tls::Tls;
pub use url::UrlError;
pub use watch::Watch;
