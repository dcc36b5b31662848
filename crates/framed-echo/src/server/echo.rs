//! The smallest handler: everything goes back to where it came from.

use super::{Answers, Handler, Peer, Upload};
use crate::{Head, Message, control::Refusal};

/// Sends every message back to its sender, large ones chunk by chunk as they arrive.
///
/// A client that said hello finds the id of its message in the echo's `re`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Handler for Echo {
    const ANSWERS_AT_ONCE: bool = true;

    async fn message(&self, peer: &Peer, mut message: Message) -> Result<(), Refusal> {
        message.head.re = message.head.id.take();
        peer.send(message).await
    }

    fn at_once(&self, _: &Peer, head: &Head, body: &[u8], answers: &mut Answers) -> bool {
        answers.send(head.sender, head.kind, body);
        true
    }

    async fn upload(&self, peer: &Peer, mut upload: Upload) -> Result<(), Refusal> {
        let mut head = *upload.head();
        head.re = head.id.take();
        let Some(mut echo) = peer.open(head, upload.len()).await else {
            return Ok(()); // nobody is left to echo to
        };
        // An upload that ends early ends the echo too, when `echo` is dropped.
        while let Ok(Some(chunk)) = upload.chunk().await {
            if !echo.write(chunk).await {
                break;
            }
        }
        Ok(())
    }
}
