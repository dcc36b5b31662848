//! [Keyspace notifications](https://redis.io/docs/latest/develop/use/keyspace-notifications/): which events are wanted, and their delivery.

use crate::engine::Shared;
use crate::keyspace::Db;

/// A set of event classes, as in `notify-keyspace-events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class(u16);

/// Something that happened to a key.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    pub(crate) key: Box<[u8]>,
}

/// The letters of `notify-keyspace-events`, in the order in which CONFIG GET shows them.
const LETTERS: [(char, Class); 14] = [
    ('g', Class::GENERIC),
    ('$', Class::STRING),
    ('l', Class::LIST),
    ('s', Class::SET),
    ('h', Class::HASH),
    ('z', Class::SORTED_SET),
    ('x', Class::EXPIRED),
    ('e', Class::EVICTED),
    ('t', Class::STREAM),
    ('d', Class::MODULE),
    ('K', Class::KEYSPACE),
    ('E', Class::KEYEVENT),
    ('m', Class::KEY_MISS),
    ('n', Class::NEW),
];

impl Class {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const GENERIC: Self = Self(1);
    pub(crate) const STRING: Self = Self(1 << 1);
    pub(crate) const LIST: Self = Self(1 << 2);
    pub(crate) const SET: Self = Self(1 << 3);
    pub(crate) const HASH: Self = Self(1 << 4);
    pub(crate) const SORTED_SET: Self = Self(1 << 5);
    pub(crate) const EXPIRED: Self = Self(1 << 6);
    pub(crate) const EVICTED: Self = Self(1 << 7);
    pub(crate) const STREAM: Self = Self(1 << 8);
    pub(crate) const MODULE: Self = Self(1 << 9);
    const KEYSPACE: Self = Self(1 << 10);
    const KEYEVENT: Self = Self(1 << 11);
    pub(crate) const KEY_MISS: Self = Self(1 << 12);
    pub(crate) const NEW: Self = Self(1 << 13);
    /// `A`: everything but key misses, new keys and the two kinds of channel.
    const ALL: Self = Self((1 << 10) - 1);

    #[inline]
    pub(crate) fn contains(self, class: Self) -> bool {
        self.0 & class.0 == class.0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Reads the letters of `notify-keyspace-events`; `None` if one is unknown.
    pub(crate) fn parse(letters: &[u8]) -> Option<Self> {
        letters.iter().try_fold(Self::NONE, |set, &letter| {
            let class = match letter {
                b'A' => Self::ALL,
                _ => {
                    LETTERS
                        .iter()
                        .find(|(known, _)| *known == char::from(letter))?
                        .1
                }
            };
            Some(set.and(class))
        })
    }

    /// The letters, with `A` where it fits.
    pub(crate) fn letters(self) -> String {
        let mut text = String::new();
        let all = self.contains(Self::ALL);
        if all {
            text.push('A');
        }
        for (letter, class) in LETTERS {
            if self.contains(class) && !(all && Self::ALL.contains(class)) {
                text.push(letter);
            }
        }
        text
    }

    /// What a database has to collect: nothing unless one of the kinds of channel is on.
    pub(crate) fn collected(self) -> Self {
        if self.contains(Self::KEYSPACE) || self.contains(Self::KEYEVENT) {
            self
        } else {
            Self::NONE
        }
    }
}

impl Shared {
    /// Delivers the events of a database, and the effects of keys that expired or were evicted.
    pub(crate) fn publish_changes(&mut self, index: usize, db: &mut Db) {
        if db.tracked {
            self.track_changes(db);
        }
        for key in db.changes.expired.drain(..) {
            if self.effects.are_followed() {
                self.effects.publish_expired(index, &key);
            }
        }
        for expired in db.changes.expired_fields.drain(..) {
            if self.effects.are_followed() {
                self.effects.publish_expired_fields(index, &expired);
            }
        }
        for key in db.changes.evicted.drain(..) {
            if self.effects.are_followed() {
                self.effects
                    .publish_evicted(index, &key, self.config.lazy_eviction);
            }
        }
        for Event { name, key } in db.changes.events.drain(..) {
            if db.notify.contains(Class::KEYSPACE) {
                let channel = [format!("__keyspace@{index}__:").as_bytes(), &key].concat();
                self.publish(&channel, name.as_bytes());
            }
            if db.notify.contains(Class::KEYEVENT) {
                let channel = format!("__keyevent@{index}__:{name}");
                self.publish(channel.as_bytes(), &key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_shown_as_redis_shows_them() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Ex", "xE"),
            ("K$l", "$lK"),
            ("AKEm", "AKEm"),
            ("g$lshzxetdK", "AK"),
        ] {
            assert_eq!(
                Class::parse(given.as_bytes()).unwrap().letters(),
                shown,
                "{given}"
            );
        }
        assert_eq!(Class::parse(b"q"), None);
    }
}
