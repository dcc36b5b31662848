//! A long sequence: a tree of packs in which each node knows how many elements are below it, and how many bytes.

use crate::value::list::Limits;
use crate::value::list::page::Page;
use crate::value::pack::Pack;

/// A node, with its children in order.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Elements below.
    len: usize,
    /// Bytes allocated below.
    bytes: usize,
    /// Packs below, and those of them that are compressed.
    pages: usize,
    squeezed: usize,
    kids: Kids,
}

#[derive(Debug, Clone)]
enum Kids {
    /// None of them is empty.
    Packs(Vec<Page>),
    /// None of them is without children.
    Nodes(Vec<Node>),
}

/// What DEBUG OBJECT tells of a list.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Packs {
    pub(crate) count: usize,
    /// Before compression.
    pub(crate) bytes: usize,
}

/// Children of a node at most. With packs of 8 KiB, three levels hold 2 GB.
const FANOUT: usize = 64;

/// What comes behind a pack after an edit: packs that it was split into.
pub(super) type Behind = [Pack; 2];

/// Changes a pack that has the wanted element at the given number, or ends before it, and says what comes behind.
pub(super) type EditFn<'f> = dyn FnMut(&mut Pack, usize) -> Behind + 'f;

impl Default for Node {
    fn default() -> Self {
        Self {
            len: 0,
            bytes: 0,
            pages: 0,
            squeezed: 0,
            kids: Kids::Packs(Vec::new()),
        }
    }
}

impl From<Pack> for Node {
    fn from(pack: Pack) -> Self {
        Self::of(pack.len(), Kids::Packs(vec![pack.into()]))
    }
}

impl Node {
    fn of(len: usize, kids: Kids) -> Self {
        let mut node = Self {
            len,
            bytes: 0,
            pages: 0,
            squeezed: 0,
            kids,
        };
        node.measure();
        node
    }

    /// Adds up what is below, after the children changed.
    fn measure(&mut self) {
        match &self.kids {
            Kids::Packs(packs) => {
                let below = packs.iter().map(Page::memory).sum::<usize>();
                self.bytes = packs.capacity() * size_of::<Page>() + below;
                self.pages = packs.len();
                self.squeezed = packs.iter().filter(|page| page.is_squeezed()).count();
            }
            Kids::Nodes(nodes) => {
                let below = nodes.iter().map(Self::memory).sum::<usize>();
                self.bytes = nodes.capacity() * size_of::<Self>() + below;
                self.pages = nodes.iter().map(|node| node.pages).sum();
                self.squeezed = nodes.iter().map(|node| node.squeezed).sum();
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The pack with the element of this number, and the number within it.
    pub(super) fn pack_of(&self, mut index: usize) -> Option<(&Pack, usize)> {
        let mut node = self;
        loop {
            match &node.kids {
                _ if index >= node.len => return None,
                Kids::Packs(packs) => {
                    let at = locate(packs, &mut index, node.len, Page::len);
                    return Some((packs[at].pack(), index));
                }
                Kids::Nodes(nodes) => node = &nodes[locate(nodes, &mut index, node.len, Self::len)],
            }
        }
    }

    /// Changes the pack with the element of this number; the last one for the number behind all elements.
    pub(super) fn edit(&mut self, index: usize, limits: Limits, edit: &mut EditFn<'_>) {
        if let Some(sibling) = self.edit_below(index, limits, edit) {
            let first = std::mem::take(self);
            *self = Self::of(first.len + sibling.len, Kids::Nodes(vec![first, sibling]));
        }
        while let Kids::Nodes(nodes) = &mut self.kids {
            if nodes.len() > 1 {
                break;
            }
            *self = nodes.pop().unwrap_or_default();
        }
        if limits.depth > 0 && self.len > 0 {
            self.squeeze_around(index.min(self.len - 1), limits.depth);
        }
    }

    /// After an edit: compresses what is now inside, and makes plain what is now near an end, where the edit can have changed that.
    fn squeeze_around(&mut self, index: usize, depth: usize) {
        /// An edit splits a pack into three, or merges it with its neighbours.
        const REACH: usize = 3;
        let total = self.pages;
        let edited = self.number_of(index);
        let mut numbers: Vec<usize> = [edited, depth, total.saturating_sub(depth)]
            .into_iter()
            .flat_map(|at| at.saturating_sub(REACH)..at.saturating_add(REACH + 1).min(total))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        self.visit(0, &numbers, &mut |number, page| {
            if number >= depth && number < total.saturating_sub(depth) {
                page.squeeze();
            } else {
                page.plain();
            }
        });
    }

    /// The number of the pack with this element.
    fn number_of(&self, mut index: usize) -> usize {
        let (mut node, mut number) = (self, 0);
        loop {
            match &node.kids {
                Kids::Packs(packs) => {
                    return number + locate(packs, &mut index, node.len, Page::len);
                }
                Kids::Nodes(nodes) => {
                    let at = locate(nodes, &mut index, node.len, Self::len);
                    number += nodes[..at].iter().map(|node| node.pages).sum::<usize>();
                    node = &nodes[at];
                }
            }
        }
    }

    /// Calls `f` with the packs of these numbers, which are sorted; the first pack below has the number `base`.
    fn visit(&mut self, base: usize, numbers: &[usize], f: &mut impl FnMut(usize, &mut Page)) {
        match &mut self.kids {
            Kids::Packs(packs) => {
                for (number, page) in (base..).zip(packs) {
                    if numbers.binary_search(&number).is_ok() {
                        f(number, page);
                    }
                }
            }
            Kids::Nodes(nodes) => {
                let mut first = base;
                for node in nodes {
                    let behind = first + node.pages;
                    let from = numbers.partition_point(|&number| number < first);
                    if numbers.get(from).is_some_and(|&number| number < behind) {
                        node.visit(first, numbers, f);
                    }
                    first = behind;
                }
            }
        }
        self.measure();
    }

    /// Forgets what readers opened of the elements from number `from` to number `to`.
    pub(super) fn close(&mut self, from: usize, to: usize) {
        let mut first = 0;
        let mut overlaps = |len: usize| {
            let range = first..first + len;
            first = range.end;
            (range.start < to && from < range.end).then_some(range.start)
        };
        match &mut self.kids {
            Kids::Packs(packs) => packs
                .iter_mut()
                .filter(|page| overlaps(page.len()).is_some())
                .for_each(Page::close),
            Kids::Nodes(nodes) => {
                for node in nodes {
                    if let Some(start) = overlaps(node.len) {
                        node.close(from.saturating_sub(start), to - start);
                    }
                }
            }
        }
    }

    /// Calls `f` with every pack. Compressed ones are unpacked one at a time, and not kept.
    pub(super) fn for_each_pack(&self, f: &mut impl FnMut(&Pack)) {
        match &self.kids {
            Kids::Packs(packs) => {
                for page in packs {
                    match page {
                        Page::Plain(pack) => f(pack),
                        squeezed => f(squeezed.clone().plain()),
                    }
                }
            }
            Kids::Nodes(nodes) => nodes.iter().for_each(|node| node.for_each_pack(f)),
        }
    }

    /// As `edit`; returns what this node had to give away.
    fn edit_below(
        &mut self,
        mut index: usize,
        limits: Limits,
        edit: &mut EditFn<'_>,
    ) -> Option<Self> {
        match &mut self.kids {
            Kids::Packs(packs) => {
                if packs.is_empty() {
                    packs.push(Page::default());
                }
                let at = locate(packs, &mut index, self.len, Page::len);
                let (before, before_bytes) = (packs[at].len(), packs[at].memory());
                let before_count = packs.len();
                let was_squeezed = packs[at].is_squeezed();
                let [one, two] = edit(packs[at].plain(), index);
                self.len = self.len - before + packs[at].len() + one.len() + two.len();
                let mut same_packs = one.is_empty() && two.is_empty();
                for behind in [two, one] {
                    if !behind.is_empty() {
                        packs.insert(at + 1, behind.into());
                    }
                }
                tidy(packs, at, Page::is_empty, |one, two| {
                    let fits = limits.allows_half(
                        one.listpack_len() + two.listpack_len(),
                        one.len() + two.len(),
                    ) && !stands_alone(one, limits)
                        && !stands_alone(two, limits);
                    if fits {
                        one.plain().append(two.pack());
                    }
                    fits
                });
                same_packs &= packs.len() == before_count && self.bytes > 0;
                if same_packs {
                    self.bytes = self.bytes - before_bytes + packs[at].memory();
                    self.squeezed -= usize::from(was_squeezed);
                    return None;
                }
                let cut = cut(packs);
                let sibling = cut.map(|cut| {
                    let len = cut.iter().map(Page::len).sum();
                    self.len -= len;
                    Self::of(len, Kids::Packs(cut))
                });
                self.measure();
                sibling
            }
            Kids::Nodes(nodes) => {
                let at = locate(nodes, &mut index, self.len, Self::len);
                let (before, before_bytes) = (nodes[at].len, nodes[at].bytes);
                let (before_pages, before_squeezed) = (nodes[at].pages, nodes[at].squeezed);
                let before_count = nodes.len();
                let sibling = nodes[at].edit_below(index, limits, edit);
                self.len = self.len - before + nodes[at].len;
                let mut same_nodes = sibling.is_none();
                if let Some(sibling) = sibling {
                    self.len += sibling.len;
                    nodes.insert(at + 1, sibling);
                }
                tidy(nodes, at, |node| node.len == 0, Self::absorb);
                same_nodes &= nodes.len() == before_count;
                if same_nodes {
                    self.bytes = self.bytes - before_bytes + nodes[at].bytes;
                    self.pages = self.pages - before_pages + nodes[at].pages;
                    self.squeezed = self.squeezed - before_squeezed + nodes[at].squeezed;
                    return None;
                }
                let cut = cut(nodes);
                let sibling = cut.map(|cut| {
                    let len = cut.iter().map(Self::len).sum();
                    self.len -= len;
                    Self::of(len, Kids::Nodes(cut))
                });
                self.measure();
                sibling
            }
        }
    }

    /// Takes the children of the node behind, if they are few.
    fn absorb(&mut self, other: &mut Self) -> bool {
        let absorbed = match (&mut self.kids, &mut other.kids) {
            (Kids::Packs(one), Kids::Packs(two)) => append_few(one, two),
            (Kids::Nodes(one), Kids::Nodes(two)) => append_few(one, two),
            _ => false,
        };
        if absorbed {
            self.len += other.len;
            self.measure();
        }
        absorbed
    }

    /// The size and length of the only pack, if there is no other.
    pub(super) fn only_pack(&self) -> Option<(usize, usize)> {
        match &self.kids {
            Kids::Packs(packs) => match &**packs {
                [page] => Some((page.listpack_len(), page.len())),
                _ => None,
            },
            Kids::Nodes(_) => None,
        }
    }

    /// Takes the first pack out of a tree that is not used any more.
    pub(super) fn take_pack(&mut self) -> Pack {
        match &mut self.kids {
            Kids::Packs(packs) => packs
                .first_mut()
                .map(|page| std::mem::take(page.plain()))
                .unwrap_or_default(),
            Kids::Nodes(_) => Pack::default(),
        }
    }

    /// Packs that are compressed.
    pub(crate) fn squeezed(&self) -> usize {
        self.squeezed
    }

    /// How many packs there are, and the bytes in them.
    pub(crate) fn packs(&self) -> Packs {
        fn bytes(node: &Node) -> usize {
            match &node.kids {
                Kids::Packs(packs) => packs.iter().map(Page::listpack_len).sum(),
                Kids::Nodes(nodes) => nodes.iter().map(bytes).sum(),
            }
        }
        Packs {
            count: self.pages,
            bytes: bytes(self),
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        self.bytes
    }

    /// The same, added up.
    #[cfg(test)]
    pub(super) fn memory_added_up(&self) -> usize {
        match &self.kids {
            Kids::Packs(packs) => {
                packs.capacity() * size_of::<Page>() + packs.iter().map(Page::memory).sum::<usize>()
            }
            Kids::Nodes(nodes) => {
                let below: usize = nodes.iter().map(Self::memory_added_up).sum();
                nodes.capacity() * size_of::<Self>() + below
            }
        }
    }
}

/// Whether an element shares its pack with no other.
fn stands_alone(page: &Page, limits: Limits) -> bool {
    page.len() == 1 && limits.stands_alone(page.pack())
}

/// Which of `kids` has the element `index`, which becomes the number within it; the last one has the number behind all.
///
/// There are `total` elements; the search begins at the nearer end.
fn locate<T>(kids: &[T], index: &mut usize, total: usize, len: impl Fn(&T) -> usize) -> usize {
    let last = kids.len() - 1;
    if *index <= total / 2 {
        for (at, kid) in kids[..last].iter().enumerate() {
            let len = len(kid);
            if *index < len {
                return at;
            }
            *index -= len;
        }
        return last;
    }
    // Elements from the wanted one to the end, those of the children passed taken off.
    let mut back = total - *index;
    for (at, kid) in kids.iter().enumerate().skip(1).rev() {
        let len = len(kid);
        if back <= len {
            *index = len - back;
            return at;
        }
        back -= len;
    }
    *index = len(&kids[0]) - back;
    0
}

/// After an edit of the child `at`: removes it if it is empty, or merges it with a neighbour if both are small.
fn tidy<T>(
    kids: &mut Vec<T>,
    at: usize,
    is_empty: impl Fn(&T) -> bool,
    mut merge: impl FnMut(&mut T, &mut T) -> bool,
) {
    if is_empty(&kids[at]) {
        kids.remove(at);
        return;
    }
    for first in [at, at.wrapping_sub(1)] {
        if let Some([one, two]) = kids
            .get_mut(first..)
            .and_then(|rest| rest.first_chunk_mut())
        {
            if merge(one, two) {
                kids.remove(first + 1);
            }
        }
    }
}

/// Half of the children, if they are too many.
fn cut<T>(kids: &mut Vec<T>) -> Option<Vec<T>> {
    if kids.len() <= FANOUT {
        return None;
    }
    let cut = kids.split_off(kids.len() / 2);
    // Most lists grow at the end, where the first half stays as it is now.
    kids.shrink_to_fit();
    Some(cut)
}

fn append_few<T>(one: &mut Vec<T>, two: &mut Vec<T>) -> bool {
    let few = one.len() + two.len() <= FANOUT / 2;
    if few {
        one.append(two);
    }
    few
}
