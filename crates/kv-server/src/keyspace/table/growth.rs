//! A bucket more, a bucket less.

use std::mem;

use super::bucket::{Bucket, Moving};
use super::shape::Step;
use super::{CHUNK, Chunk, Slot, Table};

impl<E: Slot> Table<E> {
    #[inline(never)]
    pub(super) fn grow(&mut self, rehash: &impl Fn(&E) -> u64) {
        let step = self.shape.grow();
        self.warm_group(&step, step.from.buckets);
        let mut moving = mem::take(&mut self.moving);
        self.lift(&step, step.from.buckets, &mut moving);
        self.push_bucket();
        self.settle(&step, moving, rehash);
    }

    #[inline(never)]
    pub(super) fn shrink(&mut self, rehash: &impl Fn(&E) -> u64) {
        let step = self.shape.shrink();
        // And the one that goes.
        self.warm_group(&step, step.to.buckets + 1);
        let mut moving = mem::take(&mut self.moving);
        self.lift(&step, step.to.buckets, &mut moving);
        if let Some(mut bucket) = self.pop_bucket() {
            self.overflow_bytes -= bucket.overflow_bytes();
            bucket.lift(|_| true, &mut moving);
        }
        self.settle(&step, moving, rehash);
    }

    /// Takes out of the first `buckets` of a group what does not stay where it is, overflow included.
    fn lift(&mut self, step: &Step, buckets: usize, moving: &mut Vec<Moving<E>>) {
        let retag = step.from.shift != step.to.shift;
        for place in 0..buckets {
            let address = step.address(place);
            let bucket = self.chunks[address / CHUNK].bucket_mut(address);
            self.overflow_bytes -= bucket.overflow_bytes();
            bucket.lift(
                |tag| retag || step.to.place(tag, &step.from, step.level) != place,
                moving,
            );
        }
    }

    /// Puts what was taken out of a group into its new places.
    fn settle(&mut self, step: &Step, mut moving: Vec<Moving<E>>, rehash: &impl Fn(&E) -> u64) {
        for mut entry in moving.drain(..) {
            let place = step.to.place(entry.loose.tag, &step.from, step.level);
            entry.loose.tag = match step.from.shift {
                from if from == step.to.shift => entry.loose.tag,
                from if from < step.to.shift => step.to.tag(rehash(&entry.loose.entry)),
                // The bits that the new tag starts with are those that brought the entry to this group.
                _ => entry.loose.tag << 8 | step.to.tag(step.group as u64) & 0xff,
            };
            self.put(step.address(place), entry);
        }
        self.moving = moving;
    }

    pub(super) fn push_bucket(&mut self) {
        match &mut *self.chunks {
            // The first chunk grows as a vector does; a small table has few buckets.
            [chunk] if chunk.buckets.len() < CHUNK => {
                if chunk.buckets.len() == chunk.buckets.capacity() {
                    chunk.buckets.reserve_exact(chunk.buckets.len());
                }
                chunk.buckets.push(Bucket::default());
            }
            [.., chunk] if chunk.buckets.len() < CHUNK => chunk.buckets.push(Bucket::default()),
            chunks => {
                let mut buckets = Vec::with_capacity(if chunks.is_empty() { 1 } else { CHUNK });
                buckets.push(Bucket::default());
                if chunks.is_empty() {
                    self.chunks.reserve_exact(1);
                }
                self.chunks.push(Chunk {
                    buckets,
                    next_expiry: i64::MAX,
                });
            }
        }
    }

    fn pop_bucket(&mut self) -> Option<Bucket<E>> {
        let count = self.chunks.len();
        let chunk = self.chunks.last_mut()?;
        let bucket = chunk.buckets.pop();
        if chunk.buckets.is_empty() {
            self.chunks.pop();
            if self.chunks.len() < self.chunks.capacity() / 4 {
                self.chunks.shrink_to(self.chunks.len() * 2);
            }
        } else if count == 1 && chunk.buckets.len() <= chunk.buckets.capacity() / 4 {
            chunk.buckets.shrink_to(chunk.buckets.len() * 2);
        }
        bucket
    }
}
