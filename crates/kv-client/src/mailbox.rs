//! Where the driver leaves what a subscription is to have: bounded, with marks where messages may be missing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::pubsub::{Event, Gap, Message, Overflow};

/// Where the driver leaves events for one subscription.
#[derive(Debug)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    capacity: usize,
    overflow: Overflow,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Event>,
    /// Messages thrown away since the last [`Gap::Overflow`].
    lost: u64,
    /// How many of the events are messages.
    messages: usize,
    /// Topics that were lost with their connection and have not been renewed yet.
    broken: usize,
    /// The number of the request that renewed some of them last.
    renewed_by: u64,
    /// Topics that the server has not confirmed since the subscription was asked for.
    unconfirmed: usize,
    refusal: Option<Error>,
    ended: bool,
    abandoned: bool,
    waker: Option<Waker>,
}

impl Mailbox {
    /// For so many messages at most, of so many topics that the server is to confirm.
    pub(crate) fn new(topics: usize, capacity: usize, overflow: Overflow) -> Self {
        let inner = Inner {
            unconfirmed: topics,
            ..Inner::default()
        };
        Self {
            inner: Mutex::new(inner),
            capacity,
            overflow,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn poll_confirmed(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        let mut inner = self.lock();
        if let Some(refusal) = inner.refusal.take() {
            return Poll::Ready(Err(refusal));
        }
        if inner.unconfirmed == 0 {
            return Poll::Ready(Ok(()));
        }
        if inner.ended {
            return Poll::Ready(Err(Error::new(ErrorKind::Closed, Outcome::NotSent)));
        }
        inner.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut inner = self.lock();
        let drops_oldest = self.overflow == Overflow::DropOldest;
        // What was thrown away came before what is left, or after it.
        if inner.lost > 0 && (drops_oldest || inner.events.is_empty()) {
            let lost = std::mem::take(&mut inner.lost);
            return Poll::Ready(Some(Event::Gap(Gap::Overflow { lost })));
        }
        if let Some(event) = inner.events.pop_front() {
            inner.messages -= usize::from(matches!(event, Event::Message(_)));
            return Poll::Ready(Some(event));
        }
        if inner.ended {
            return Poll::Ready(None);
        }
        match &mut inner.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            waker => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn update(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        change(&mut inner);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn deliver(&self, message: Message) {
        self.update(|inner| {
            if inner.ended {
                return;
            }
            if inner.messages < self.capacity {
                // After messages that were thrown away, the gap has to come first.
                if inner.lost > 0 && self.overflow == Overflow::DropNewest {
                    let lost = std::mem::take(&mut inner.lost);
                    inner.events.push_back(Event::Gap(Gap::Overflow { lost }));
                }
                inner.messages += 1;
                inner.events.push_back(Event::Message(message));
                return;
            }
            inner.lost += 1;
            match self.overflow {
                Overflow::DropOldest => {
                    inner.drop_oldest();
                    inner.events.push_back(Event::Message(message));
                }
                Overflow::DropNewest => {}
                Overflow::End => inner.ended = true,
            }
        });
    }

    /// One of its topics is subscribed to, for the first time or again, by the request with this number.
    pub(crate) fn confirm(&self, number: u64) {
        self.update(|inner| {
            if inner.unconfirmed > 0 {
                inner.unconfirmed -= 1;
            } else if inner.broken > 0 {
                inner.broken -= 1;
                // All topics of a request are subscribed to at the same moment; those of another one are another gap.
                if std::mem::replace(&mut inner.renewed_by, number) != number {
                    inner.mark_gap();
                }
            }
        });
    }

    /// One of its topics is lost, and will be renewed. `was_confirmed`: the server had confirmed it.
    pub(crate) fn displaced(&self, was_confirmed: bool) {
        if !was_confirmed {
            return; // it is counted already
        }
        let mut inner = self.lock();
        if inner.unconfirmed > 0 {
            inner.unconfirmed += 1;
        } else {
            inner.broken += 1;
        }
    }

    pub(crate) fn refuse(&self, error: &Error) {
        self.update(|inner| {
            if inner.unconfirmed > 0 {
                inner.refusal = Some(error.clone());
            } else {
                inner.events.push_back(Event::Refused(error.clone()));
            }
            inner.ended = true;
        });
    }

    /// As [`refuse`](Self::refuse), of a subscription that is not complete yet.
    pub(crate) fn refuse_unconfirmed(&self, error: &Error) {
        self.update(|inner| {
            if inner.unconfirmed > 0 {
                // It was the connection that was refused: the subscription was never sent.
                let refusal = Error::new(error.kind().clone(), Outcome::NotSent);
                inner.refusal = Some(refusal);
                inner.ended = true;
            }
        });
    }

    pub(crate) fn end(&self) {
        self.update(|inner| inner.ended = true);
    }

    /// Nobody will look into it any more.
    pub(crate) fn abandon(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        inner.abandoned = true;
        inner.events = VecDeque::new();
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }
}

impl Inner {
    /// Throws a message away; what marks a gap stays.
    fn drop_oldest(&mut self) {
        let is_message = |event: &Event| matches!(event, Event::Message(_));
        let Some(oldest) = self.events.iter().position(is_message) else {
            return;
        };
        self.events.remove(oldest);
        // Two gaps with nothing in between are one.
        let between = oldest.checked_sub(1).zip(self.events.get(oldest));
        if between.is_some_and(|(_, next)| matches!(next, Event::Gap(Gap::Reconnected))) {
            self.events.remove(oldest);
        }
    }

    fn mark_gap(&mut self) {
        let marked = matches!(self.events.back(), Some(Event::Gap(Gap::Reconnected)));
        if !marked && !self.ended {
            self.events.push_back(Event::Gap(Gap::Reconnected));
        }
    }
}
