//! Where the keys of a command stand, and what it does with them.

/// The key specifications of a command, as in [key specs](https://redis.io/docs/latest/develop/reference/key-specs/).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys(pub(crate) &'static [KeySpec]);

/// One range of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    pub(crate) begin: Begin,
    pub(crate) find: Find,
    /// As in `COMMAND INFO`, separated by blanks: `RW access update`.
    pub(crate) flags: &'static str,
}

/// Where a range of keys begins; the name of the command is at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Index(u16),
    /// Behind this word, searched from this position (from the end if negative).
    Keyword(&'static str, i16),
    /// Nowhere in particular; only the command itself knows.
    Unknown,
    /// The destination of SORT: behind the last STORE, which may be any argument. Shown as unknown, for no specification says that.
    SortStore,
}

/// How far the range goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Find {
    /// To `begin + last` (from the end if negative), every `step`; with a `limit` of n only the first n-th of what is left.
    Range { last: i16, step: u16, limit: u16 },
    /// The number of keys stands at `begin + index`, the first key at `begin + first`.
    KeyNum { index: u16, first: u16, step: u16 },
    /// Only the command itself knows.
    Unknown,
}

impl Keys {
    /// No keys.
    pub const NONE: Self = Self(&[]);
    /// The first argument, read and written.
    pub const ONE: Self = Self(&[KeySpec::range(1, 0, 1, "RW access update")]);
    /// The first argument, only read.
    pub const READ_ONE: Self = Self(&[KeySpec::range(1, 0, 1, "RO access")]);
    /// All arguments, read and written.
    pub const ALL: Self = Self(&[KeySpec::range(1, -1, 1, "RW access update")]);
    /// All arguments, only read.
    pub const READ_ALL: Self = Self(&[KeySpec::range(1, -1, 1, "RO access")]);
    /// Every other argument: `key value key value`.
    pub const PAIRS: Self = Self(&[KeySpec::range(1, -1, 2, "OW update")]);

    /// From a table of specifications.
    #[must_use]
    pub const fn new(specs: &'static [KeySpec]) -> Self {
        Self(specs)
    }

    /// First key, last key and step, as clients knew them before key specifications; zeros if the keys are at no fixed place.
    pub(crate) fn legacy(self) -> (i64, i64, i64) {
        let mut found = (0, 0, 0);
        for spec in self.0 {
            let (Begin::Index(first), Find::Range { last, step, .. }) = (spec.begin, spec.find)
            else {
                continue;
            };
            let (first, last, step) = (i64::from(first), i64::from(last), i64::from(step));
            let last = if last < 0 { last } else { first + last };
            // A range that continues the one before extends it: `RENAME key newkey`.
            if found.0 == 0 {
                found = (first, last, step);
            } else if found.1 >= 0 && first == found.1 + 1 && step == found.2 {
                found.1 = last;
            }
        }
        found
    }

    /// Whether some keys are at no fixed place.
    pub(crate) fn are_movable(self) -> bool {
        let fixed = |spec: &KeySpec| {
            matches!(
                (spec.begin, spec.find),
                (Begin::Index(_), Find::Range { .. })
            )
        };
        !self.0.iter().all(fixed)
    }

    /// Calls `f` with the position of each key among `args`; the name of the command is at 0.
    ///
    /// Returns `false` if the arguments do not fit the specification.
    pub(crate) fn positions(
        self,
        args: &[&[u8]],
        mut f: impl FnMut(usize, &'static KeySpec),
    ) -> bool {
        let mut fits = true;
        for spec in self.0 {
            fits &= spec.positions(args, |at| f(at, spec)).is_some();
        }
        fits
    }
}

impl KeySpec {
    /// A range from argument `first` to `first + last` (counted from the end if `last` is negative), every `step`.
    #[must_use]
    pub const fn range(first: u16, last: i16, step: u16, flags: &'static str) -> Self {
        Self {
            begin: Begin::Index(first),
            find: Find::Range {
                last,
                step,
                limit: 0,
            },
            flags,
        }
    }

    /// As many keys as argument `index` says, which follow it.
    #[must_use]
    pub const fn counted(index: u16, flags: &'static str) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::KeyNum {
                index: 0,
                first: 1,
                step: 1,
            },
            flags,
        }
    }

    /// Keys that no position tells, only the command itself.
    pub(crate) const fn unknown(begin: Begin, flags: &'static str) -> Self {
        Self {
            begin,
            find: Find::Unknown,
            flags,
        }
    }

    /// What this request does with the keys, where the specification has `variable_flags`.
    pub(crate) fn flags_in(&self, request: &[&[u8]]) -> &'static str {
        let name = request.first().copied().unwrap_or_default();
        let is = |command: &str| name.eq_ignore_ascii_case(command.as_bytes());
        match self.flags.strip_suffix(" variable_flags") {
            Some(_) if is("SET") && !returns_old(request) => "OW update",
            Some(_) if is("BITFIELD") && only_reads(request) => "RO access",
            Some(all) => all,
            None => self.flags,
        }
    }

    fn positions(&self, args: &[&[u8]], mut f: impl FnMut(usize)) -> Option<()> {
        let len = isize::try_from(args.len()).ok()?;
        let begin = match self.begin {
            Begin::Index(index) => isize::try_from(index).ok()?,
            Begin::Keyword(word, from) => keyword(args, word, from)?,
            Begin::Unknown => return Some(()),
            Begin::SortStore => {
                sort_store(args).into_iter().for_each(f);
                return Some(());
            }
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let last = isize::from(last);
                let last = match (last < 0, limit) {
                    (false, _) => begin + last,
                    (true, 0 | 1) => len + last,
                    (true, limit) => begin + ((len - begin) / isize::try_from(limit).ok()? + last),
                };
                (begin, last, step)
            }
            Find::KeyNum { index, first, step } => {
                let count = args.get(usize::try_from(begin).ok()? + usize::from(index))?;
                let count = resp_codec::number::parse_i64(count)?;
                let count = isize::try_from(count)
                    .ok()
                    .filter(|&n| n >= 0 && n <= len)?;
                let first = begin + isize::try_from(first).ok()?;
                (
                    first,
                    first + (count - 1) * isize::try_from(step).ok()?,
                    step,
                )
            }
            Find::Unknown => return None,
        };
        if last >= len {
            return None;
        }
        let mut at = first;
        while at <= last {
            f(usize::try_from(at).ok()?);
            at += isize::try_from(step.max(1)).ok()?;
        }
        Some(())
    }
}

/// SET with GET.
fn returns_old(request: &[&[u8]]) -> bool {
    let options = request.get(3..).unwrap_or_default();
    options.iter().any(|word| word.eq_ignore_ascii_case(b"GET"))
}

/// BITFIELD with nothing but GET.
fn only_reads(request: &[&[u8]]) -> bool {
    let mut words = request.get(2..).unwrap_or_default();
    while let Some((word, rest)) = words.split_first() {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        words = match rest {
            [_, _, rest @ ..] if is("GET") => rest,
            [_, rest @ ..] if is("OVERFLOW") => rest,
            _ => return false,
        };
    }
    true
}

fn keyword(args: &[&[u8]], word: &str, from: i16) -> Option<isize> {
    let matches = |arg: &&[u8]| arg.eq_ignore_ascii_case(word.as_bytes());
    let at = if from >= 0 {
        let from = usize::try_from(from).ok()?;
        from + args.get(from..)?.iter().position(matches)?
    } else {
        let end = args.len().checked_sub(usize::from(from.unsigned_abs()))?;
        args.get(..=end)?.iter().rposition(matches)?
    };
    isize::try_from(at + 1).ok()
}

/// Where SORT stores its result: the last STORE counts.
fn sort_store(args: &[&[u8]]) -> Option<usize> {
    let (mut at, mut found) = (2, None);
    while let Some(word) = args.get(at) {
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        if is("STORE") && at + 1 < args.len() {
            found = Some(at + 1);
        }
        // Words behind an option are not options.
        at += match () {
            () if is("LIMIT") => 3,
            () if is("BY") || is("GET") || is("STORE") => 2,
            () => 1,
        };
    }
    found
}
