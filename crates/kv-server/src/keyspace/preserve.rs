//! A database as it was at one moment, read little by little while commands change it.

use std::collections::HashSet;

use crate::keyspace::Db;
use crate::keyspace::entry::Entry;
use crate::keyspace::table::{Entry as _, Position, Slot as _, Table, precedes};
use crate::keyspace::usage::{Usage, Used};

/// What of that moment is still to be read.
///
/// The reader walks the table in the order of SCAN. Before an entry that lies ahead of it changes, a copy of the entry is put aside, and the
/// walk leaves its key out. So each entry is read once, as it was; and what this costs in memory is what changes meanwhile.
///
/// A large value is not copied, neither when it is put aside nor when it is read: the reader and the database share it, and the command that
/// changes it before the reader is done with it copies it first; of a stream, only the blocks that it changes.
#[derive(Debug)]
pub(crate) struct Preserve {
    /// The number that the database had at that moment.
    number: usize,
    /// That moment; entries whose time had come by then are left out.
    now: i64,
    /// Everything that comes before it is read.
    cursor: u64,
    /// Keys not read yet that have changed since, or appeared.
    changed: HashSet<Box<[u8]>>,
    /// Those of them that were there, as they were.
    kept: Vec<Preserved>,
    /// How the use of keys is noted, if the reader wants to know of it.
    usage: Option<Usage>,
    /// The data, if the database was cleared since: nothing can change it any more.
    cleared: Option<Table<Entry>>,
}

/// An entry of that moment.
#[derive(Debug)]
pub(crate) struct Preserved {
    pub(crate) entry: Entry,
    /// How it was used, if the reader wants to know.
    pub(crate) used: Option<Used>,
}

/// Some entries of that moment.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) entries: Vec<Preserved>,
    /// Bytes of those that were put aside before they changed.
    pub(crate) kept_bytes: usize,
    /// Whether there is another part.
    pub(crate) more: bool,
    /// A table that is read and belongs to no database any more; takes a while to drop.
    cleared: Option<Table<Entry>>,
}

/// Entries that one part takes from the table, and bytes after which it is long enough. While ten million keys are written to a file, a SET takes
/// 10 us in the mean (`kv_pause`); with parts of 100 it takes 21, because who is woken for the lock finds it taken again.
const PART_ENTRIES: usize = 500;
const PART_BYTES: usize = 256 << 10;

impl Db {
    /// Begins to preserve the data as it is now, if `with_usage` with how it was used.
    pub(crate) fn preserve(&mut self, number: usize, with_usage: bool) {
        self.preserve = Some(Box::new(Preserve {
            number,
            now: self.now,
            cursor: 0,
            changed: HashSet::new(),
            kept: Vec::new(),
            usage: with_usage.then_some(self.usage),
            cleared: None,
        }));
    }

    /// The number of the database whose data is preserved here. SWAPDB may have given the data another one since.
    pub(crate) fn preserves(&self) -> Option<usize> {
        self.preserve.as_ref().map(|preserve| preserve.number)
    }

    /// Forgets what is preserved.
    pub(crate) fn stop_preserving(&mut self) {
        self.preserve = None;
    }

    /// Reads the next part of what is preserved.
    pub(crate) fn read_preserved(&mut self) -> Part {
        let Some(mut preserve) = self.preserve.take() else {
            return Part::default();
        };
        let mut cleared = preserve.cleared.take();
        let table = cleared.as_mut().unwrap_or(&mut self.table);
        let mut part = preserve.next_part(table);
        if part.more {
            preserve.cleared = cleared;
            self.preserve = Some(preserve);
        } else {
            part.cleared = cleared;
        }
        part
    }

    /// Call it before the entry at a position changes or goes.
    #[inline]
    pub(super) fn keep(&mut self, at: Position) {
        if let Some(preserve) = &mut self.preserve {
            let clock = self.table.clock(at);
            let hash = self.table.hash(self.table.at(at).key());
            preserve.keep(hash, self.table.at_mut(at), Some(clock));
        }
    }

    /// Call it after an entry was taken out by other means than a position.
    pub(super) fn keep_removed(&mut self, entry: &mut Entry) {
        if let Some(preserve) = &mut self.preserve {
            preserve.keep(self.table.hash(entry.key()), entry, None);
        }
    }

    /// Call it before an entry with a new key comes in.
    #[inline]
    pub(super) fn keep_absent(&mut self, hash: u64, key: &[u8]) {
        if let Some(preserve) = &mut self.preserve {
            preserve.note_changed(hash, key);
        }
    }

    /// Call it before the table is cleared.
    pub(super) fn keep_cleared(&mut self) {
        if let Some(preserve) = &mut self.preserve {
            if preserve.cleared.is_none() {
                preserve.cleared = Some(self.table.take());
            }
        }
    }
}

impl Preserve {
    fn keep(&mut self, hash: u64, entry: &mut Entry, clock: Option<u32>) {
        if self.note_changed(hash, entry.key()) && entry.expire_at() >= self.now {
            let preserved = self.preserved(entry.shared(), clock);
            self.kept.push(preserved);
        }
    }

    fn preserved(&self, entry: Entry, clock: Option<u32>) -> Preserved {
        let used = self.usage.zip(clock);
        Preserved {
            entry,
            used: used.map(|(usage, clock)| usage.used(clock, self.now)),
        }
    }

    /// `true` if the key was still to be read, as it is.
    fn note_changed(&mut self, hash: u64, key: &[u8]) -> bool {
        self.cleared.is_none() && !precedes(hash, self.cursor) && self.changed.insert(key.into())
    }

    fn next_part(&mut self, table: &mut Table<Entry>) -> Part {
        let mut part = Part {
            entries: std::mem::take(&mut self.kept),
            ..Part::default()
        };
        part.kept_bytes = part.entries.iter().map(|kept| kept.entry.memory()).sum();
        let mut changed = std::mem::take(&mut self.changed);
        let (mut count, mut bytes) = (0, part.kept_bytes);
        let mut large: Vec<Box<[u8]>> = Vec::new();
        while count < PART_ENTRIES && bytes < PART_BYTES {
            self.cursor = table.scan(self.cursor, |entry| {
                if !changed.remove(entry.key()) && entry.expire_at() >= self.now {
                    bytes += entry.memory();
                    if entry.is_worth_sharing() {
                        large.push(entry.key().into());
                    } else {
                        let wanted = self.usage.and_then(|_| table.find(entry.key()));
                        let clock = wanted.map(|at| table.clock(at));
                        let copy = entry.copied(entry.key());
                        part.entries.push(self.preserved(copy, clock));
                    }
                }
                count += 1;
            });
            for key in large.drain(..) {
                if let Some(at) = table.find(&key) {
                    let clock = table.clock(at);
                    let entry = table.at_mut(at).shared();
                    part.entries.push(self.preserved(entry, Some(clock)));
                }
            }
            if self.cursor == 0 {
                return part;
            }
            // An empty bucket is work too.
            count += 1;
        }
        self.changed = changed;
        part.more = true;
        part
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Config;
    use crate::keyspace::entry::NEVER;
    use crate::keyspace::table::Seed;
    use crate::persist::dump;
    use crate::rng::Rng;
    use crate::value::list::End;
    use crate::value::stream::Id;
    use crate::value::{Hash, List, Set, Stream, Zset};

    type Content = BTreeMap<Vec<u8>, (Vec<u8>, i64)>;

    fn content<'e>(entries: impl Iterator<Item = &'e Entry>) -> Content {
        let mut content = Content::new();
        for entry in entries {
            let value = (entry.as_string().unwrap().to_vec(), entry.expire_at());
            let before = content.insert(entry.key().to_vec(), value);
            assert_eq!(before, None, "an entry was read twice");
        }
        content
    }

    fn filled(keys: u32) -> Db {
        let mut db = Db::new(Seed::new(1, 2));
        db.begin(1_000);
        for key in 0..keys {
            let expire_at = if key % 3 == 0 { 2_000 } else { NEVER };
            db.set_string(format!("key:{key}").as_bytes(), b"first", expire_at);
        }
        db
    }

    fn change_something(db: &mut Db, rng: &mut Rng) {
        let key = format!("key:{}", rng.next() % 8_000);
        let key = key.as_bytes();
        match rng.next() % 6 {
            0 => db.set_string(key, b"second", NEVER),
            1 => drop(db.remove(key)),
            2 => drop(db.set_expire_at(key, 3_000)),
            3 => db.insert(Entry::string(key, b"third, and longer", 4_000)),
            4 => {
                if let Ok(Some(at)) = db.find_string(key) {
                    db.edit_string(at, |text| text.push(b'!'));
                }
            }
            _ => {
                if let Ok(Some(at)) = db.find_string(key) {
                    db.string_bytes_at(at).fill(b'x');
                }
            }
        }
    }

    #[test]
    fn what_is_read_is_one_moment_whatever_changes_meanwhile() {
        for seed in 0..5 {
            let mut rng = Rng::new(seed);
            let (mut db, mut other) = (filled(5_000), filled(10));
            let before = content(db.iter());
            db.preserve(7, false);
            let mut read = Vec::new();
            for round in 0.. {
                for _ in 0..300 {
                    change_something(&mut db, &mut rng);
                }
                match round {
                    // Keys expire, actively and when somebody looks.
                    2 => db.begin(2_500),
                    3 => db.expire_everything(),
                    5 if seed % 2 == 0 => db.swap_data(&mut other),
                    6 if seed > 2 => drop(db.clear()),
                    _ => {}
                }
                let holder = if db.preserves() == Some(7) {
                    &mut db
                } else {
                    &mut other
                };
                let part = holder.read_preserved();
                read.extend(part.entries.into_iter().map(|kept| kept.entry));
                if !part.more {
                    assert!(round > 6, "the walk was over before anything happened");
                    break;
                }
            }
            assert_eq!(content(read.iter()), before, "seed {seed}");
            assert_eq!((db.preserves(), other.preserves()), (None, None));
        }
    }

    #[test]
    fn entries_that_were_dead_already_are_left_out() {
        let mut db = filled(300);
        db.begin(2_500);
        db.preserve(0, false);
        let part = db.read_preserved();
        assert_eq!((part.entries.len(), part.more), (200, false));
    }

    /// A large value of each type, which nobody would want to copy.
    fn fill_with_large(db: &mut Db) {
        let texts: Vec<String> = (0..3_000).map(|n| format!("element number {n}")).collect();
        let texts = || texts.iter().map(String::as_bytes);
        let hash: &mut Hash = db.get_or_default(b"hash").unwrap();
        for text in texts() {
            hash.set(text, b"value", &Default::default());
        }
        let set: &mut Set = db.get_or_default(b"set").unwrap();
        for text in texts() {
            set.insert(text, &Default::default());
        }
        let zset: &mut Zset = db.get_or_default(b"zset").unwrap();
        let score = |text: &[u8]| text.len() as f64;
        for text in texts() {
            zset.insert(text, score(text), &Default::default());
        }
        let list: &mut List = db.get_or_default(b"list").unwrap();
        texts().for_each(|text| list.push(End::Right, text, Default::default()));
        db.insert(Entry::string(b"string", &[b'x'; 100_000], NEVER));
        append(db, 1..3_000);
    }

    fn append(db: &mut Db, ids: std::ops::Range<u64>) {
        let stream: &mut Stream = db.get_or_default(b"stream").unwrap();
        for ms in ids {
            let fields = [&b"field"[..], &b"value"[..]].into_iter();
            stream
                .log
                .append(Id::new(ms, 1), fields, Default::default());
        }
    }

    fn change_large(db: &mut Db) {
        db.get_mut::<Hash>(b"hash")
            .unwrap()
            .unwrap()
            .remove(b"element number 7");
        db.get_mut::<Set>(b"set")
            .unwrap()
            .unwrap()
            .remove(b"element number 7");
        db.get_mut::<Zset>(b"zset")
            .unwrap()
            .unwrap()
            .remove(b"element number 7");
        let list = db.get_mut::<List>(b"list").unwrap().unwrap();
        list.push(End::Left, b"new", Default::default());
        let string = db.find_string(b"string").unwrap().unwrap();
        db.string_bytes_at(string)[7] = b'!';
        append(db, 5_000..5_010);
        let log = &mut db.get_mut::<Stream>(b"stream").unwrap().unwrap().log;
        assert!(log.delete(Id::new(700, 1)));
    }

    fn payloads<'e>(entries: impl Iterator<Item = &'e Entry>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let dump = |entry: &Entry| dump(entry, &Config::default()).unwrap();
        entries
            .map(|entry| (entry.key().to_vec(), dump(entry)))
            .collect()
    }

    #[test]
    fn large_values_are_read_as_they_were_though_nobody_copied_them() {
        for is_read_first in [true, false] {
            let mut db = Db::new(Seed::new(1, 2));
            fill_with_large(&mut db);
            let before = payloads(db.iter());
            let memory = db.memory();
            db.preserve(0, false);
            if !is_read_first {
                change_large(&mut db);
            }
            let mut read = Vec::new();
            while db.preserves().is_some() {
                let part = db.read_preserved();
                read.extend(part.entries.into_iter().map(|kept| kept.entry));
                if is_read_first && db.preserves().is_none() {
                    assert!(read.iter().all(Entry::is_worth_sharing));
                    change_large(&mut db);
                }
            }
            assert_eq!(payloads(read.iter()), before);
            let after = payloads(db.iter());
            assert!(before.iter().all(|(key, value)| after[key] != *value));
            drop(read);

            // And what is changed next is changed in place.
            let place = |db: &mut Db| {
                db.find_string(b"string")
                    .unwrap()
                    .map(|at| db.string_at(at).as_ptr())
            };
            let before = place(&mut db);
            change_again(&mut db);
            assert_eq!(place(&mut db), before);
            assert!(
                db.memory().abs_diff(memory) < 10_000,
                "{} and {memory}",
                db.memory()
            );
        }
    }

    fn change_again(db: &mut Db) {
        let string = db.find_string(b"string").unwrap().unwrap();
        db.string_bytes_at(string)[0] = b'y';
        append(db, 6_000..6_010);
    }
}
