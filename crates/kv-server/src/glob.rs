//! Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET match them: `* ? [a-z] [^x] \x`, over bytes.
//!
//! The rules, odd corners included, are those of `stringmatchlen` in Redis's `util.c`:
//!
//! - `*` does not match an empty text when it has nothing before it. KEYS and SCAN never notice, because they treat the
//!   pattern `*` as "no pattern"; see [`Glob::is_any`].
//! - A class without its `]` ends with the pattern: `[ab` is `[ab]`, `[^` is any byte and `[` matches nothing.
//! - `[z-a]` is `[a-z]`. A `-` needs a byte on either side: in `[a-]` it makes a range from `a` to `]`.
//! - A backslash quotes the next byte, in a class too; at the end of the pattern it stands for itself.
//! - Ignoring case, a quoted byte in a class keeps its case, and a range is put in order before its ends are folded.
//! - A pattern with more than a thousand stars, those at its end not counted, matches nothing.
//!
//! One difference on purpose: bytes of a range compare unsigned; in Redis that depends on the processor.
//!
//! Matching walks the text once and goes back only to the latest `*`, never to an earlier one: each pattern element but
//! `*` takes exactly one byte, so what an earlier `*` could gain by taking more, the latest one can gain as well. The
//! time is at most text length times pattern length, the memory constant.

/// A pattern looked at once, so that matching many texts skips what can be known beforehand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glob<'p> {
    pattern: &'p [u8],
    /// Bytes at the start of the pattern that stand for themselves.
    literal: usize,
    ignore_case: bool,
    has_too_many_stars: bool,
}

/// Redis nests one call for each star and stops here.
const STARS_MAX: usize = 1000;

impl<'p> Glob<'p> {
    pub(crate) fn new(pattern: &'p [u8]) -> Self {
        let literal = pattern.iter().position(|byte| is_special(*byte));
        Self {
            pattern,
            literal: literal.unwrap_or(pattern.len()),
            ignore_case: false,
            has_too_many_stars: pattern.len() > STARS_MAX && stars(pattern) > STARS_MAX,
        }
    }

    /// Folds ASCII letters on both sides, as CONFIG GET does.
    #[must_use]
    pub(crate) fn ignore_case(mut self) -> Self {
        self.ignore_case = true;
        self
    }

    /// Whether the pattern is a lone `*`, which KEYS and SCAN take as "everything", an empty key included.
    pub(crate) fn is_any(&self) -> bool {
        self.pattern == b"*"
    }

    /// The only text the pattern matches, if it has no special byte: a lookup then replaces a walk over all keys.
    pub(crate) fn literal(&self) -> Option<&'p [u8]> {
        (self.literal == self.pattern.len() && !self.ignore_case).then_some(self.pattern)
    }

    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        if self.has_too_many_stars {
            return false;
        }
        let (literal, rest) = self.pattern.split_at(self.literal);
        let Some((head, tail)) = text.split_at_checked(literal.len()) else {
            return false;
        };
        if self.ignore_case {
            head.eq_ignore_ascii_case(literal) && walk::<true>(rest, tail, !head.is_empty())
        } else {
            head == literal && walk::<false>(rest, tail, !head.is_empty())
        }
    }
}

/// Whether `pattern` matches the whole of `text`.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    Glob::new(pattern).matches(text)
}

/// How many runs of stars have something else behind them.
fn stars(pattern: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < pattern.len() {
        at = match pattern[at] {
            b'*' => {
                let ends_run = pattern.get(at + 1).is_some_and(|next| *next != b'*');
                count += usize::from(ends_run);
                at + 1
            }
            b'[' => class::<false>(pattern, at + 1, 0).1,
            b'\\' => at + 2,
            _ => at + 1,
        };
    }
    count
}

/// Matches `text` against `pattern`; `started` says that a byte was matched before them.
fn walk<const FOLD: bool>(pattern: &[u8], text: &[u8], started: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty() || (started && pattern.iter().all(|byte| *byte == b'*'));
    }
    let (mut at, mut pos) = (0, 0);
    // Where to go on after a mismatch: the element behind the latest `*`, and the text it was last tried on.
    let mut retry: Option<(usize, usize)> = None;
    while pos < text.len() {
        if pattern.get(at) == Some(&b'*') {
            while pattern.get(at) == Some(&b'*') {
                at += 1;
            }
            if at == pattern.len() {
                return true;
            }
            let Some(start) = candidate::<FOLD>(&pattern[at..], text, pos) else {
                return false;
            };
            pos = start;
            retry = Some((at, start));
            continue;
        }
        if let Some(next) = element::<FOLD>(pattern, at, text[pos]) {
            at = next;
            pos += 1;
            continue;
        }
        let Some((back, tried)) = retry else {
            return false;
        };
        let Some(start) = candidate::<FOLD>(&pattern[back..], text, tried + 1) else {
            return false;
        };
        (at, pos) = (back, start);
        retry = Some((back, start));
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The first position from `from` on where `pattern`, which begins behind a `*`, may start to match.
fn candidate<const FOLD: bool>(pattern: &[u8], text: &[u8], from: usize) -> Option<usize> {
    let first = pattern[0];
    if FOLD || is_special(first) {
        return (from < text.len()).then_some(from);
    }
    let skip = text.get(from..)?.iter().position(|byte| *byte == first)?;
    Some(from + skip)
}

/// Matches the element at `at`, which is not `*`, against one byte; returns where the next element begins.
fn element<const FOLD: bool>(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => {
            let (matched, next) = class::<FOLD>(pattern, at + 1, byte);
            matched.then_some(next)
        }
        b'\\' => match pattern.get(at + 1) {
            Some(quoted) => same::<FOLD>(*quoted, byte).then_some(at + 2),
            None => (byte == b'\\').then_some(at + 1),
        },
        plain => same::<FOLD>(plain, byte).then_some(at + 1),
    }
}

/// Matches the class whose `[` stands before `at`; returns also where the element behind it begins.
fn class<const FOLD: bool>(pattern: &[u8], mut at: usize, byte: u8) -> (bool, usize) {
    let negated = pattern.get(at) == Some(&b'^');
    if negated {
        at += 1;
    }
    let mut found = false;
    loop {
        match pattern[at..] {
            [b'\\', quoted, ..] => {
                found |= quoted == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [low, b'-', high, ..] => {
                found |= in_range::<FOLD>(low, high, byte);
                at += 3;
            }
            [plain, ..] => {
                found |= same::<FOLD>(plain, byte);
                at += 1;
            }
            [] => break,
        }
    }
    (found != negated, at)
}

fn in_range<const FOLD: bool>(low: u8, high: u8, byte: u8) -> bool {
    let (low, high) = (low.min(high), low.max(high));
    if FOLD {
        let byte = byte.to_ascii_lowercase();
        low.to_ascii_lowercase() <= byte && byte <= high.to_ascii_lowercase()
    } else {
        low <= byte && byte <= high
    }
}

fn same<const FOLD: bool>(a: u8, b: u8) -> bool {
    if FOLD {
        a.eq_ignore_ascii_case(&b)
    } else {
        a == b
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::reference::{Reference, Reply};

    fn matches_any_case(pattern: &str, text: &str) -> bool {
        Glob::new(pattern.as_bytes())
            .ignore_case()
            .matches(text.as_bytes())
    }

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for text in yes {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern:?} misses {text:?}"
            );
        }
        for text in no {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern:?} takes {text:?}"
            );
        }
    }

    #[test]
    fn a_pattern_without_special_bytes_matches_itself_only() {
        check("key", &["key"], &["", "ke", "keys", "Key"]);
        check("", &[""], &["a"]);
        assert_eq!(Glob::new(b"key").literal(), Some(&b"key"[..]));
        assert_eq!(Glob::new(b"k?y").literal(), None);
        assert_eq!(Glob::new(b"key").ignore_case().literal(), None);
    }

    #[test]
    fn stars_take_any_run_of_bytes() {
        check("a*", &["a", "ab", "abc"], &["", "ba"]);
        check("*a", &["a", "ba", "aa"], &["", "ab"]);
        check("a*b*c", &["abc", "axbxc", "abbcbc"], &["ab", "acb", "abcd"]);
        check("***", &["a", "ab"], &[""]);
        check("a**", &["a", "ab"], &["", "b"]);
        check("*ab*ab*", &["abab", "xabxabx"], &["ab", "aba"]);
        check("*?", &["a", "ab"], &[""]);
        check("?*?", &["ab", "abc"], &["a", ""]);
    }

    #[test]
    fn a_star_with_nothing_before_it_misses_the_empty_text() {
        check("*", &["a"], &[""]);
        assert!(Glob::new(b"*").is_any());
        assert!(!Glob::new(b"**").is_any());
    }

    #[test]
    fn classes_hold_bytes_ranges_and_their_negation() {
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]);
        check("h[^e]llo", &["hallo"], &["hello"]);
        check("h[a-b]llo", &["hallo", "hbllo"], &["hcllo"]);
        check("[0-9a-f]", &["0", "f"], &["g", "-"]);
        check("*[ab]c", &["xbc", "bbc"], &["xc", "xdc"]);
    }

    #[test]
    fn a_reversed_range_is_put_in_order() {
        check("[z-a]", &["a", "m", "z"], &["A", "-"]);
    }

    #[test]
    fn a_class_without_its_bracket_ends_with_the_pattern() {
        check("[", &[], &["", "[", "a"]);
        check("[^", &["a", "["], &["", "ab"]);
        check("[ab", &["a", "b"], &["c", "[ab", "ab"]);
        check("[a-", &["a", "-"], &["b"]);
        check("[a-]", &["a", "^", "]", "_"], &["-", "b", "\\"]);
        check("[\\]", &["]"], &["\\", "[", "[]"]);
        check("[\\", &["\\"], &["[\\"]);
        check("[]", &[], &["", "]", "[]"]);
        check("[^]", &["a", "]"], &["", "ab"]);
        check("[a-\\]]", &["a]", "\\]"], &["b]", "a"]);
    }

    #[test]
    fn a_backslash_quotes_and_stands_for_itself_at_the_end() {
        check("\\*", &["*"], &["a", "\\*"]);
        check("a\\?b", &["a?b"], &["axb"]);
        check("a\\", &["a\\"], &["a", "ab"]);
        check("\\\\", &["\\"], &["\\\\"]);
        check("[\\^a]", &["^", "a"], &["\\"]);
        check("a\\", &["a\\"], &["a\\\\"]);
    }

    #[test]
    fn case_is_ignored_on_request() {
        assert!(matches_any_case("MaxMemory*", "maxmemory-policy"));
        assert!(matches_any_case("*POLICY", "maxmemory-policy"));
        assert!(matches_any_case("[a-c]x", "BX"));
        assert!(
            !matches_any_case("[\\a]", "A"),
            "a quoted byte in a class keeps its case"
        );
        assert!(
            !matches_any_case("[Z-a]", "z"),
            "the ends are ordered, then folded: z to a is empty"
        );
    }

    #[test]
    fn bytes_outside_ascii_are_bytes() {
        assert!(matches(b"\xff?[\x80-\xff]\0", b"\xff\x00\x90\0"));
        assert!(!matches(b"\xff", b"\xfe"));
    }

    #[test]
    fn a_hostile_run_of_stars_takes_polynomial_time() {
        let pattern = [b"a*".repeat(STARS_MAX), b"b".to_vec()].concat();
        let text = vec![b'a'; 100_000];
        assert!(!matches(&pattern, &text));
        assert!(matches(&pattern[..2 * STARS_MAX], &text));
        let classes = [b"*[a]".repeat(500), b"b".to_vec()].concat();
        assert!(!matches(&classes, &text));
    }

    #[test]
    fn more_stars_than_redis_nests_match_nothing() {
        let text = vec![b'a'; 50_000];
        assert!(matches(&b"*?".repeat(STARS_MAX), &text));
        assert!(!matches(&b"*?".repeat(STARS_MAX + 1), &text));
        let at_the_end = [b"*a".repeat(STARS_MAX), b"*****".to_vec()].concat();
        assert!(matches(&at_the_end, &text));
        let quoted = [b"\\*[*]".repeat(STARS_MAX), b"*".to_vec()].concat();
        assert!(matches(&quoted, &b"**".repeat(STARS_MAX)));
    }

    #[test]
    fn agrees_with_keys_of_a_real_server() {
        let Some(mut redis) = Reference::start(None) else {
            return;
        };
        let mut runner = TestRunner::deterministic();
        let strategy =
            proptest::collection::vec(proptest::sample::select(&b"[[]]aab^\\**??z-"[..]), 1..7);
        let mut draw = || {
            strategy
                .new_tree(&mut runner)
                .expect("some bytes")
                .current()
        };
        let keys: Vec<Vec<u8>> = (0..1_000).map(|_| draw()).collect();
        for key in &keys {
            redis.call([&b"SET"[..], key, b""]);
        }
        for _ in 0..2_000 {
            let pattern = draw();
            let found = redis.call([&b"KEYS"[..], &pattern]).array();
            let found: std::collections::BTreeSet<_> =
                found.into_iter().map(Reply::bytes).collect();
            let glob = Glob::new(&pattern);
            for key in &keys {
                let ours = glob.matches(key);
                assert_eq!(
                    ours,
                    found.contains(key),
                    "pattern {}, key {}",
                    pattern.escape_ascii(),
                    key.escape_ascii()
                );
            }
        }
    }
}
