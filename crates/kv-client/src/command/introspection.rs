//! COMMAND: what the server knows of its commands.

use std::collections::HashMap;

use bytes::Bytes;
use resp_codec::Frame;

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::error::ReplyError;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

/// The options of [`Client::command_list`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CommandListOptions;

/// What the server knows of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandInfo {
    /// Its name, in lower case.
    pub name: String,
    /// The number of its arguments, the name included; at least so many if it is negative.
    pub arity: i64,
    /// `readonly`, `write`, `blocking`, ...
    pub flags: Vec<String>,
    /// Its categories in access control lists. As of Redis 6.0.
    pub acl_categories: Vec<String>,
    /// Its subcommands. As of Redis 7.0.
    pub subcommands: Vec<Self>,
}

impl FromReply for CommandInfo {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut parts = Vec::<Reply>::from_reply(reply)?.into_iter();
        let mut part = || parts.next().unwrap_or(Reply::Null);
        let (name, arity, flags) = (part(), part(), part());
        let acl_categories = [(); 4].map(|()| part()).into_iter().next_back();
        let subcommands = [(); 3].map(|()| part()).into_iter().next_back();
        Ok(Self {
            name: FromReply::from_reply(name)?,
            arity: FromReply::from_reply(arity)?,
            flags: FromReply::from_reply(flags)?,
            acl_categories: FromReply::from_reply(acl_categories.unwrap_or(Reply::Null))?,
            subcommands: FromReply::from_reply(subcommands.unwrap_or(Reply::Null))?,
        })
    }
}

impl Client {
    /// [COMMAND](https://redis.io/docs/latest/commands/command/): all commands.
    pub fn command_all(&self) -> Command<'_, Vec<CommandInfo>> {
        self.typed(row!("COMMAND"))
    }

    /// [COMMAND COUNT](https://redis.io/docs/latest/commands/command-count/): how many commands there are.
    pub fn command_count(&self) -> Command<'_, u64> {
        self.typed(row!("COMMAND COUNT"))
    }

    /// [COMMAND INFO](https://redis.io/docs/latest/commands/command-info/): these commands; of a subcommand, the name
    /// is `config|get`.
    pub fn command_info(&self, names: impl ToArgs) -> Command<'_, Vec<Option<CommandInfo>>> {
        self.typed(row!("COMMAND INFO")).with_all(names)
    }

    /// [COMMAND DOCS](https://redis.io/docs/latest/commands/command-docs/): what these commands are for.
    pub fn command_docs(&self, names: impl ToArgs) -> Command<'_, HashMap<String, Frame>> {
        self.typed(row!("COMMAND DOCS")).with_all(names)
    }

    /// [COMMAND LIST](https://redis.io/docs/latest/commands/command-list/): the names of the commands.
    pub fn command_list(&self) -> Command<'_, Vec<String>, CommandListOptions> {
        self.typed(row!("COMMAND LIST"))
    }

    /// [COMMAND GETKEYS](https://redis.io/docs/latest/commands/command-getkeys/): the keys of a command with its
    /// arguments. [`Request::keys`](crate::Request::keys) finds them without asking.
    pub fn command_getkeys(
        &self,
        command: impl ToArg,
        args: impl ToArgs,
    ) -> Command<'_, Vec<Bytes>> {
        self.typed(row!("COMMAND GETKEYS"))
            .with(command)
            .with_all(args)
    }

    /// [COMMAND GETKEYSANDFLAGS](https://redis.io/docs/latest/commands/command-getkeysandflags/): the keys of a
    /// command, and what it does with each.
    pub fn command_getkeysandflags(
        &self,
        command: impl ToArg,
        args: impl ToArgs,
    ) -> Command<'_, Vec<(Bytes, Vec<String>)>> {
        self.typed(row!("COMMAND GETKEYSANDFLAGS"))
            .with(command)
            .with_all(args)
    }
}

impl<T> Command<'_, T, CommandListOptions> {
    /// Only those of a module.
    pub fn of_module(self, name: impl ToArg) -> Self {
        self.with("FILTERBY").with("MODULE").with(name)
    }

    /// Only those of a category of access control lists.
    pub fn of_category(self, name: impl ToArg) -> Self {
        self.with("FILTERBY").with("ACLCAT").with(name)
    }

    /// Only those whose names match.
    pub fn matching(self, pattern: impl ToArg) -> Self {
        self.with("FILTERBY").with("PATTERN").with(pattern)
    }
}
