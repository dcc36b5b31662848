//! The task behind a client: owns the connection, and gets another when it breaks.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    io,
    pin::pin,
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info};

use super::{
    Config, Unsent,
    connect::Connector,
    connection::Connection,
    deliveries::Deliveries,
    incoming::{Acks, Arrived},
    link::Link,
    outgoing::{Command, Outgoing},
    wire::Wire,
};
use crate::{Message, control::MessageId};

pub(super) struct Driver {
    pub(super) config: Config,
    pub(super) connector: Connector,
    pub(super) commands: mpsc::Receiver<Command>,
    /// No handle is left, and no command will come.
    pub(super) is_finishing: bool,
    pub(super) deliveries: Deliveries,
    pub(super) acks: Arc<Acks>,
    pub(super) id: u32,
    pub(super) last_message: u64,
    pub(super) link: u64,
    /// Not written yet, oldest first.
    pub(super) unsent: VecDeque<Outgoing>,
    /// Written after a hello and not acknowledged, by id.
    pub(super) pending: BTreeMap<u64, Outgoing>,
    /// Requests whose answer is outstanding, by id; after a hello only.
    pub(super) requests: HashMap<u64, oneshot::Sender<Message>>,
}

/// How a connection ended.
enum End {
    /// As it was meant to.
    Closed,
    Broken(io::Error),
}

impl Driver {
    pub(super) fn new(
        config: Config,
        connector: Connector,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Arrived>,
        acks: Arc<Acks>,
        id: u32,
    ) -> Self {
        Self {
            config,
            connector,
            commands,
            is_finishing: false,
            deliveries: Deliveries {
                events,
                waiting: VecDeque::new(),
            },
            acks,
            id,
            last_message: 0,
            link: 0,
            unsent: VecDeque::new(),
            pending: BTreeMap::new(),
            requests: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self, mut link: Link) {
        loop {
            self.link += 1;
            let end = self.drive(link).await;
            match end {
                End::Closed => break,
                End::Broken(error) => debug!(%error, "connection lost"),
            }
            self.deliveries.disconnected();
            let Some(next) = self.reconnect().await else {
                break;
            };
            link = next;
            info!("reconnected");
            self.deliveries.reconnected();
        }
        self.commands.close();
        for outgoing in self.unsent.drain(..) {
            outgoing.give_back(false);
        }
        while let Some(command) = self.commands.recv().await {
            command.outgoing.give_back(false);
        }
        self.requests.clear();
        while !self.deliveries.waiting.is_empty() {
            self.deliveries.pass_on().await;
        }
    }

    async fn reconnect(&mut self) -> Option<Link> {
        let backoff = self.config.backoff.clone()?;
        let mut config = self.config.clone();
        config.id = self.id; // also if the server chose it
        for attempt in 0.. {
            let wait = backoff.wait(attempt)?;
            self.wait(tokio::time::sleep(wait)).await;
            if self.is_finishing && self.unsent.is_empty() {
                return None;
            }
            let link = self.connector.link(&config);
            match self.wait(link).await {
                Ok(link) => return Some(link),
                Err(error) => debug!(%error, attempt, "cannot reconnect"),
            }
        }
        None
    }

    /// Waits while there is no connection: what has been received is passed on, and what is to be sent is given back if
    /// that is how it was set up.
    async fn wait<T>(&mut self, until: impl Future<Output = T>) -> T {
        let gives_back = self.config.unsent == Unsent::GiveBack;
        let mut until = pin!(until);
        loop {
            tokio::select! {
                output = &mut until => return output,
                () = self.deliveries.pass_on(), if !self.deliveries.waiting.is_empty() => {}
                command = self.commands.recv(), if gives_back && !self.is_finishing => match command {
                    Some(command) => command.outgoing.give_back(false),
                    None => self.is_finishing = true,
                },
            }
        }
    }

    /// Serves one connection to its end, and sorts out what it leaves.
    async fn drive(&mut self, link: Link) -> End {
        let patience = link.patience();
        let Link {
            io,
            codec,
            buffer,
            welcome,
            ..
        } = link;
        let (read, write) = tokio::io::split(io);
        let mut wire = Wire::default();
        let mut connection = Connection {
            driver: self,
            wire: &mut wire,
            welcome: welcome.as_ref(),
            codec,
            buffer,
            is_leaving: false,
        };
        let end = match connection.run(read, write, patience).await {
            Ok(()) => End::Closed,
            Err(error) => End::Broken(error),
        };
        self.sort_out(wire);
        match end {
            End::Closed if !self.is_finishing || !self.unsent.is_empty() => {
                End::Broken(io::ErrorKind::UnexpectedEof.into())
            }
            end => end,
        }
    }

    /// Decides what becomes of messages whose outcome the connection has taken with it.
    fn sort_out(&mut self, wire: Wire) {
        let marked = wire.marks.into_iter().map(|(_, outgoing)| outgoing);
        let streaming = wire
            .uploads
            .into_iter()
            .filter_map(|upload| upload.outgoing);
        let pending = std::mem::take(&mut self.pending).into_values();
        let under_way: Vec<_> = pending.chain(marked).chain(streaming).collect();
        for outgoing in under_way.into_iter().rev() {
            if self.config.unsent == Unsent::GiveBack || outgoing.is_stream {
                outgoing.give_back(true);
            } else {
                self.unsent.push_front(outgoing);
            }
        }
        if self.config.unsent == Unsent::GiveBack {
            for outgoing in self.unsent.drain(..) {
                outgoing.give_back(false);
            }
        }
        // Whoever waits for an answer to a message that is sent again goes on waiting.
        let again: HashSet<u64> = self.unsent.iter().map(|outgoing| outgoing.id).collect();
        self.requests.retain(|id, _| again.contains(id));
    }

    pub(super) fn accept(
        &mut self,
        Command {
            mut outgoing,
            answer,
        }: Command,
    ) {
        self.last_message += 1;
        outgoing.id = self.last_message;
        if !self.config.plain {
            outgoing.message.head.id = MessageId::new(outgoing.id);
        }
        outgoing.answer = answer;
        self.unsent.push_back(outgoing);
    }
}
