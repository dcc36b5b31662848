//! SORT: the elements of a collection in another order, or what belongs to them.

mod pattern;

use std::cmp::Ordering;

use resp_codec::number::{parse_f64, parse_i64};

use self::pattern::Pattern;
use crate::command::Args;
use crate::context::Context;
use crate::error::{ReplyError, Result};
use crate::keyspace::Db;
use crate::keyspace::entry::{Entry, NEVER};
use crate::keyspace::notify::Class;
use crate::value::list::End;
use crate::value::{Item, List, Value};

/// The options.
#[derive(Debug)]
struct Options<'a> {
    by: Option<Pattern<'a>>,
    get: Vec<Pattern<'a>>,
    store: Option<&'a [u8]>,
    descending: bool,
    /// By bytes rather than by number.
    alpha: bool,
    offset: i64,
    /// Negative: all.
    count: i64,
}

impl<'a> Options<'a> {
    fn parse(args: &mut Args<'a>, may_store: bool) -> Result<Self> {
        let mut options = Self {
            by: None,
            get: Vec::new(),
            store: None,
            descending: false,
            alpha: false,
            offset: 0,
            count: -1,
        };
        while args.remaining() > 0 {
            let left = args.remaining();
            if args.take("ASC") {
                options.descending = false;
            } else if args.take("DESC") {
                options.descending = true;
            } else if args.take("ALPHA") {
                options.alpha = true;
            } else if left > 2 && args.take("LIMIT") {
                options.offset = args.integer()?;
                options.count = args.integer()?;
            } else if left > 1 && may_store && args.take("STORE") {
                options.store = Some(args.next()?);
            } else if left > 1 && args.take("BY") {
                options.by = Some(Pattern::parse(args.next()?));
            } else if left > 1 && args.take("GET") {
                options.get.push(Pattern::parse(args.next()?));
            } else {
                return Err(ReplyError::Syntax);
            }
        }
        Ok(options)
    }

    /// The places of the result among `len` sorted elements.
    fn range(&self, len: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset.max(0)).unwrap_or(usize::MAX);
        let start = start.min(len);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }
}

/// Texts in one allocation, because a database cannot be searched while it lends out what it holds.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, item: Item<'_>) {
        self.bytes
            .extend_from_slice(item.bytes(&mut Default::default()));
        self.ends.push(self.bytes.len());
    }

    fn of<'i>(items: impl Iterator<Item = Item<'i>>) -> Self {
        let mut texts = Self::default();
        items.for_each(|item| texts.push(item));
        texts
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

/// What is sorted.
struct Elements {
    texts: Texts,
    /// Whether the order in which they are stored means something.
    ordered: bool,
}

fn elements(key: &[u8], db: &mut Db) -> Result<Elements> {
    let (texts, ordered) = match db.read(key) {
        None => (Texts::default(), true),
        Some(entry) => match entry.value() {
            Some(Value::List(list)) => {
                let mut texts = Texts::default();
                list.for_each(|item| texts.push(item));
                (texts, true)
            }
            Some(Value::Set(set)) => (Texts::of(set.iter()), false),
            Some(Value::Zset(zset)) => {
                let members = zset.iter().map(|(member, _)| member);
                (Texts::of(members), true)
            }
            _ => return Err(ReplyError::WrongType),
        },
    };
    Ok(Elements { texts, ordered })
}

/// SORT key \[BY pattern] \[LIMIT offset count] \[GET pattern ...] \[ASC | DESC] \[ALPHA] \[STORE destination]
pub(super) fn sort(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let options = Options::parse(&mut args, true)?;
    run(key, &options, cx)
}

/// SORT_RO: the same without STORE.
pub(super) fn sort_ro(mut args: Args<'_>, cx: &mut Context<'_>) -> Result {
    let key = args.next()?;
    let options = Options::parse(&mut args, false)?;
    run(key, &options, cx)
}

fn run(key: &[u8], options: &Options<'_>, cx: &mut Context<'_>) -> Result {
    let elements = elements(key, cx.db)?;
    let order = order(&elements, options, cx.db)?;
    let texts = order.iter().map(|&index| elements.texts.get(index));
    match options.store {
        Some(destination) => store(destination, texts, options, cx),
        None => reply(texts, options, cx),
    }
    Ok(())
}

/// The numbers of the elements that are the result, in its order.
fn order(elements: &Elements, options: &Options<'_>, db: &mut Db) -> Result<Vec<usize>> {
    let texts = &elements.texts;
    let range = options.range(texts.len());
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let unsorted = options.by.is_some_and(Pattern::is_constant);
    // What is stored must be the same wherever the command is repeated, and a set has no order of its own.
    let by_text = unsorted && !elements.ordered && options.store.is_some();
    if unsorted && !by_text {
        if options.descending && elements.ordered {
            order.reverse();
        }
    } else {
        let by = options.by.filter(|_| !by_text);
        let weights = Weights::find(texts, by, options.alpha || by_text, db)?;
        // Where nothing else decides, a list keeps its order and a set goes by its texts.
        let compare = |a: &usize, b: &usize| {
            let by_weight = weights.compare(texts, *a, *b);
            let directed = if options.descending {
                by_weight.reverse()
            } else {
                by_weight
            };
            directed.then_with(|| {
                if elements.ordered {
                    a.cmp(b)
                } else {
                    texts.get(*a).cmp(texts.get(*b))
                }
            })
        };
        // Only what is asked for needs to be in order.
        if range.end < order.len() {
            order.select_nth_unstable_by(range.end, compare);
            order.truncate(range.end);
        }
        order.sort_unstable_by(compare);
    }
    order.truncate(range.end);
    order.drain(..range.start);
    Ok(order)
}

/// What elements are compared by.
enum Weights {
    Numbers(Vec<f64>),
    /// Their own texts.
    Texts,
    /// Other texts; `None` where there is none, which comes first.
    Others(Vec<Option<usize>>, Texts),
}

impl Weights {
    fn find(texts: &Texts, by: Option<Pattern<'_>>, alpha: bool, db: &mut Db) -> Result<Self> {
        let mut key = Vec::new();
        match (by, alpha) {
            (None, true) => Ok(Self::Texts),
            (Some(by), true) => {
                let mut found = Texts::default();
                let mut places = Vec::with_capacity(texts.len());
                for index in 0..texts.len() {
                    let weight = by.find(texts.get(index), db, &mut key);
                    places.push(weight.map(|weight| {
                        found.push(weight);
                        found.len() - 1
                    }));
                }
                Ok(Self::Others(places, found))
            }
            (by, false) => {
                let mut numbers = Vec::with_capacity(texts.len());
                let mut valid = true;
                for index in 0..texts.len() {
                    let text = texts.get(index);
                    let weight = match by {
                        None => Some(Item::Text(text)),
                        Some(by) => by.find(text, db, &mut key),
                    };
                    // What has no weight weighs nothing.
                    let weight = weight.map_or(Some(0.0), number);
                    valid &= weight.is_some();
                    numbers.push(weight.unwrap_or(0.0));
                }
                valid.then_some(Self::Numbers(numbers)).ok_or_else(|| {
                    ReplyError::text("ERR One or more scores can't be converted into double")
                })
            }
        }
    }

    fn compare(&self, texts: &Texts, a: usize, b: usize) -> Ordering {
        match self {
            Self::Numbers(numbers) => numbers[a]
                .partial_cmp(&numbers[b])
                .unwrap_or(Ordering::Equal)
                .then_with(|| texts.get(a).cmp(texts.get(b))),
            Self::Texts => texts.get(a).cmp(texts.get(b)),
            Self::Others(places, found) => {
                let weight = |index: usize| places[index].map(|place| found.get(place));
                weight(a).cmp(&weight(b))
            }
        }
    }
}

/// The number that C's `strtod` reads, if that is the whole text: blanks may stand before it, and no text at all is 0.
fn number(weight: Item<'_>) -> Option<f64> {
    let text = match weight {
        Item::Int(number) => return Some(double(number)),
        Item::Text(text) => text,
    };
    if let Some(number) = parse_i64(text) {
        return Some(double(number));
    }
    // To C the text ends with the first zero byte.
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte))?;
    parse_f64(&text[start..])
}

#[expect(
    clippy::cast_precision_loss,
    reason = "weights are doubles, in Redis too"
)]
fn double(number: i64) -> f64 {
    number as f64
}

fn reply<'t>(
    texts: impl ExactSizeIterator<Item = &'t [u8]>,
    options: &Options<'_>,
    cx: &mut Context<'_>,
) {
    if options.get.is_empty() {
        cx.out.array(texts.len());
        texts.for_each(|text| cx.out.bulk(text));
        return;
    }
    let longest = cx.longest_output();
    cx.out.array(texts.len() * options.get.len());
    let mut key = Vec::new();
    for text in texts {
        for pattern in &options.get {
            if cx.out.position() > longest {
                cx.session.cut_off = true;
                return;
            }
            match pattern.find(text, cx.db, &mut key) {
                Some(item) => cx.out.item(item),
                None => cx.out.null(),
            }
        }
    }
}

/// Stores the result as a list, and replies with its length; what is missing becomes an empty text.
fn store<'t>(
    destination: &[u8],
    texts: impl ExactSizeIterator<Item = &'t [u8]>,
    options: &Options<'_>,
    cx: &mut Context<'_>,
) {
    let limits = cx.shared.config.list;
    let mut list = List::default();
    let mut push = |item: Item<'_>| {
        list.expect(1, item.len(), limits);
        list.push(End::Right, item.bytes(&mut Default::default()), limits);
    };
    let mut key = Vec::new();
    for text in texts {
        if options.get.is_empty() {
            push(Item::Text(text));
        }
        for pattern in &options.get {
            push(
                pattern
                    .find(text, cx.db, &mut key)
                    .unwrap_or(Item::Text(b"")),
            );
        }
    }
    let len = list.len();
    if len > 0 {
        cx.db.insert(Entry::object(destination, list.into(), NEVER));
        cx.db
            .changed_by(len as u64, Class::LIST, "sortstore", destination);
    } else {
        cx.remove(destination);
    }
    cx.out.len(len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_read_as_c_reads_it() {
        for (text, expected) in [
            ("", Some(0.0)),
            ("5", Some(5.0)),
            (" 5", Some(5.0)),
            ("\t\n-1.5e2", Some(-150.0)),
            ("0x10", Some(16.0)),
            ("inf", Some(f64::INFINITY)),
            ("5\0x", Some(5.0)),
            ("5 ", None),
            (" ", None),
            ("nan", None),
            ("1e400", None),
            ("x", None),
        ] {
            assert_eq!(number(Item::Text(text.as_bytes())), expected, "{text:?}");
        }
    }

    #[test]
    fn limits_are_cut_to_what_there_is() {
        for (offset, count, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-10, 100, 0..5),
            (5, 10, 5..5),
            (4, i64::MAX, 4..5),
            (i64::MAX, i64::MAX, 5..5),
            (i64::MIN, i64::MIN, 0..5),
            (2, 0, 2..2),
        ] {
            let mut options = Options::parse(&mut Args::new(b"", &[]), true).unwrap();
            (options.offset, options.count) = (offset, count);
            assert_eq!(options.range(5), expected, "{offset} {count}");
        }
    }
}
