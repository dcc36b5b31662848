//! What is known to have arrived, and what is not.

use super::{super::handler::Delivery, Entry, Outbox, body::BODY_TAG};

impl Outbox {
    /// Everything filled so far has been written: for a plain peer, the most one can know.
    pub(crate) fn settle_written(&self) -> Vec<Delivery> {
        if !self.is_tracked {
            return Vec::new();
        }
        let mut state = self.state();
        if state.session || state.unsettled.is_empty() {
            return Vec::new();
        }
        state.unsettled_bytes = 0;
        state
            .unsettled
            .drain(..)
            .filter(Delivery::is_reported)
            .collect()
    }

    /// The peer has handled everything up to this tag, or the one large body with this tag.
    pub(crate) fn settle(&self, tag: u64) -> Vec<Delivery> {
        let mut state = self.state();
        if tag >= BODY_TAG {
            let at = state
                .unsettled_bodies
                .iter()
                .position(|(number, _)| *number == tag);
            let body = at.and_then(|at| state.unsettled_bodies.remove(at));
            return body.into_iter().map(|(_, delivery)| delivery).collect();
        }
        let mut settled = Vec::new();
        while state.first_tag <= tag {
            let Some(delivery) = state.unsettled.pop_front() else {
                break;
            };
            state.first_tag += 1;
            state.unsettled_bytes -= delivery.body.len();
            if delivery.is_reported() {
                settled.push(delivery);
            }
        }
        drop(state);
        self.writer.wake();
        settled
    }

    /// Closes it, and gives back all that is not known to have arrived, oldest first.
    pub(crate) fn take_undelivered(&self) -> Vec<Delivery> {
        self.close();
        let mut state = self.state();
        let bodies = std::mem::take(&mut state.unsettled_bodies);
        let mut undelivered: Vec<_> = bodies.into_iter().map(|(_, delivery)| delivery).collect();
        undelivered.extend(
            std::mem::take(&mut state.bodies)
                .into_values()
                .filter_map(|body| body.delivery),
        );
        undelivered.extend(std::mem::take(&mut state.unsettled));
        for entry in std::mem::take(&mut state.queue) {
            if let Entry::Message(delivery) = entry {
                undelivered.push(delivery);
            }
        }
        undelivered
    }
}
