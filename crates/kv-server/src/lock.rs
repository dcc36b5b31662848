//! The one lock: a mutex that a future can wait for, and that spins for a moment first.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

/// Attempts before a future gives its thread back: a batch of commands takes a few microseconds, a switch of tasks as long.
const SPINS: u32 = 100;

/// A mutex for a few microseconds of work, never held across an `.await`.
///
/// Waiters are woken one at a time in order of arrival; a woken waiter competes with newcomers, so nobody is handed a lock it cannot use yet, and one
/// that loses keeps its place.
pub(crate) struct Lock<T> {
    value: Mutex<T>,
    queue: Mutex<Queue>,
    /// `queue.waiters.len()`, readable without taking that mutex.
    waiting: AtomicUsize,
}

/// Who waits, by order of arrival.
#[derive(Default)]
struct Queue {
    waiters: BTreeMap<u64, Waker>,
    next: u64,
}

/// A future's place in the queue of a [`Lock`].
///
/// Who holds one and does not want the lock any more must call [`Lock::leave`]: a wake that nobody takes up would be lost for those behind.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Option<u64>);

pub(crate) struct Guard<'a, T> {
    /// `None` only while the guard is being dropped.
    guard: Option<MutexGuard<'a, T>>,
    lock: &'a Lock<T>,
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            queue: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Takes the lock, or queues and returns `Pending`.
    pub(crate) fn poll_lock(
        &self,
        ticket: &mut Ticket,
        cx: &mut Context<'_>,
    ) -> Poll<Guard<'_, T>> {
        for _ in 0..SPINS {
            if let Some(guard) = self.try_lock() {
                self.quit(ticket);
                return Poll::Ready(guard);
            }
            std::hint::spin_loop();
        }
        self.edit_queue(|queue| {
            let place = *ticket.0.get_or_insert_with(|| {
                queue.next += 1;
                queue.next
            });
            match queue.waiters.get_mut(&place) {
                Some(waker) => waker.clone_from(cx.waker()),
                None => drop(queue.waiters.insert(place, cx.waker().clone())),
            }
        });
        // The holder may have let go before it could see the waker. With the fence in `wake_one`, one of the two sees the other.
        fence(Ordering::SeqCst);
        match self.try_lock() {
            Some(guard) => {
                self.quit(ticket);
                Poll::Ready(guard)
            }
            None => Poll::Pending,
        }
    }

    /// Waits for the lock, does something quick, and lets go.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, `work` has not run.
    pub(crate) async fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let mut place = Place {
            lock: self,
            ticket: Ticket::default(),
        };
        let mut work = Some(work);
        poll_fn(|cx| {
            self.poll_lock(&mut place.ticket, cx).map(|mut value| {
                let work = work.take().expect("a finished future is not polled");
                work(&mut value)
            })
        })
        .await
    }

    /// Gives a place in the queue up; a wake that came for it goes to the next.
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        let Some(place) = ticket.0.take() else { return };
        let queued = self.edit_queue(|queue| queue.waiters.remove(&place).is_some());
        if !queued {
            self.wake_one();
        }
    }

    /// Blocks the thread; for callers that are no future.
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let guard = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        Guard {
            guard: Some(guard),
            lock: self,
        }
    }

    fn try_lock(&self) -> Option<Guard<'_, T>> {
        let guard = match self.value.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Guard {
            guard: Some(guard),
            lock: self,
        })
    }

    /// The holder of the lock needs its place no longer, and wakes the next one when it lets go.
    fn quit(&self, ticket: &mut Ticket) {
        if let Some(place) = ticket.0.take() {
            self.edit_queue(|queue| queue.waiters.remove(&place));
        }
    }

    fn wake_one(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        let first = self.edit_queue(|queue| queue.waiters.pop_first());
        if let Some((_, waker)) = first {
            waker.wake();
        }
    }

    fn edit_queue<R>(&self, edit: impl FnOnce(&mut Queue) -> R) -> R {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let result = edit(&mut queue);
        self.waiting.store(queue.waiters.len(), Ordering::Relaxed);
        result
    }
}

/// A ticket that is given up when its future is dropped.
struct Place<'a, T> {
    lock: &'a Lock<T>,
    ticket: Ticket,
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        self.lock.leave(&mut self.ticket);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_deref().expect("held until dropped")
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_deref_mut().expect("held until dropped")
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.guard = None;
        self.lock.wake_one();
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// Waits for the lock and counts how often it is told to look again.
    struct Waiter {
        count: Arc<Count>,
        waker: Waker,
        ticket: Ticket,
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Waiter {
        fn new() -> Self {
            let count = Arc::new(Count(AtomicUsize::new(0)));
            Self {
                waker: Waker::from(count.clone()),
                count,
                ticket: Ticket::default(),
            }
        }

        fn poll<'a>(&mut self, lock: &'a Lock<()>) -> Option<Guard<'a, ()>> {
            let mut cx = Context::from_waker(&self.waker);
            match lock.poll_lock(&mut self.ticket, &mut cx) {
                Poll::Ready(guard) => Some(guard),
                Poll::Pending => None,
            }
        }

        fn wakes(&self) -> usize {
            self.count.0.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn every_waiter_gets_its_turn() {
        let lock = Arc::new(Lock::new(0u64));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let lock = lock.clone();
                tokio::spawn(async move {
                    for _ in 0..2_000 {
                        lock.with(|n| *n += 1).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*lock.lock(), 16_000);
    }

    #[test]
    fn waiters_are_woken_in_order_of_arrival_and_one_at_a_time() {
        let lock = Lock::new(());
        let (mut first, mut second) = (Waiter::new(), Waiter::new());
        let held = lock.lock();
        assert!(first.poll(&lock).is_none() && second.poll(&lock).is_none());
        drop(held);
        assert_eq!((first.wakes(), second.wakes()), (1, 0));
        drop(first.poll(&lock).expect("the lock is free"));
        assert_eq!((first.wakes(), second.wakes()), (1, 1));
    }

    #[test]
    fn a_waiter_that_looks_often_swallows_no_wake_of_another() {
        let lock = Lock::new(());
        let (mut first, mut second) = (Waiter::new(), Waiter::new());
        let held = lock.lock();
        for _ in 0..3 {
            assert!(first.poll(&lock).is_none());
        }
        assert!(second.poll(&lock).is_none());
        drop(held);
        drop(first.poll(&lock).expect("the lock is free"));
        assert_eq!(second.wakes(), 1);
    }

    #[test]
    fn a_waiter_that_took_the_lock_unasked_swallows_no_wake_of_another() {
        let lock = Lock::new(());
        let (mut first, mut second) = (Waiter::new(), Waiter::new());
        // `first` is in the queue, and its socket wakes it just when the lock is free.
        let held = lock.lock();
        assert!(second.poll(&lock).is_none() && first.poll(&lock).is_none());
        drop(held);
        let held = first.poll(&lock).expect("the lock is free");
        assert!(second.poll(&lock).is_none(), "woken, but too late");
        drop(held);
        assert_eq!((first.wakes(), second.wakes()), (0, 2));
    }

    #[test]
    fn a_waiter_that_is_woken_too_late_keeps_its_place() {
        let lock = Lock::new(());
        let (mut first, mut second) = (Waiter::new(), Waiter::new());
        let held = lock.lock();
        assert!(first.poll(&lock).is_none() && second.poll(&lock).is_none());
        drop(held);
        let held = lock.lock();
        assert!(first.poll(&lock).is_none());
        drop(held);
        assert_eq!((first.wakes(), second.wakes()), (2, 0));
    }

    #[test]
    fn a_waiter_that_leaves_hands_its_wake_on() {
        let lock = Lock::new(());
        let (mut first, mut second) = (Waiter::new(), Waiter::new());
        let held = lock.lock();
        assert!(first.poll(&lock).is_none() && second.poll(&lock).is_none());
        drop(held);
        lock.leave(&mut first.ticket);
        assert_eq!(second.wakes(), 1);
    }

    #[test]
    fn a_dropped_future_leaves_the_queue() {
        let lock = Lock::new(());
        let mut waiter = Waiter::new();
        let held = lock.lock();
        let mut dropped = Box::pin(lock.with(|()| unreachable!("it is dropped before")));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(dropped.as_mut().poll(&mut cx).is_pending());
        assert!(waiter.poll(&lock).is_none());
        drop(dropped);
        drop(held);
        assert_eq!(waiter.wakes(), 1);
    }
}
