//! A [`Pipeline`](super::Pipeline) or [`Transaction`](super::Transaction) on its way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::batch::{Batch, Replies};
use crate::error::Result;

/// A running [`Pipeline`](super::Pipeline) or [`Transaction`](super::Transaction).
///
/// It does not say that `B` outlives `'a`. The compiler could not check that of a batch in a task: it knows the lifetimes
/// in there as different ones only, and would find `Batch` "not general enough".
#[must_use = "futures do nothing until they are polled"]
pub struct BatchFuture<'a, B: Batch> {
    sent: Pin<Box<dyn Future<Output = Result<Replies>> + Send + 'a>>,
    /// `None` once it is ready.
    decoders: Option<B::Decoders>,
}

impl<'a, B: Batch> BatchFuture<'a, B> {
    pub(super) fn new(
        decoders: B::Decoders,
        sent: impl Future<Output = Result<Replies>> + Send + 'a,
    ) -> Self {
        Self {
            sent: Box::pin(sent),
            decoders: Some(decoders),
        }
    }
}

impl<B: Batch> Future for BatchFuture<'_, B> {
    type Output = Result<B::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let replies = ready!(self.sent.as_mut().poll(cx));
        let Some(decoders) = self.decoders.take() else {
            panic!("polled again after it was ready")
        };
        Poll::Ready(replies.and_then(|mut replies| B::all(decoders, &mut replies)))
    }
}

impl<B: Batch> fmt::Debug for BatchFuture<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchFuture").finish_non_exhaustive()
    }
}
