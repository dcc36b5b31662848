//! `maxmemory-policy`: which keys go when memory is short.

/// Which keys may be evicted, and which of them first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Only keys with an expiry.
    pub(crate) volatile: bool,
    pub(crate) worth: Worth,
}

/// What makes a key worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Every key is: nothing is evicted, and commands that need memory fail.
    All,
    /// Being used lately.
    Age,
    /// Being used often.
    Frequency,
    /// Nothing: any key may go.
    Chance,
    /// Having long to live.
    Ttl,
}

/// The names, in the order in which Redis lists them.
const NAMES: [(&str, Policy); 8] = [
    ("volatile-lru", Policy::new(true, Worth::Age)),
    ("volatile-lfu", Policy::new(true, Worth::Frequency)),
    ("volatile-random", Policy::new(true, Worth::Chance)),
    ("volatile-ttl", Policy::new(true, Worth::Ttl)),
    ("allkeys-lru", Policy::new(false, Worth::Age)),
    ("allkeys-lfu", Policy::new(false, Worth::Frequency)),
    ("allkeys-random", Policy::new(false, Worth::Chance)),
    ("noeviction", Policy::NONE),
];

impl Policy {
    /// `noeviction`
    pub(crate) const NONE: Self = Self::new(false, Worth::All);

    const fn new(volatile: bool, worth: Worth) -> Self {
        Self { volatile, worth }
    }

    /// The policy of this name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut names = NAMES.iter();
        names
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, policy)| *policy)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, policy)| *policy == self)
            .map_or("noeviction", |(name, _)| name)
    }

    /// All names, separated by commas.
    pub(crate) fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// Whether Redis stops sharing small integers: each key needs a clock of its own.
    pub(crate) fn needs_clocks(self) -> bool {
        matches!(self.worth, Worth::Age | Worth::Frequency)
    }
}
