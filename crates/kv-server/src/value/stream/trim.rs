//! Taking old entries out.

use crate::value::stream::node::Node;
use crate::value::stream::runs::Runs;
use crate::value::stream::{Id, Log};

/// What stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The last so many entries.
    Last(u64),
    /// The entries from this id on.
    From(Id),
}

/// How to take entries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trim {
    pub(crate) keep: Keep,
    /// Only whole nodes, so that some entries too many may stay.
    pub(crate) roughly: bool,
    /// Entries to be taken out at most; 0 is no limit.
    pub(crate) limit: u64,
}

/// What was taken out.
#[derive(Debug, Default)]
pub(crate) struct Trimmed {
    /// Entries.
    pub(crate) count: u64,
    /// Whole nodes of them, for whoever has the time to free them.
    pub(crate) nodes: Runs<Id, Node>,
}

impl Log {
    /// Takes old entries out.
    pub(crate) fn trim(&mut self, trim: Trim) -> Trimmed {
        let mut count = 0;
        let mut bytes = 0;
        // The first node that stays, in part or as a whole; and whether it has to be looked into.
        let mut stays = None;
        for (base, node) in self.nodes.iter() {
            let live = u64::from(node.live);
            if matches!(trim.keep, Keep::Last(max) if self.len - count <= max)
                || trim.limit > 0 && count + live > trim.limit
            {
                stays = Some((base, false));
                break;
            }
            let goes = match trim.keep {
                Keep::Last(max) => self.len - count - live >= max,
                Keep::From(id) => node.last_id(base) < id,
            };
            if !goes {
                stays = Some((base, !trim.roughly));
                break;
            }
            count += live;
            bytes += node.memory();
        }
        let nodes = match stays {
            None => std::mem::take(&mut self.nodes),
            Some((base, _)) if count == 0 && bytes == 0 => {
                debug_assert_eq!(self.nodes.keys().next(), Some(base));
                Runs::default()
            }
            Some((base, _)) => self.nodes.split_before(base),
        };
        self.len -= count;
        self.bytes -= bytes;
        if let Some((base, true)) = stays {
            count += self.trim_node(base, trim.keep);
        }
        if self.len == 0 {
            self.first = Id::MIN;
        } else if count > 0 {
            self.find_first();
        }
        Trimmed { count, nodes }
    }

    /// Marks the entries of one node that go.
    fn trim_node(&mut self, base: Id, keep: Keep) -> u64 {
        let Some((_, node)) = self.nodes.upto_mut(base) else {
            return 0;
        };
        let mut left = self.len;
        let deleted = node.delete_while(base, |id| match keep {
            Keep::Last(max) if left <= max => false,
            Keep::Last(_) => {
                left -= 1;
                true
            }
            Keep::From(start) => id < start,
        });
        self.len -= u64::from(deleted);
        deleted.into()
    }
}
