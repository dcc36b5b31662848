//! Commands about the connection and the server.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::from_reply::FromReply;
use crate::table::row;

impl Client {
    /// [PING](https://redis.io/docs/latest/commands/ping/): asks for a sign of life.
    pub fn ping(&self) -> Command<'_, ()> {
        self.typed(row!("PING"))
    }

    /// [ECHO](https://redis.io/docs/latest/commands/echo/): gives the message back.
    pub fn echo(&self, message: impl ToArg) -> Command<'_, Bytes> {
        self.typed(row!("ECHO")).with(message)
    }

    /// [SELECT](https://redis.io/docs/latest/commands/select/): changes the database **for all clones of this client**, now
    /// and after every reconnect. [`Config::db`](crate::Config::db) says it from the start.
    pub fn select(&self, db: u32) -> Command<'_, ()> {
        self.typed(row!("SELECT")).with(db)
    }

    /// [AUTH](https://redis.io/docs/latest/commands/auth/): logs in with the password of the default user, **for all clones
    /// of this client**, now and after every reconnect. [`Config::credentials`](crate::Config::credentials) says it from
    /// the start.
    pub fn auth(&self, password: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("AUTH")).with(password)
    }

    /// [AUTH](https://redis.io/docs/latest/commands/auth/) with a user's name; see [`auth`](Self::auth).
    pub fn auth_user(&self, user: impl ToArg, password: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("AUTH")).with(user).with(password)
    }

    /// [CLIENT ID](https://redis.io/docs/latest/commands/client-id/): the server's number for this connection.
    pub fn client_id(&self) -> Command<'_, i64> {
        self.typed(row!("CLIENT ID"))
    }

    /// [CLIENT INFO](https://redis.io/docs/latest/commands/client-info/): what the server knows of this connection.
    pub fn client_info(&self) -> Command<'_, String> {
        self.typed(row!("CLIENT INFO"))
    }

    /// [CLIENT LIST](https://redis.io/docs/latest/commands/client-list/): what the server knows of all connections, a line each.
    pub fn client_list(&self) -> Command<'_, String> {
        self.typed(row!("CLIENT LIST"))
    }

    /// [CLIENT GETNAME](https://redis.io/docs/latest/commands/client-getname/): the name of this connection.
    pub fn client_getname(&self) -> Command<'_, Option<String>> {
        self.typed(row!("CLIENT GETNAME"))
    }

    /// [CLIENT SETNAME](https://redis.io/docs/latest/commands/client-setname/): names the connection of all clones of this
    /// client, now and after every reconnect.
    pub fn client_setname(&self, name: impl ToArg) -> Command<'_, ()> {
        self.typed(row!("CLIENT SETNAME")).with(name)
    }

    /// [INFO](https://redis.io/docs/latest/commands/info/): sections of the server's report; `default` is the usual selection.
    pub fn info(&self, sections: impl ToArgs) -> Command<'_, String> {
        self.typed(row!("INFO")).with_all(sections)
    }

    /// [TIME](https://redis.io/docs/latest/commands/time/): the server's clock.
    pub fn time(&self) -> Command<'_, SystemTime> {
        self.typed::<(u64, u64), _>(row!("TIME")).decoded(|reply| {
            let (seconds, micros) = <(u64, u64)>::from_reply(reply)?;
            Ok(SystemTime::UNIX_EPOCH
                + Duration::from_secs(seconds)
                + Duration::from_micros(micros))
        })
    }
}
