//! The one lock: a mutex that a future can wait for, and that spins for a moment first.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

/// Attempts before a future gives its thread back: a batch of commands takes a few microseconds, a switch of tasks as long.
const SPINS: u32 = 100;

/// A mutex for a few microseconds of work, never held across an `.await`.
///
/// Waiters are woken in order of arrival; a woken waiter competes with newcomers, so nobody is handed a lock it cannot use yet.
pub(crate) struct Lock<T> {
    value: Mutex<T>,
    waiters: Mutex<VecDeque<Waker>>,
    /// `waiters.len()`, readable without taking that mutex.
    waiting: AtomicUsize,
}

pub(crate) struct Guard<'a, T> {
    /// `None` only while the guard is being dropped.
    guard: Option<MutexGuard<'a, T>>,
    lock: &'a Lock<T>,
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            waiters: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Takes the lock, or leaves a waker and returns `Pending`.
    pub(crate) fn poll_lock(&self, cx: &mut Context<'_>) -> Poll<Guard<'_, T>> {
        for _ in 0..SPINS {
            if let Some(guard) = self.try_lock() {
                return Poll::Ready(guard);
            }
            std::hint::spin_loop();
        }
        {
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            waiters.push_back(cx.waker().clone());
            self.waiting.store(waiters.len(), Ordering::SeqCst);
        }
        // The holder may have let go before it could see the waker.
        match self.try_lock() {
            Some(guard) => {
                self.forget(cx.waker());
                Poll::Ready(guard)
            }
            None => Poll::Pending,
        }
    }

    /// Takes back a waker that is not needed any more; left in the queue it would swallow another waiter's turn.
    fn forget(&self, waker: &Waker) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.retain(|waiting| !waiting.will_wake(waker));
        self.waiting.store(waiters.len(), Ordering::SeqCst);
    }

    /// Blocks the thread; for callers outside of a connection.
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

    fn wake_one(&self) {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return;
        }
        let waker = {
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            let waker = waiters.pop_front();
            self.waiting.store(waiters.len(), Ordering::SeqCst);
            waker
        };
        if let Some(waker) = waker {
            waker.wake();
        }
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
    use std::future::poll_fn;
    use std::sync::Arc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn every_waiter_gets_its_turn() {
        let lock = Arc::new(Lock::new(0u64));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let lock = lock.clone();
                tokio::spawn(async move {
                    for _ in 0..2_000 {
                        poll_fn(|cx| lock.poll_lock(cx).map(|mut n| *n += 1)).await;
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
    fn a_waiter_is_woken_when_the_lock_is_let_go() {
        let lock = Lock::new(());
        let mut waiter = tokio_test_waker::counting();
        let held = lock.lock();
        assert!(lock.poll_lock(&mut waiter.context()).is_pending());
        assert_eq!(waiter.wakes(), 0);
        drop(held);
        assert_eq!(waiter.wakes(), 1);
    }

    /// A waker that counts.
    mod tokio_test_waker {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::task::{Context, Wake, Waker};

        struct Count(AtomicUsize);

        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }

        pub(super) struct Counting(Arc<Count>, Waker);

        pub(super) fn counting() -> Counting {
            let count = Arc::new(Count(AtomicUsize::new(0)));
            Counting(count.clone(), Waker::from(count))
        }

        impl Counting {
            pub(super) fn context(&mut self) -> Context<'_> {
                Context::from_waker(&self.1)
            }

            pub(super) fn wakes(&self) -> usize {
                self.0.0.load(Ordering::SeqCst)
            }
        }
    }
}
