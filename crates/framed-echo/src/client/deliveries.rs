//! What a client has received and its application has not taken.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::incoming::{Arrived, Event, Receipt};

/// What has been received and not been taken by the application. While anything is here, nothing more is read.
pub(super) struct Deliveries {
    pub(super) events: mpsc::Sender<Arrived>,
    pub(super) waiting: VecDeque<Waiting>,
}

pub(super) enum Waiting {
    Event(Arrived),
    Chunk(mpsc::Sender<Bytes>, Bytes),
}

impl Deliveries {
    pub(super) fn event(&mut self, event: Event, receipt: Option<Receipt>) {
        self.waiting
            .push_back(Waiting::Event(Arrived { event, receipt }));
    }

    pub(super) fn disconnected(&mut self) {
        // An application that does not look is told once, however often it happens.
        let last = self.waiting.back();
        if matches!(
            last,
            Some(Waiting::Event(Arrived {
                event: Event::Reconnected,
                ..
            }))
        ) {
            self.waiting.pop_back();
        } else {
            self.event(Event::Disconnected, None);
        }
    }

    pub(super) fn reconnected(&mut self) {
        self.event(Event::Reconnected, None);
    }

    /// Passes one thing on, as soon as the application takes it. Cancel safe.
    pub(super) async fn pass_on(&mut self) {
        match self.waiting.front() {
            Some(Waiting::Event(_)) => {
                let permit = self.events.reserve().await;
                if let Some(Waiting::Event(arrived)) = self.waiting.pop_front() {
                    if let Ok(permit) = permit {
                        permit.send(arrived);
                    }
                }
            }
            Some(Waiting::Chunk(chunks, _)) => {
                let permit = chunks.clone().reserve_owned().await;
                if let Some(Waiting::Chunk(_, bytes)) = self.waiting.pop_front() {
                    if let Ok(permit) = permit {
                        permit.send(bytes);
                    }
                }
            }
            None => {}
        }
    }
}
