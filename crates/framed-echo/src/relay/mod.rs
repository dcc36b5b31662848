//! The relay: delivers messages to their receivers, and keeps them for those who are away.
//!
//! | a message for | goes to |
//! |---|---|
//! | an id with connections | all of them, each in the order in which the sender sent |
//! | an id without | the inbox, and from there to the next connection under this id, before anything newer |
//!
//! What a sender learns, if it said hello and its message has an id: *delivered* when one connection of the receiver has
//! acknowledged it (a plain receiver cannot; there it means written), *kept* when it is in the inbox, or an error. Until
//! it learns something, it has to keep the message and send it again after a reconnect, as [`Client`](crate::client::Client)
//! does. So nothing is lost when the relay is killed, and a message can arrive twice, with the same sender and id:
//!
//! - the sender sent it again because the relay died before it answered,
//! - the relay died, or the receiver's connection broke, after delivery and before the acknowledgement.
//!
//! Between *plain* clients there are no ids and no acknowledgements: what is in a relay's queues when it is killed is lost.
//!
//! A body longer than [`Config::chunk_bytes`](crate::server::Config::chunk_bytes) passes through in chunks, as fast as the
//! slowest of the receiver's connections takes it. It is not stored, except for a receiver who is away and if it is not
//! longer than 256 KiB.

mod mailbox;

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;
use tracing::warn;

use self::mailbox::{Directory, Mailbox};
use crate::{
    Message,
    control::{Code, MessageId, Outcome, Refusal},
    inbox::{EntryId, Inbox, InboxError, MemoryInbox},
    server::{Copies, Counters, Delivery, Handler, Offered, Peer, Upload},
};

/// The handler of a relay.
///
/// ```
/// use framed_echo::{Message, client::{Client, Event, Sent}, relay::Relay, server::Server};
/// use futures::StreamExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::builder().handler(Relay::in_memory()).bind("127.0.0.1:0").start().await?;
/// let address = server.local_addr().to_string();
/// let (alice, _) = Client::builder(&address).id(1).connect().await?;
/// assert_eq!(alice.send(Message::text(1, 2, "are you there?")).await?, Sent::Kept);
///
/// let (_bob, mut incoming) = Client::builder(&address).id(2).connect().await?;
/// let Some(Event::Message(message)) = incoming.next().await else { panic!("it was kept") };
/// assert_eq!(message.body, "are you there?");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Relay<I> {
    inbox: I,
    directory: Directory,
}

/// Large bodies up to this length are kept for a receiver who is away.
const KEEP_LARGE_BYTES: u32 = 256 * 1024;

/// Messages taken out of the inbox at a time.
const BATCH: usize = 64;

/// How long to wait when the inbox fails before it is asked again.
const INBOX_PAUSE: Duration = Duration::from_secs(1);

impl Relay<MemoryInbox> {
    /// A relay that keeps messages in memory.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(MemoryInbox::new())
    }
}

impl<I: Inbox> Relay<I> {
    /// A relay that keeps messages in this inbox.
    #[must_use]
    pub fn new(inbox: I) -> Self {
        Self {
            inbox,
            directory: Directory::default(),
        }
    }

    /// Delivers a message, or keeps it.
    async fn route(&self, from: &Peer, mut delivery: Delivery) -> Result<(), Refusal> {
        let receiver = delivery.head.receiver;
        let mut is_spilled = false;
        loop {
            if let Some(peers) = self.live_peers(receiver).filter(|_| !is_spilled) {
                match self.deliver(from, &peers, delivery).await {
                    None => return Ok(()),
                    Some(Offered::Spilled(back)) => (delivery, is_spilled) = (back, true),
                    Some(Offered::Closed(back) | Offered::Cut(back)) => delivery = back,
                    Some(Offered::Queued | Offered::QueuedOver(_)) => return Ok(()),
                }
            }
            let mailbox = self.directory.get_or_create(receiver);
            let kept = self.keep(from, &mailbox, &delivery, is_spilled).await;
            self.directory.release(receiver, mailbox);
            if let Some(result) = kept {
                return result;
            }
        }
    }

    fn live_peers(&self, id: u32) -> Option<Arc<[Peer]>> {
        self.directory.get(id)?.live_peers()
    }

    /// Offers a message to all connections of its receiver. Comes back if none has taken it.
    async fn deliver(
        &self,
        from: &Peer,
        peers: &[Peer],
        mut delivery: Delivery,
    ) -> Option<Offered> {
        delivery.copies = (peers.len() > 1).then(|| Arc::new(Copies::new(peers.len())));
        let (mut is_queued, mut last) = (false, None);
        for peer in peers {
            match peer.deliver(delivery.clone()).await {
                Offered::Queued => is_queued = true,
                Offered::QueuedOver(dropped) => {
                    is_queued = true;
                    self.give_up(from, &dropped);
                }
                refused => {
                    if let Offered::Cut(_) = &refused {
                        Counters::add(&from.counters().cut, 1);
                    }
                    // The copies that are queued count without this one.
                    delivery.is_lost();
                    last = Some(refused);
                }
            }
        }
        if is_queued && last.is_some() {
            Counters::add(&from.counters().dropped, 1); // for one of several connections
        }
        last.filter(|_| !is_queued).map(|mut refused| {
            if let Offered::Spilled(back) | Offered::Closed(back) | Offered::Cut(back) =
                &mut refused
            {
                back.copies = None;
            }
            refused
        })
    }

    /// Tells the senders that their messages have made room for newer ones.
    fn give_up(&self, from: &Peer, dropped: &[Delivery]) {
        Counters::add(&from.counters().dropped, dropped.len() as u64);
        for delivery in dropped.iter().filter(|delivery| delivery.is_lost()) {
            self.refuse(delivery, Code::Dropped, "the receiver reads too slowly");
        }
    }

    fn refuse(&self, delivery: &Delivery, code: Code, text: &str) {
        let Some(id) = delivery.head.id else {
            return;
        };
        self.tell(delivery.head.sender, |sender| {
            let mut refusal = Refusal::new(code, text);
            refusal.id = Some(id);
            sender.refuse(refusal);
        });
    }

    fn report(&self, sender: u32, id: MessageId, outcome: Outcome) {
        self.tell(sender, |sender| sender.report(id, outcome));
    }

    fn tell(&self, id: u32, tell: impl Fn(&Peer)) {
        if let Some(mailbox) = self.directory.get(id) {
            mailbox
                .peers()
                .iter()
                .filter(|peer| peer.is_session())
                .for_each(tell);
        }
    }

    /// Puts a message into the inbox; `None` if the receiver can be reached by now.
    async fn keep(
        &self,
        from: &Peer,
        mailbox: &Mailbox,
        delivery: &Delivery,
        is_spilled: bool,
    ) -> Option<Result<(), Refusal>> {
        mailbox.settled().await;
        let _gate = mailbox.gate.lock().await;
        if is_spilled {
            mailbox.set_live(false);
        } else if mailbox.live_peers().is_some() {
            return None;
        }
        let stored = self.store(delivery).await;
        let counters = from.counters();
        let counter = if is_spilled {
            &counters.spilled
        } else {
            &counters.kept
        };
        if stored.is_ok() {
            Counters::add(counter, 1);
            if let Some(id) = delivery.head.id {
                from.report(id, Outcome::Kept);
            }
        }
        // Whoever is there gets it when its queue is empty.
        mailbox.peers().iter().for_each(Peer::notify_when_empty);
        Some(stored)
    }

    async fn store(&self, delivery: &Delivery) -> Result<(), Refusal> {
        let Delivery { head, body, .. } = delivery;
        let message = Message {
            head: *head,
            body: body.clone(),
        };
        self.inbox
            .store(head.receiver, &message)
            .await
            .map_err(|error| {
                let code = match &error {
                    InboxError::Full { .. } => Code::InboxFull,
                    InboxError::Failed(cause) => {
                        warn!(%cause, "inbox failed");
                        Code::InboxFailed
                    }
                };
                Refusal::new(code, error.to_string())
            })
    }

    /// Delivers what is in the inbox, and makes the mailbox live when that is empty.
    async fn catch_up(&self, id: u32, mailbox: &Mailbox, counters: &Counters) {
        let mut cursor = mailbox.cursor.lock().await;
        loop {
            mailbox.settled().await;
            let batch = self.fetch(id, *cursor).await;
            if batch.is_empty() {
                let _gate = mailbox.gate.lock().await;
                if self.fetch(id, *cursor).await.is_empty() {
                    return mailbox.set_live(true);
                }
            }
            for stored in batch {
                let peers = mailbox.peers();
                if peers.is_empty() {
                    return;
                }
                let mut delivery = Delivery::from(stored.message);
                delivery.cookie = stored.entry.0;
                for peer in peers.iter() {
                    peer.deliver_when_room(delivery.clone()).await;
                }
                *cursor = stored.entry; // not before: cancelled up there, this one comes again
                Counters::add(&counters.fetched, 1);
            }
        }
    }

    /// The next messages in the inbox; asks until it answers.
    async fn fetch(&self, id: u32, after: EntryId) -> Vec<crate::inbox::Stored> {
        loop {
            match self.inbox.fetch(id, after, BATCH).await {
                Ok(stored) => return stored,
                Err(error) => warn!(%error, id, "cannot fetch from the inbox"),
            }
            tokio::time::sleep(INBOX_PAUSE).await;
        }
    }

    /// Reads a large message into memory.
    async fn collect(mut upload: Upload) -> Option<Message> {
        let mut body = BytesMut::new();
        while let Some(chunk) = upload.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
        }
        let head = *upload.head();
        Some(Message {
            head,
            body: body.freeze(),
        })
    }
}

impl<I: Inbox> Handler for Relay<I> {
    const REPORTS: bool = true;

    async fn message(&self, peer: &Peer, message: Message) -> Result<(), Refusal> {
        check_sender(peer, message.head.sender)?;
        self.route(peer, message.into()).await
    }

    async fn upload(&self, peer: &Peer, mut upload: Upload) -> Result<(), Refusal> {
        let head = *upload.head();
        check_sender(peer, head.sender)?;
        let peers = match self.directory.get(head.receiver) {
            Some(mailbox) => mailbox.caught_up().await,
            None => Arc::new([]),
        };
        let mut downloads = Vec::new();
        for receiver in peers.iter() {
            downloads.extend(receiver.open(head, upload.len()).await);
        }
        if downloads.is_empty() {
            if upload.len() > KEEP_LARGE_BYTES {
                let text = format!(
                    "{} is away, and {} bytes are too many to keep",
                    head.receiver,
                    upload.len()
                );
                return Err(Refusal::new(Code::Away, text));
            }
            return match Self::collect(upload).await {
                Some(message) => self.route(peer, message.into()).await,
                None => Ok(()), // broken off by its sender, who knows
            };
        }
        while let Ok(Some(chunk)) = upload.chunk().await {
            let mut there = Vec::with_capacity(downloads.len());
            for mut download in downloads {
                if download.write(chunk.clone()).await {
                    there.push(download);
                }
            }
            downloads = there;
            if downloads.is_empty() {
                let text = format!("{} has left in the middle of it", head.receiver);
                return Err(Refusal::new(Code::Away, text));
            }
        }
        Ok(())
    }

    fn joined(&self, peer: &Peer) {
        if let Some(id) = peer.id() {
            self.directory.get_or_create(id).join(peer);
            peer.notify_when_empty();
        }
    }

    async fn empty(&self, peer: &Peer) {
        let Some((id, mailbox)) = peer.id().and_then(|id| Some((id, self.directory.get(id)?)))
        else {
            return;
        };
        if mailbox.live_peers().is_none() {
            self.catch_up(id, &mailbox, peer.counters()).await;
        }
    }

    async fn delivered(&self, peer: &Peer, deliveries: Vec<Delivery>) {
        let cookies = deliveries
            .iter()
            .map(|delivery| delivery.cookie)
            .filter(|cookie| *cookie != 0);
        let entries: Vec<_> = cookies.map(EntryId).collect();
        if let Some(id) = peer.id().filter(|_| !entries.is_empty()) {
            if let Err(error) = self.inbox.remove(id, &entries).await {
                warn!(%error, id, "delivered messages stay in the inbox and will come again");
            }
        }
        for delivery in deliveries {
            // The sender of a kept message has had its answer.
            if let (Some(id), 0, true) = (
                delivery.head.id,
                delivery.cookie,
                delivery.is_first_arrival(),
            ) {
                self.report(delivery.head.sender, id, Outcome::Delivered);
            }
        }
    }

    async fn closed(&self, peer: &Peer, undelivered: Vec<Delivery>) {
        let Some((id, mailbox)) = peer.id().and_then(|id| Some((id, self.directory.get(id)?)))
        else {
            return;
        };
        let mut first_entry = None;
        {
            let _gate = mailbox.gate.lock().await;
            mailbox.set_live(mailbox.live_peers().is_some() && undelivered.is_empty());
            for delivery in undelivered {
                if delivery.cookie != 0 {
                    first_entry = first_entry.or(Some(delivery.cookie)); // still in the inbox
                } else if delivery.is_large {
                    self.refuse(&delivery, Code::Away, "the receiver left before it had all");
                } else if delivery.is_lost() {
                    self.keep_for_later(peer, &delivery).await;
                }
            }
            mailbox.leave(peer);
        }
        let others = mailbox.peers();
        let restart = if others.is_empty() {
            Some(0)
        } else {
            first_entry.map(|entry| entry - 1)
        };
        if let Some(entry) = restart {
            let mut cursor = mailbox.cursor.lock().await;
            *cursor = (*cursor).min(EntryId(entry));
        }
        // If others are connected under this id, they get what is in the inbox now.
        others.iter().for_each(Peer::notify_when_empty);
        self.directory.release(id, mailbox);
    }
}

impl<I: Inbox> Relay<I> {
    /// Puts a message that a broken connection has not delivered into the inbox.
    async fn keep_for_later(&self, peer: &Peer, delivery: &Delivery) {
        let id = delivery.head.id;
        match self.store(delivery).await {
            Ok(()) => {
                Counters::add(&peer.counters().kept, 1);
                if let Some(id) = id {
                    self.report(delivery.head.sender, id, Outcome::Kept);
                }
            }
            Err(refusal) => self.refuse(delivery, refusal.code, &refusal.text),
        }
    }
}

fn check_sender(peer: &Peer, sender: u32) -> Result<(), Refusal> {
    if peer.id() == Some(sender) {
        return Ok(());
    }
    let text = format!("sender {sender} is not the id of this connection");
    Err(Refusal::new(Code::NotYourId, text))
}
