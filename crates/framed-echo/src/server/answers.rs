//! Answers that are given without a future.

use crate::{Kind, ReplyHeader, output::Output};

/// Where [`Handler::at_once`](super::Handler::at_once) puts its answers: into the output of the connection that it
/// answers, behind all that is there.
#[derive(Debug)]
pub struct Answers {
    pub(super) output: Output,
    /// Bytes that may be in the output before somebody has to wait.
    pub(super) room: usize,
}

impl Answers {
    /// Appends a message to the peer, in the reply form.
    ///
    /// # Panics
    ///
    /// If the body is longer than a frame can say, 2^32 - 1 bytes.
    pub fn send(&mut self, sender: u32, kind: Kind, body: &[u8]) {
        let len = u32::try_from(body.len()).expect("a body fits into a frame");
        self.output.frame(ReplyHeader { sender, kind }, len, body);
    }

    pub(super) fn has_room(&self) -> bool {
        self.output.len() < self.room
    }
}
