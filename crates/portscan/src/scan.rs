//! The running scan as a stream.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::Stream;

use crate::{Checkpoint, Event, Progress, Report, engine::Engine};

/// A running scan: a stream of its [`Event`]s.
///
/// It runs while it is polled, in the task that polls it. A consumer that stops polling pauses it: nothing more is sent, and
/// what silence meant in the meantime is asked again. Dropping it ends it at once and closes its sockets.
///
/// # Cancel safety
///
/// `next().await` may be dropped at any point: no event is lost.
#[derive(Debug)]
#[must_use = "a scan does nothing unless polled"]
pub struct Scan {
    engine: Engine,
    /// What its reports begin as.
    blank: Box<Report>,
    ended: bool,
}

impl Scan {
    pub(crate) fn new(engine: Engine, blank: Report) -> Self {
        Self {
            engine,
            blank: Box::new(blank),
            ended: false,
        }
    }

    /// An empty report with the head of this scan, to [record](Report::record) its events in.
    #[must_use]
    pub fn report(&self) -> Report {
        (*self.blank).clone()
    }

    /// How far the scan is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.engine.progress()
    }

    /// Ends the scan: nothing more is sent, and after the events that are already there the stream ends.
    pub fn stop(&mut self) {
        self.engine.stop();
    }

    /// The state from which [`Scanner::resume`](crate::Scanner::resume) goes on. Events that were not yet taken from the stream are part of it, so it can be
    /// taken at any time, also after the end.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        self.engine.checkpoint()
    }
}

impl Stream for Scan {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let event = ready!(self.engine.poll_event(cx));
        if event.is_none() && !self.ended {
            self.ended = true;
            self.blank.scan_info().audit_end(&self.engine.progress());
        }
        Poll::Ready(event)
    }
}
