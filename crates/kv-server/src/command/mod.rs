//! The command table: one row a command, read by dispatch, `COMMAND`, ACL, MULTI and the README's coverage table.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::context::Context;
use crate::error::Result;

mod args;
mod bitmap;
mod connection;
mod flags;
mod generic;
mod hash;
mod keys;
mod list;
mod pubsub;
mod server;
mod set;
mod stream;
mod string;
pub(crate) mod syntax;
mod table;
mod transaction;
mod zset;

pub use args::Args;
pub(crate) use flags::category_names;
pub use flags::{Flags, Group};
pub use keys::{KeySpec, Keys};
pub(crate) use table::{Found, Row, RowId, Table};

/// One command: the fields of `COMMAND INFO` and `COMMAND DOCS`, and what runs it.
///
/// A user's own command is a row of the same kind, given to
/// [`Builder::command`](crate::Builder::command); it may replace a built-in one of the same name.
///
/// ```
/// use kv_server::{Args, Command, Context, Flags, Keys, Result};
///
/// fn delete(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
///     let key = args.next()?;
///     args.finish()?;
///     let removed = cx.remove(key);
///     cx.reply().integer(removed.into());
///     Ok(())
/// }
///
/// let row = Command::new("DELETE", 2, Flags::WRITE, Keys::ONE, delete);
/// ```
#[derive(Clone)]
pub struct Command {
    pub(crate) name: Cow<'static, str>,
    pub(crate) arity: i16,
    pub(crate) flags: Flags,
    pub(crate) keys: Keys,
    pub(crate) handler: Handler,
    pub(crate) docs: Docs,
    /// What a proxy should know of it, separated by blanks, in the words of
    /// [command tips](https://redis.io/docs/latest/develop/reference/command-tips/).
    pub(crate) tips: &'static str,
    pub(crate) subcommands: &'static [Self],
}

/// What `COMMAND DOCS` says beyond the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Docs {
    pub(crate) since: &'static str,
    /// The arguments in the notation of the Redis documentation: `key value [NX | XX] [EX seconds]`.
    pub(crate) syntax: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) complexity: &'static str,
    /// Since when nobody should use it any more, and what instead.
    pub(crate) deprecated: Option<(&'static str, &'static str)>,
}

/// A handler parses all its arguments, then opens the keyspace, then writes its reply; it never waits.
pub(crate) type HandlerFn = for<'a, 'c> fn(Args<'a>, &mut Context<'c>) -> Result;

/// The handler of a command that a user of the library added.
pub(crate) type CustomFn = dyn for<'a, 'c> Fn(Args<'a>, &mut Context<'c>) -> Result + Send + Sync;

#[derive(Clone)]
pub(crate) enum Handler {
    Builtin(HandlerFn),
    Custom(Arc<CustomFn>),
    /// EXEC runs other commands, so the dispatcher does it.
    Exec,
    /// Only a container of subcommands.
    Container,
}

impl Command {
    /// A user's own command.
    ///
    /// `arity` counts the name; -3 means three or more. `name` is matched without regard to case.
    pub fn new(
        name: impl Into<String>,
        arity: i16,
        flags: Flags,
        keys: Keys,
        handler: impl for<'a, 'c> Fn(Args<'a>, &mut Context<'c>) -> Result + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: Cow::Owned(name.into()),
            arity,
            flags,
            keys,
            handler: Handler::Custom(Arc::new(handler)),
            docs: Docs::NONE,
            tips: "",
            subcommands: &[],
        }
    }

    /// Adds what `COMMAND DOCS` says.
    pub(crate) const fn docs(
        mut self,
        since: &'static str,
        syntax: &'static str,
        summary: &'static str,
        complexity: &'static str,
    ) -> Self {
        self.docs = Docs {
            since,
            syntax,
            summary,
            complexity,
            deprecated: None,
        };
        self
    }

    /// Adds since when nobody should use it any more, and what instead.
    pub(crate) const fn deprecated(mut self, since: &'static str, instead: &'static str) -> Self {
        self.docs.deprecated = Some((since, instead));
        self
    }

    /// Adds what proxies are told: see [`tips`](Self::tips).
    pub(crate) const fn tips(mut self, tips: &'static str) -> Self {
        self.tips = tips;
        self
    }

    /// Makes the row a container; `handler` runs if the container is also a command of its own.
    pub(crate) const fn subcommands(mut self, rows: &'static [Self]) -> Self {
        self.subcommands = rows;
        self
    }

    /// Whether it takes constant time unless it has many arguments.
    pub(crate) fn is_brief(&self) -> bool {
        self.flags.contains(Flags::FAST) || self.docs.complexity.starts_with("O(1)")
    }

    pub(crate) fn accepts(&self, arguments: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity >= 0 {
            arguments == wanted
        } else {
            arguments >= wanted
        }
    }
}

impl Docs {
    pub(crate) const NONE: Self = Self {
        since: "",
        syntax: "",
        summary: "",
        complexity: "",
        deprecated: None,
    };
}

/// A row of a built-in command.
pub(crate) const fn row(
    name: &'static str,
    arity: i16,
    flags: Flags,
    keys: Keys,
    run: HandlerFn,
) -> Command {
    Command {
        name: Cow::Borrowed(name),
        arity,
        flags,
        keys,
        handler: Handler::Builtin(run),
        docs: Docs::NONE,
        tips: "",
        subcommands: &[],
    }
}

/// The row of EXEC.
pub(crate) const fn exec(name: &'static str, flags: Flags) -> Command {
    Command {
        name: Cow::Borrowed(name),
        arity: 1,
        flags,
        keys: Keys::NONE,
        handler: Handler::Exec,
        docs: Docs::NONE,
        tips: "",
        subcommands: &[],
    }
}

/// A row that only holds subcommands.
pub(crate) const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
    Command {
        name: Cow::Borrowed(name),
        arity: -2,
        flags: Flags::NONE,
        keys: Keys::NONE,
        handler: Handler::Container,
        docs: Docs::NONE,
        tips: "",
        subcommands,
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("name", &self.name)
            .field("arity", &self.arity)
            .finish_non_exhaustive()
    }
}

/// The rows of one family, beside their handlers.
pub(crate) struct Family {
    pub(crate) group: Group,
    pub(crate) commands: &'static [Command],
}

/// Every built-in family.
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        group: Group::Bitmap,
        commands: bitmap::COMMANDS,
    },
    Family {
        group: Group::Connection,
        commands: connection::COMMANDS,
    },
    Family {
        group: Group::Generic,
        commands: generic::COMMANDS,
    },
    Family {
        group: Group::Hash,
        commands: hash::COMMANDS,
    },
    Family {
        group: Group::List,
        commands: list::COMMANDS,
    },
    Family {
        group: Group::PubSub,
        commands: pubsub::COMMANDS,
    },
    Family {
        group: Group::Server,
        commands: server::COMMANDS,
    },
    Family {
        group: Group::Server,
        commands: generic::DATABASE_COMMANDS,
    },
    Family {
        group: Group::Set,
        commands: set::COMMANDS,
    },
    Family {
        group: Group::SortedSet,
        commands: zset::COMMANDS,
    },
    Family {
        group: Group::Stream,
        commands: stream::COMMANDS,
    },
    Family {
        group: Group::String,
        commands: string::COMMANDS,
    },
    Family {
        group: Group::Transactions,
        commands: transaction::COMMANDS,
    },
];
