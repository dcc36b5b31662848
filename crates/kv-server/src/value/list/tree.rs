//! A long sequence: a tree of packs in which each node knows how many elements are below it.

use crate::value::list::Limits;
use crate::value::pack::Pack;

/// A node, with its children in order.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Elements below.
    len: usize,
    kids: Kids,
}

#[derive(Debug, Clone)]
enum Kids {
    /// None of them is empty.
    Packs(Vec<Pack>),
    /// None of them is without children.
    Nodes(Vec<Node>),
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
            kids: Kids::Packs(Vec::new()),
        }
    }
}

impl From<Pack> for Node {
    fn from(pack: Pack) -> Self {
        Self {
            len: pack.len(),
            kids: Kids::Packs(vec![pack]),
        }
    }
}

impl Node {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The pack with the element of this number, and the number within it.
    pub(super) fn pack_of(&self, mut index: usize) -> Option<(&Pack, usize)> {
        let mut node = self;
        loop {
            match &node.kids {
                _ if index >= node.len => return None,
                Kids::Packs(packs) => {
                    return Some((
                        &packs[locate(packs, &mut index, node.len, Pack::len)],
                        index,
                    ));
                }
                Kids::Nodes(nodes) => node = &nodes[locate(nodes, &mut index, node.len, Self::len)],
            }
        }
    }

    /// Changes the pack with the element of this number; the last one for the number behind all elements.
    pub(super) fn edit(&mut self, index: usize, limits: Limits, edit: &mut EditFn<'_>) {
        if let Some(sibling) = self.edit_below(index, limits, edit) {
            let first = std::mem::take(self);
            *self = Self {
                len: first.len + sibling.len,
                kids: Kids::Nodes(vec![first, sibling]),
            };
        }
        while let Kids::Nodes(nodes) = &mut self.kids {
            if nodes.len() > 1 {
                break;
            }
            *self = nodes.pop().unwrap_or_default();
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
                    packs.push(Pack::default());
                }
                let at = locate(packs, &mut index, self.len, Pack::len);
                let before = packs[at].len();
                let [one, two] = edit(&mut packs[at], index);
                self.len = self.len - before + packs[at].len() + one.len() + two.len();
                for behind in [two, one] {
                    if !behind.is_empty() {
                        packs.insert(at + 1, behind);
                    }
                }
                tidy(
                    packs,
                    at,
                    |pack| pack.is_empty(),
                    |one, two| {
                        let fits = limits.allows_half(
                            one.listpack_len() + two.listpack_len(),
                            one.len() + two.len(),
                        );
                        if fits {
                            one.append(two);
                        }
                        fits
                    },
                );
                let cut = cut(packs)?;
                let len = cut.iter().map(Pack::len).sum();
                self.len -= len;
                Some(Self {
                    len,
                    kids: Kids::Packs(cut),
                })
            }
            Kids::Nodes(nodes) => {
                let at = locate(nodes, &mut index, self.len, Self::len);
                let before = nodes[at].len;
                let sibling = nodes[at].edit_below(index, limits, edit);
                self.len = self.len - before + nodes[at].len;
                if let Some(sibling) = sibling {
                    self.len += sibling.len;
                    nodes.insert(at + 1, sibling);
                }
                tidy(nodes, at, |node| node.len == 0, Self::absorb);
                let cut = cut(nodes)?;
                let len = cut.iter().map(Self::len).sum();
                self.len -= len;
                Some(Self {
                    len,
                    kids: Kids::Nodes(cut),
                })
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
        }
        absorbed
    }

    /// The only pack, if there is no other.
    pub(super) fn only_pack(&mut self) -> Option<&mut Pack> {
        match &mut self.kids {
            Kids::Packs(packs) => match &mut **packs {
                [pack] => Some(pack),
                _ => None,
            },
            Kids::Nodes(_) => None,
        }
    }

    /// Bytes allocated.
    pub(super) fn memory(&self) -> usize {
        match &self.kids {
            Kids::Packs(packs) => {
                packs.capacity() * size_of::<Pack>() + packs.iter().map(Pack::memory).sum::<usize>()
            }
            Kids::Nodes(nodes) => {
                nodes.capacity() * size_of::<Self>() + nodes.iter().map(Self::memory).sum::<usize>()
            }
        }
    }
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
