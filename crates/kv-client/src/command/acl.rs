//! ACL: users and what they may do.

use crate::arg::{ToArg, ToArgs};
use crate::client::Client;
use crate::command::Command;
use crate::error::ReplyError;
use crate::fields::reply_struct;
use crate::from_reply::FromReply;
use crate::reply::Reply;
use crate::table::row;

reply_struct! {
    /// A user.
    pub struct AclUser {
        /// `on`, `off`, `nopass`, ...
        flags: Vec<String> = "flags",
        /// The hashes of the passwords.
        passwords: Vec<String> = "passwords",
        /// Which commands are allowed.
        commands: String = "commands",
        /// Which keys are allowed. Redis 6 sends them as a list.
        keys: AclPatterns = "keys",
        /// Which channels are allowed. Redis 6 sends them as a list.
        channels: AclPatterns = "channels",
    }

    /// Something that a user was refused.
    pub struct AclLogEntry {
        /// How often.
        count: u64 = "count",
        /// What was missing: `command`, `key`, `channel`, `auth`.
        reason: String = "reason",
        /// Where: `toplevel`, `multi`, `lua`, `module`.
        context: String = "context",
        /// The command, key or channel.
        object: String = "object",
        /// Who.
        username: String = "username",
        /// Seconds since it happened.
        age_seconds: f64 = "age-seconds",
        /// The connection, as in CLIENT LIST.
        client_info: String = "client-info",
    }
}

/// Patterns of keys or channels, as rules with a space between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclPatterns(pub String);

impl FromReply for AclPatterns {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        match reply {
            Reply::Array(_) | Reply::Set(_) => {
                Vec::<String>::from_reply(reply).map(|patterns| Self(patterns.join(" ")))
            }
            reply => String::from_reply(reply).map(Self),
        }
    }
}

impl Client {
    /// [ACL WHOAMI](https://redis.io/docs/latest/commands/acl-whoami/): the user of this connection.
    pub fn acl_whoami(&self) -> Command<'_, String> {
        self.typed(row!("ACL WHOAMI"))
    }

    /// [ACL USERS](https://redis.io/docs/latest/commands/acl-users/): the names of all users.
    pub fn acl_users(&self) -> Command<'_, Vec<String>> {
        self.typed(row!("ACL USERS"))
    }

    /// [ACL LIST](https://redis.io/docs/latest/commands/acl-list/): all users with their rules, as in a configuration
    /// file.
    pub fn acl_list(&self) -> Command<'_, Vec<String>> {
        self.typed(row!("ACL LIST"))
    }

    /// [ACL GETUSER](https://redis.io/docs/latest/commands/acl-getuser/): a user with its rules.
    pub fn acl_getuser(&self, user: impl ToArg) -> Command<'_, Option<AclUser>> {
        self.typed(row!("ACL GETUSER")).with(user)
    }

    /// [ACL SETUSER](https://redis.io/docs/latest/commands/acl-setuser/): makes or changes a user: `["on", ">secret",
    /// "~app:*", "+@read"]`.
    pub fn acl_setuser(&self, user: impl ToArg, rules: impl ToArgs) -> Command<'_, ()> {
        self.typed(row!("ACL SETUSER")).with(user).with_all(rules)
    }

    /// [ACL DELUSER](https://redis.io/docs/latest/commands/acl-deluser/): deletes users and ends their connections; how
    /// many there were.
    pub fn acl_deluser(&self, users: impl ToArgs) -> Command<'_, u64> {
        self.typed(row!("ACL DELUSER")).with_all(users)
    }

    /// [ACL DRYRUN](https://redis.io/docs/latest/commands/acl-dryrun/): whether a user may run a command: `OK`, or why
    /// not.
    pub fn acl_dryrun(
        &self,
        user: impl ToArg,
        command: impl ToArg,
        args: impl ToArgs,
    ) -> Command<'_, String> {
        self.typed(row!("ACL DRYRUN"))
            .with(user)
            .with(command)
            .with_all(args)
    }

    /// [ACL CAT](https://redis.io/docs/latest/commands/acl-cat/): the categories of commands.
    pub fn acl_cat(&self) -> Command<'_, Vec<String>> {
        self.typed(row!("ACL CAT"))
    }

    /// [ACL CAT](https://redis.io/docs/latest/commands/acl-cat/) with a category: its commands.
    pub fn acl_cat_of(&self, category: impl ToArg) -> Command<'_, Vec<String>> {
        self.typed(row!("ACL CAT")).with(category)
    }

    /// [ACL GENPASS](https://redis.io/docs/latest/commands/acl-genpass/): a password at random, in hexadecimal digits.
    pub fn acl_genpass(&self, bits: u32) -> Command<'_, String> {
        self.typed(row!("ACL GENPASS")).with(bits)
    }

    /// [ACL LOAD](https://redis.io/docs/latest/commands/acl-load/): reads the users from the server's file.
    pub fn acl_load(&self) -> Command<'_, ()> {
        self.typed(row!("ACL LOAD"))
    }

    /// [ACL SAVE](https://redis.io/docs/latest/commands/acl-save/): writes the users to the server's file.
    pub fn acl_save(&self) -> Command<'_, ()> {
        self.typed(row!("ACL SAVE"))
    }

    /// [ACL LOG](https://redis.io/docs/latest/commands/acl-log/): what users were refused, the newest first.
    pub fn acl_log(&self, count: u64) -> Command<'_, Vec<AclLogEntry>> {
        self.typed(row!("ACL LOG")).with(count)
    }

    /// [ACL LOG](https://redis.io/docs/latest/commands/acl-log/) RESET: forgets that.
    pub fn acl_log_reset(&self) -> Command<'_, ()> {
        self.typed(row!("ACL LOG")).with("RESET")
    }
}
