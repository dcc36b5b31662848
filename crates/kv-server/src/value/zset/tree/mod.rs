//! Scores in order: a B+ tree in which each child's number of entries is known, so that a rank is found as fast as a score.
//!
//! The tree knows scores and the ids of members. Where two scores are equal their members decide; whoever asks brings a
//! function that knows them.

mod leaf;

pub(super) use self::leaf::LEAF;
use self::leaf::Leaf;
use super::members::Id;

/// A place in the order: a score, and who has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) score: f64,
    pub(super) id: Id,
}

/// Entries by score, then by member.
#[derive(Debug)]
pub(super) struct Tree {
    root: Node,
    len: usize,
    /// Bytes allocated.
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Box<Leaf>),
    Inner(Vec<Kid>),
}

/// A child, with what its parent needs to know of it.
#[derive(Debug, Clone)]
struct Kid {
    first: Place,
    /// Entries below.
    len: usize,
    node: Node,
}

/// Children of a node at most. Three levels hold 140,000 entries at least, four of them 4 million.
const FANOUT: usize = 64;

/// Whether a node has no other before or behind it. Who fills a set in order leaves full nodes behind.
#[derive(Debug, Clone, Copy)]
struct Edge {
    first: bool,
    last: bool,
}

impl Default for Node {
    fn default() -> Self {
        Self::Leaf(Box::default())
    }
}

impl Default for Tree {
    fn default() -> Self {
        let root = Node::default();
        Self {
            bytes: root.memory(),
            root,
            len: 0,
        }
    }
}

impl Clone for Tree {
    fn clone(&self) -> Self {
        let root = self.root.clone();
        // A copy has no room to spare.
        Self {
            bytes: root.memory(),
            root,
            len: self.len,
        }
    }
}

impl Tree {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry behind those that `before` holds for, which are the first ones.
    pub(super) fn insert(&mut self, place: Place, before: impl Fn(Place) -> bool) {
        let edge = Edge {
            first: true,
            last: true,
        };
        if let Some(sibling) = self.root.insert(place, &before, edge, &mut self.bytes) {
            let kids = Vec::with_capacity(4);
            let first = std::mem::replace(&mut self.root, Node::Inner(kids));
            if let Node::Inner(kids) = &mut self.root {
                kids.extend([first, sibling].map(Kid::of));
                self.bytes += kids.capacity() * size_of::<Kid>();
            }
        }
        self.len += 1;
    }

    /// Takes out the last of the first entries that `upto` holds for.
    pub(super) fn remove(&mut self, upto: impl Fn(Place) -> bool) -> Option<Place> {
        let removed = self.root.remove(&upto, &mut self.bytes)?;
        self.len -= 1;
        self.lower();
        Some(removed)
    }

    /// Takes out entries from number `rank` on, `count` at most and all of one leaf; calls `f` with each. How many it took.
    pub(super) fn remove_run(
        &mut self,
        rank: usize,
        count: usize,
        mut f: impl FnMut(Place),
    ) -> usize {
        if rank >= self.len {
            return 0;
        }
        let removed = self.root.remove_run(rank, count, &mut f, &mut self.bytes);
        self.len -= removed;
        self.lower();
        removed
    }

    /// Gives the last of the first entries that `upto` holds for another score, if it stays where it is. `false` if it does not.
    pub(super) fn set_score(&mut self, score: f64, upto: impl Fn(Place) -> bool) -> bool {
        self.root.set_score(score, &upto)
    }

    /// Gives the last of the first entries that `upto` holds for, whose id is `old`, another one.
    pub(super) fn set_id(&mut self, old: Id, new: Id, upto: impl Fn(Place) -> bool) {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    if let Some(at) = leaf.count(&upto).checked_sub(1) {
                        leaf.set_id(at, new);
                    }
                    return;
                }
                Node::Inner(kids) => {
                    let at = child(kids, &upto);
                    let kid = &mut kids[at];
                    if kid.first.id == old {
                        kid.first.id = new;
                    }
                    node = &mut kid.node;
                }
            }
        }
    }

    /// How many entries `before` holds for, which are the first ones.
    pub(super) fn count(&self, before: impl Fn(Place) -> bool) -> usize {
        let (mut node, mut count) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return count + leaf.count(&before),
                Node::Inner(kids) => {
                    let at = child(kids, &before);
                    count += kids[..at].iter().map(|kid| kid.len).sum::<usize>();
                    node = &kids[at].node;
                }
            }
        }
    }

    /// The entry of this number and those behind it in its leaf; none if there is no such entry.
    pub(super) fn run(&self, mut rank: usize) -> impl DoubleEndedIterator<Item = Place> + use<'_> {
        let (leaf, at) = self.leaf_of(&mut rank);
        leaf.places(at..leaf.len())
    }

    /// The entries before this number in the leaf that has the last of them.
    pub(super) fn run_back(&self, rank: usize) -> impl DoubleEndedIterator<Item = Place> + use<'_> {
        let mut last = rank.saturating_sub(1);
        let (leaf, at) = self.leaf_of(&mut last);
        leaf.places(0..(at + 1).min(leaf.len()) * usize::from(rank > 0))
    }

    /// The leaf with the entry of this number, which becomes the number in the leaf.
    fn leaf_of(&self, rank: &mut usize) -> (&Leaf, usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf, (*rank).min(leaf.len())),
                Node::Inner(kids) => node = &kids[nth_child(kids, rank)].node,
            }
        }
    }

    /// A root with one child is one level too many.
    fn lower(&mut self) {
        while let Node::Inner(kids) = &mut self.root {
            if kids.len() > 1 {
                break;
            }
            self.bytes -= kids.capacity() * size_of::<Kid>();
            self.root = match kids.pop() {
                Some(kid) => kid.node,
                None => {
                    self.bytes += size_of::<Leaf>();
                    Node::default()
                }
            };
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.bytes
    }

    /// The same, added up.
    #[cfg(test)]
    pub(super) fn memory_added_up(&self) -> usize {
        self.root.memory()
    }
}

impl Kid {
    fn of(node: Node) -> Self {
        Self {
            first: node.first(),
            len: node.len(),
            node,
        }
    }
}

/// The last child that may have an entry that `before` holds for.
#[inline]
fn child(kids: &[Kid], before: &impl Fn(Place) -> bool) -> usize {
    let behind = kids.partition_point(|kid| before(kid.first));
    behind.saturating_sub(1)
}

/// The child with the entry of this number, which becomes the number within the child.
#[inline]
fn nth_child(kids: &[Kid], rank: &mut usize) -> usize {
    let last = kids.len() - 1;
    for (at, kid) in kids[..last].iter().enumerate() {
        if *rank < kid.len {
            return at;
        }
        *rank -= kid.len;
    }
    last
}

impl Node {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(kids) => kids.iter().map(|kid| kid.len).sum(),
        }
    }

    fn first(&self) -> Place {
        match self {
            Self::Leaf(leaf) => leaf.place(0),
            Self::Inner(kids) => kids[0].first,
        }
    }

    /// Returns what comes behind this node, if it had to be split.
    fn insert(
        &mut self,
        place: Place,
        before: &impl Fn(Place) -> bool,
        edge: Edge,
        bytes: &mut usize,
    ) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => {
                let sibling = leaf.insert(place, before, edge)?;
                *bytes += size_of::<Leaf>();
                Some(Self::Leaf(Box::new(sibling)))
            }
            Self::Inner(kids) => {
                let at = child(kids, before);
                let below = Edge {
                    first: edge.first && at == 0,
                    last: edge.last && at + 1 == kids.len(),
                };
                let kid = &mut kids[at];
                let sibling = kid.node.insert(place, before, below, bytes);
                kid.first = kid.node.first();
                let Some(sibling) = sibling else {
                    kid.len += 1;
                    return None;
                };
                kid.len = kid.node.len();
                counted(kids, bytes, |kids| kids.insert(at + 1, Kid::of(sibling)));
                if kids.len() <= FANOUT {
                    return None;
                }
                let cut = match edge {
                    Edge { last: true, .. } if at + 2 == kids.len() => FANOUT,
                    Edge { first: true, .. } if at == 0 => 1,
                    _ => FANOUT / 2,
                };
                let mut sibling = kids.split_off(cut);
                // Who fills a set in order leaves the first part as it is now.
                counted(kids, bytes, Vec::shrink_to_fit);
                sibling.shrink_to_fit();
                *bytes += sibling.capacity() * size_of::<Kid>();
                Some(Self::Inner(sibling))
            }
        }
    }

    fn remove(&mut self, upto: &impl Fn(Place) -> bool, bytes: &mut usize) -> Option<Place> {
        match self {
            Self::Leaf(leaf) => {
                let at = leaf.count(upto).checked_sub(1)?;
                let removed = leaf.place(at);
                leaf.remove(at..at + 1);
                Some(removed)
            }
            Self::Inner(kids) => {
                let at = child(kids, upto);
                let removed = kids[at].node.remove(upto, bytes)?;
                tidy(kids, at, 1, bytes);
                Some(removed)
            }
        }
    }

    fn remove_run(
        &mut self,
        mut rank: usize,
        count: usize,
        f: &mut impl FnMut(Place),
        bytes: &mut usize,
    ) -> usize {
        match self {
            Self::Leaf(leaf) => {
                let run = rank..rank.saturating_add(count).min(leaf.len());
                leaf.places(run.clone()).for_each(f);
                leaf.remove(run.clone());
                run.len()
            }
            Self::Inner(kids) => {
                let at = nth_child(kids, &mut rank);
                let removed = kids[at].node.remove_run(rank, count, f, bytes);
                tidy(kids, at, removed, bytes);
                removed
            }
        }
    }

    fn set_score(&mut self, score: f64, upto: &impl Fn(Place) -> bool) -> bool {
        match self {
            Self::Leaf(leaf) => {
                let Some(at) = leaf.count(upto).checked_sub(1) else {
                    return false;
                };
                leaf.set_score(at, score)
            }
            Self::Inner(kids) => {
                let at = child(kids, upto);
                kids[at].node.set_score(score, upto)
            }
        }
    }

    /// Bytes allocated, those below included.
    fn memory(&self) -> usize {
        let below = match self {
            Self::Leaf(_) => 0,
            Self::Inner(kids) => kids.iter().map(|kid| kid.node.memory()).sum(),
        };
        self.own_memory() + below
    }

    /// Bytes allocated for the node itself.
    fn own_memory(&self) -> usize {
        match self {
            Self::Leaf(_) => size_of::<Leaf>(),
            Self::Inner(kids) => kids.capacity() * size_of::<Kid>(),
        }
    }
}

/// Edits a vector of children, and counts what it allocates or gives back.
fn counted(kids: &mut Vec<Kid>, bytes: &mut usize, edit: impl FnOnce(&mut Vec<Kid>)) {
    *bytes -= kids.capacity() * size_of::<Kid>();
    edit(kids);
    *bytes += kids.capacity() * size_of::<Kid>();
}

/// After `removed` entries went from the child `at`: removes it if it is empty, or merges it with a neighbour if both have few.
fn tidy(kids: &mut Vec<Kid>, at: usize, removed: usize, bytes: &mut usize) {
    kids[at].len -= removed;
    if kids[at].len == 0 {
        *bytes -= kids.remove(at).node.own_memory();
        return;
    }
    kids[at].first = kids[at].node.first();
    for first in [at, at.wrapping_sub(1)] {
        let pair = kids
            .get_mut(first..)
            .and_then(|rest| rest.first_chunk_mut());
        if let Some([one, two]) = pair {
            // Without a look at a leaf that has too much.
            let fit = match one.node {
                Node::Leaf(_) => one.len + two.len <= LEAF / 4 * 3,
                Node::Inner(_) => true,
            };
            if !fit {
                continue;
            }
            let before = one.node.own_memory();
            if one.node.absorb(&mut two.node) {
                *bytes = *bytes - before + one.node.own_memory();
                one.len += two.len;
                *bytes -= kids.remove(first + 1).node.own_memory();
            }
        }
    }
}

impl Node {
    /// Takes what the node behind has, if that leaves some room.
    fn absorb(&mut self, other: &mut Self) -> bool {
        match (self, other) {
            (Self::Leaf(one), Self::Leaf(two)) => one.absorb(two),
            (Self::Inner(one), Self::Inner(two)) if one.len() + two.len() <= FANOUT / 4 * 3 => {
                one.append(two);
                true
            }
            _ => false,
        }
    }
}
