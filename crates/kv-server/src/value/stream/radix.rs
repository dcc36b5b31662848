//! What XINFO tells of the tree that Redis keeps its nodes in.

use crate::value::stream::{Id, Log};

/// Bytes of an id.
const WIDTH: usize = size_of::<Id>();

impl Log {
    /// How many nodes Redis's radix tree has for the ids of these nodes.
    ///
    /// There is a node where an id ends, one where ids part, and one for what stands between those. Takes a walk over all ids.
    pub(crate) fn radix_nodes(&self) -> usize {
        radix_nodes(self.nodes.keys())
    }
}

fn radix_nodes(ids: impl Iterator<Item = Id>) -> usize {
    let mut ids = ids.map(Id::to_bytes);
    let Some(mut before) = ids.next() else {
        return 1;
    };
    let mut count = 0;
    // How deep ids part on the path to the last one.
    let mut partings: Vec<usize> = Vec::new();
    // Where the id before parts from the one before that.
    let mut last = None;
    for id in ids {
        let common = id.iter().zip(&before).take_while(|(a, b)| a == b).count();
        count += edge(last.max(Some(common)), WIDTH);
        while partings.last().is_some_and(|depth| *depth > common) {
            let depth = partings.pop().unwrap_or(WIDTH);
            count += edge(partings.last().copied().max(Some(common)), depth);
        }
        if partings.last() != Some(&common) {
            partings.push(common);
        }
        (before, last) = (id, Some(common));
    }
    count += edge(last, WIDTH);
    while let Some(depth) = partings.pop() {
        count += edge(partings.last().copied(), depth);
    }
    count
}

/// The node at a depth, and the one above it if its path from the parting above is longer than a byte.
fn edge(above: Option<usize>, depth: usize) -> usize {
    1 + usize::from(depth > above.map_or(0, |above| above + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_are_as_many_as_redis_counts() {
        let count = |ids: &[(u64, u64)]| radix_nodes(ids.iter().map(|&(ms, seq)| Id::new(ms, seq)));
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[(1, 1)]), 2);
        // A path, a parting at the last byte, two ends.
        assert_eq!(count(&[(1, 1), (1, 2)]), 4);
        // They part a byte earlier: each has a path to its end.
        assert_eq!(count(&[(1, 1), (1, 256)]), 6);
        assert_eq!(count(&[(1, 1), (1, 2), (1, 256)]), 7);
        // They part at once.
        assert_eq!(count(&[(0, 1), (u64::MAX, 1)]), 5);
        let many = [(1, 1), (1, 2), (1, 3), (1, 256), (1, 257)];
        let more = [(2, 1), (300, 5), (300, 600), (70_000, 1)];
        assert_eq!(count(&[&many[..], &more].concat()), 23);
    }
}
