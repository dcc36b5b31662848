//! Flags and groups of commands, as `COMMAND INFO` names them.

use std::ops::BitOr;

/// Properties of a command, combined with `|`.
///
/// The names are those of [`COMMAND INFO`](https://redis.io/docs/latest/commands/command/#flags); those that begin with `CAT_` add an ACL
/// category that follows from no other property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $wire:expr;)*) => {
        impl Flags {
            /// No property.
            pub const NONE: Self = Self(0);
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            /// Bit and name of each flag that `COMMAND INFO` lists, in the order in which Redis lists them.
            pub(crate) const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, $wire)),*];
        }
    };
}

flags! {
    /// Changes data.
    WRITE = 0, "write";
    /// Reads data and changes none.
    READONLY = 1, "readonly";
    /// May use more memory: refused when memory is used up.
    DENYOOM = 2, "denyoom";
    /// For administrators.
    ADMIN = 3, "admin";
    /// Part of publish and subscribe.
    PUBSUB = 4, "pubsub";
    /// Not for scripts.
    NOSCRIPT = 5, "noscript";
    /// May block the connection.
    BLOCKING = 6, "blocking";
    /// Allowed while a snapshot is loading.
    LOADING = 7, "loading";
    /// Allowed on a replica without its primary.
    STALE = 8, "stale";
    /// Not shown by MONITOR.
    SKIP_MONITOR = 9, "skip_monitor";
    /// Not in the slow log.
    SKIP_SLOWLOG = 10, "skip_slowlog";
    /// Runs in constant or logarithmic time.
    FAST = 11, "fast";
    /// Allowed before authentication.
    NO_AUTH = 12, "no_auth";
    /// Its keys are only known to itself.
    NO_MANDATORY_KEYS = 18, "no_mandatory_keys";
    /// Not allowed while a snapshot loads in the background.
    NO_ASYNC_LOADING = 17, "no_async_loading";
    /// Not allowed inside of MULTI.
    NO_MULTI = 14, "no_multi";
    /// Its keys stand at no fixed position.
    MOVABLE_KEYS = 15, "movablekeys";
    /// Allowed while a script has been running for too long.
    ALLOW_BUSY = 16, "allow_busy";
    /// Its effect may be replicated though it does not change data itself; Redis does not list it.
    MAY_REPLICATE = 13, "";
    /// In ACL category `keyspace`.
    CAT_KEYSPACE = 24, "";
    /// In ACL category `admin`.
    CAT_ADMIN = 28, "";
    /// In ACL category `dangerous`.
    CAT_DANGEROUS = 25, "";
    /// In ACL category `connection`.
    CAT_CONNECTION = 27, "";
    /// In the ACL categories of all types that SORT sorts, rather than in `keyspace`.
    CAT_SORTED = 29, "";
    /// Changes databases other than the selected one.
    CROSS_DB = 26, "";
}

impl Flags {
    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names in `COMMAND INFO`.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let named = Self::NAMES
            .iter()
            .filter(move |(flag, name)| self.contains(*flag) && !name.is_empty());
        named.map(|(_, name)| *name)
    }

    /// `|`, for constants.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

/// The group of a command, as `COMMAND DOCS` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// Bitmap commands.
    Bitmap,
    /// Cluster commands.
    Cluster,
    /// Connection commands.
    Connection,
    /// Generic commands on keys.
    Generic,
    /// Geo commands.
    Geo,
    /// Hash commands.
    Hash,
    /// HyperLogLog commands.
    Hyperloglog,
    /// List commands.
    List,
    /// Commands that a user of this library added.
    Module,
    /// Publish and subscribe.
    PubSub,
    /// Scripting and functions.
    Scripting,
    /// Server commands.
    Server,
    /// Set commands.
    Set,
    /// Sorted set commands.
    SortedSet,
    /// Stream commands.
    Stream,
    /// String commands.
    String,
    /// MULTI and its relatives.
    Transactions,
}

/// The name, and whether a command of these flags and this group is in it.
type Category = (&'static str, fn(Flags, Group) -> bool);

/// The ACL categories in Redis's order.
#[rustfmt::skip] // a table reads best in columns
const CATEGORIES: &[Category] = &[
    ("keyspace",    |flags, group| (group == Group::Generic && !flags.contains(Flags::CAT_SORTED)) || flags.contains(Flags::CAT_KEYSPACE)),
    ("read",        |flags, _| flags.contains(Flags::READONLY)),
    ("write",       |flags, _| flags.contains(Flags::WRITE)),
    ("set",         |flags, group| group == Group::Set || flags.contains(Flags::CAT_SORTED)),
    ("sortedset",   |flags, group| group == Group::SortedSet || flags.contains(Flags::CAT_SORTED)),
    ("list",        |flags, group| group == Group::List || flags.contains(Flags::CAT_SORTED)),
    ("hash",        |_, group| group == Group::Hash),
    ("string",      |_, group| group == Group::String),
    ("bitmap",      |_, group| group == Group::Bitmap),
    ("hyperloglog", |_, group| group == Group::Hyperloglog),
    ("geo",         |_, group| group == Group::Geo),
    ("stream",      |_, group| group == Group::Stream),
    ("pubsub",      |flags, _| flags.contains(Flags::PUBSUB)),
    ("admin",       |flags, _| flags.intersects(Flags::ADMIN.and(Flags::CAT_ADMIN))),
    ("fast",        |flags, _| flags.contains(Flags::FAST)),
    ("slow",        |flags, _| !flags.contains(Flags::FAST)),
    ("blocking",    |flags, _| flags.contains(Flags::BLOCKING)),
    ("dangerous",   |flags, _| flags.intersects(Flags::ADMIN.and(Flags::CAT_DANGEROUS))),
    ("connection",  |flags, group| group == Group::Connection || flags.contains(Flags::CAT_CONNECTION)),
    ("transaction", |_, group| group == Group::Transactions),
    ("scripting",   |_, group| group == Group::Scripting),
];

/// The names of all ACL categories.
pub(crate) fn category_names() -> impl ExactSizeIterator<Item = &'static str> {
    CATEGORIES.iter().map(|(name, _)| *name)
}

/// The ACL categories of a command.
pub(crate) fn categories(flags: Flags, group: Group) -> impl Iterator<Item = &'static str> {
    CATEGORIES
        .iter()
        .filter(move |(_, contains)| contains(flags, group))
        .map(|(name, _)| *name)
}

impl Group {
    /// The name in `COMMAND DOCS`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::Hyperloglog => "hyperloglog",
            Self::List => "list",
            Self::Module => "module",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}
