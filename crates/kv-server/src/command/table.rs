//! All rows of one server, found by name in any case.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Command, FAMILIES, Group, Handler, flags};

/// A row in a server's table: the command, and what is derived from it once.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) command: Command,
    pub(crate) group: Group,
    /// In lower case, `container|subcommand`.
    pub(crate) full_name: String,
    /// The container's row, for a subcommand.
    pub(crate) parent: Option<RowId>,
    pub(crate) subcommands: Vec<RowId>,
    /// Whether it takes constant time unless it has many arguments, so that nobody needs to time it by itself.
    pub(crate) is_brief: bool,
}

impl Row {
    /// The names of its ACL categories.
    pub(crate) fn categories(&self) -> impl Iterator<Item = &'static str> {
        // A container is only a name.
        let group = match self.command.handler {
            Handler::Container => Group::Server,
            _ => self.group,
        };
        flags::categories(self.command.flags, group)
    }
}

/// The place of a row in its server's [`Table`].
pub(crate) type RowId = u16;

/// All commands of a server, by name.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// Names of up to 16 bytes, in upper case, padded with zeros; nearly all of them.
    short: HashMap<u128, RowId, NameHasher>,
    /// The others, in upper case.
    long: HashMap<Vec<u8>, RowId>,
    /// Built-in commands that clients do not see, because they were taken away or replaced; names in upper case.
    hidden: HashMap<Vec<u8>, RowId>,
}

impl Table {
    /// The built-in commands that clients may use, then `custom` ones, which replace those of the same name.
    pub(crate) fn new(keep: impl Fn(&str) -> bool, custom: &[Command]) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            short: HashMap::default(),
            long: HashMap::new(),
            hidden: HashMap::new(),
        };
        for family in FAMILIES {
            for command in family.commands {
                let (name, id) = table.add(command.clone(), family.group);
                if keep(&command.name) {
                    table.show(name, id);
                } else {
                    table.hidden.insert(name, id);
                }
            }
        }
        for command in custom {
            let (name, id) = table.add(command.clone(), Group::Module);
            if let Some(builtin) = table.find_builtin(&name) {
                table.hidden.insert(name.clone(), builtin);
            }
            table.show(name, id);
        }
        table
    }

    /// Adds a row and its subcommands; returns its name in upper case.
    fn add(&mut self, command: Command, group: Group) -> (Vec<u8>, RowId) {
        let name = command.name.to_ascii_uppercase().into_bytes();
        let id = self.push(Row {
            full_name: command.name.to_ascii_lowercase(),
            is_brief: command.is_brief(),
            command,
            group,
            parent: None,
            subcommands: Vec::new(),
        });
        for sub in self.row(id).command.subcommands {
            let full_name = format!(
                "{}|{}",
                self.row(id).full_name,
                sub.name.to_ascii_lowercase()
            );
            let child = self.push(Row {
                is_brief: sub.is_brief(),
                command: sub.clone(),
                group,
                full_name,
                parent: Some(id),
                subcommands: Vec::new(),
            });
            self.rows[usize::from(id)].subcommands.push(child);
        }
        (name, id)
    }

    /// Lets clients find a row.
    fn show(&mut self, name: Vec<u8>, id: RowId) {
        match short_name(&name) {
            Some(short) => self.short.insert(short, id),
            None => self.long.insert(name, id),
        };
    }

    fn push(&mut self, row: Row) -> RowId {
        let id = RowId::try_from(self.rows.len()).expect("fewer than 65,536 commands");
        self.rows.push(row);
        id
    }

    /// The command of this name, in any case.
    pub(crate) fn find(&self, name: &[u8]) -> Option<RowId> {
        match short_name(name) {
            Some(short) => self.find_short(short),
            None => self.long.get(&name.to_ascii_uppercase()).copied(),
        }
    }

    fn find_short(&self, name: u128) -> Option<RowId> {
        self.short.get(&name).copied()
    }

    /// The built-in command of this name, in any case, whether clients see it or not.
    pub(crate) fn find_builtin(&self, name: &[u8]) -> Option<RowId> {
        let hidden = self.hidden.get(&name.to_ascii_uppercase()).copied();
        let shown = || {
            self.find(name)
                .filter(|&id| !matches!(self.row(id).command.handler, Handler::Custom(_)))
        };
        hidden.or_else(shown)
    }

    /// The subcommand of this name, in any case.
    pub(crate) fn find_sub(&self, container: RowId, name: &[u8]) -> Option<RowId> {
        let subs = &self.row(container).subcommands;
        subs.iter().copied().find(|&id| {
            self.row(id)
                .command
                .name
                .as_bytes()
                .eq_ignore_ascii_case(name)
        })
    }

    pub(crate) fn row(&self, id: RowId) -> &Row {
        &self.rows[usize::from(id)]
    }

    /// Rows in table order, subcommands behind their container; replaced ones are left out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowId, &Row)> {
        (0..).zip(&self.rows).filter(|(id, row)| {
            let id: RowId = *id;
            let top = row.parent.unwrap_or(id);
            self.find(self.row(top).command.name.as_bytes()) == Some(top)
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// The name that was looked up last, and what was found: most requests are like the one before.
#[derive(Debug, Default)]
pub(crate) struct Found {
    name: u128,
    row: Option<RowId>,
}

impl Found {
    /// As [`Table::find`], in a table that must always be the same.
    #[inline]
    pub(crate) fn find(&mut self, table: &Table, name: &[u8]) -> Option<RowId> {
        let Some(short) = short_name(name) else {
            return table.find(name);
        };
        if short != self.name {
            *self = Self {
                name: short,
                row: table.find_short(short),
            };
        }
        self.row
    }
}

/// Hashes a name that is a number already; names come from the table or miss it, so nobody gains from collisions.
#[derive(Debug, Default, Clone, Copy)]
struct NameHash(u64);

type NameHasher = BuildHasherDefault<NameHash>;

impl Hasher for NameHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    #[inline]
    fn write_u128(&mut self, name: u128) {
        const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        let mixed = name.wrapping_mul(ODD);
        #[expect(clippy::cast_possible_truncation, reason = "the halves are folded")]
        let folded = (mixed >> 64) as u64 ^ mixed as u64;
        self.0 = folded.rotate_left(29) ^ folded;
    }
}

/// The name in upper case as a number, if it fits.
#[inline]
fn short_name(name: &[u8]) -> Option<u128> {
    let len = name.len();
    // From two ends that overlap, rather than byte by byte.
    let (low, high) = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        if len > 16 {
            return None;
        }
        let last = u64::from_le_bytes(*last);
        let high = last.checked_shr(8 * (16 - u32::try_from(len).ok()?));
        (u64::from_le_bytes(*first), high.unwrap_or(0))
    } else if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last));
        let first = u64::from(u32::from_le_bytes(*first));
        (first | last << ((len - 4) * 8), 0)
    } else {
        let bytes = name.iter().rev();
        (bytes.fold(0, |low, &byte| low << 8 | u64::from(byte)), 0)
    };
    Some(u128::from(upper(low)) | u128::from(upper(high)) << 64)
}

/// Eight ASCII bytes in upper case; others stay as they are.
#[inline]
fn upper(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low_bits = word & (0x7f * ONES);
    // The top bit of each byte: from `a` on, and beyond `z`.
    let from_a = low_bits + (0x80 - b'a' as u64) * ONES;
    let beyond_z = low_bits + (0x7f - b'z' as u64) * ONES;
    let lower = from_a & !beyond_z & !word & (0x80 * ONES);
    word ^ lower >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_the_name_in_upper_case() {
        let all: Vec<u8> = (0..=255).collect();
        for len in 0..=16 {
            for name in all.windows(len.max(1)).map(|window| &window[..len]) {
                let mut expected = [0; 16];
                expected[..len].copy_from_slice(name);
                expected.make_ascii_uppercase();
                assert_eq!(
                    short_name(name),
                    Some(u128::from_le_bytes(expected)),
                    "{name:?}"
                );
            }
        }
        assert_eq!(short_name(&all[..17]), None);
    }
}
