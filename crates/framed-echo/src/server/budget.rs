//! One bound on the memory of all connections together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::Notify;

/// Bytes that the connections of a server may hold: half-received frames, queues, unacknowledged messages.
#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    used: AtomicUsize,
    /// How many wait in [`Charge::set`]; most of the time none, and then nobody needs to be woken.
    waiting: AtomicUsize,
    freed: Notify,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(SeqCst)
    }

    /// Whether so much is left at this moment.
    pub(crate) fn has(&self, bytes: usize) -> bool {
        self.used().saturating_add(bytes) <= self.max
    }

    fn try_take(&self, bytes: usize) -> bool {
        let grown = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        self.used.fetch_update(SeqCst, SeqCst, grown).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, SeqCst);
        if self.waiting.load(SeqCst) > 0 {
            self.freed.notify_waiters();
        }
    }
}

/// What one holder takes from the budget, in units of [`UNIT`]; given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

/// Small changes stay inside a unit and cost nothing.
const UNIT: usize = 4096;

impl Charge {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Changes what this holder holds; `false`, and no change, if the budget has not got so much.
    pub(crate) fn try_set(&mut self, bytes: usize) -> bool {
        let bytes = bytes.next_multiple_of(UNIT);
        if bytes > self.bytes {
            if !self.budget.try_take(bytes - self.bytes) {
                return false;
            }
        } else if bytes < self.bytes {
            self.budget.give_back(self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }

    /// Notes what this holder holds already, whether or not the budget has so much.
    pub(crate) fn note(&mut self, bytes: usize) {
        if !self.try_set(bytes) {
            let bytes = bytes.next_multiple_of(UNIT);
            self.budget.used.fetch_add(bytes - self.bytes, SeqCst);
            self.bytes = bytes;
        }
    }

    /// Changes what this holder holds, and waits until the budget has so much.
    ///
    /// Cancel safe: nothing changes until it returns.
    pub(crate) async fn set(&mut self, bytes: usize) {
        if self.try_set(bytes) {
            return;
        }
        let budget = Arc::clone(&self.budget);
        let _waiting = Waiting::new(&budget.waiting);
        loop {
            let freed = budget.freed.notified();
            if self.try_set(bytes) {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// Counts a waiter, also one that is cancelled.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_test::{assert_pending, assert_ready, task::spawn};

    #[test]
    fn a_full_budget_refuses_and_a_dropped_charge_gives_back() {
        let budget = Budget::new(10 * UNIT);
        let (mut one, mut two) = (Charge::new(&budget), Charge::new(&budget));
        assert!(one.try_set(6 * UNIT));
        assert!(!two.try_set(4 * UNIT + 1), "rounded up to a unit");
        assert!(two.try_set(4 * UNIT));
        drop(one);
        assert_eq!(budget.used(), 4 * UNIT);
        assert!(two.try_set(1));
        assert_eq!(budget.used(), UNIT);
    }

    #[test]
    fn a_waiter_goes_on_when_memory_is_given_back() {
        let budget = Budget::new(2 * UNIT);
        let (mut one, mut two) = (Charge::new(&budget), Charge::new(&budget));
        assert!(one.try_set(2 * UNIT));
        {
            let mut waiting = spawn(two.set(UNIT));
            assert_pending!(waiting.poll());
            assert!(one.try_set(UNIT));
            assert!(waiting.is_woken());
            assert_ready!(waiting.poll());
        }
        assert_eq!(budget.used(), 2 * UNIT);
    }
}
