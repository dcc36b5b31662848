//! One command, or one transaction, on its way through a cluster.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::cache::fetch;
use crate::class::Class;
use crate::cluster::Cluster;
use crate::cluster::journey::Journey;
use crate::cluster::map::Addr;
use crate::cluster::refresh::is_final;
use crate::cluster::route::{Route, common_slot, route};
use crate::cluster::send::{Around, carry, send};
use crate::cluster::verdict::{Verdict, judge};
use crate::command::Settings;
use crate::config::ReadFrom;
use crate::connection::backoff::random;
use crate::connection::exchange::{Again, Requests};
use crate::connection::lanes::Lanes;
use crate::connection::link::{Answer, Failure, TimeLimit};
use crate::connection::node::{Node, locked};
use crate::error::{Error, ErrorKind, Outcome, Phase, ServerError};
use crate::reply::Reply;
use crate::request::Request;
use crate::table::row;

/// How often a request is sent on by nodes that disagree about a slot.
pub(super) const MAX_HOPS: u32 = 16;
/// After so many, and so many more, it waits a while: nodes that send it to each other need time to agree.
const HOPS_AT_ONCE: u32 = 4;

/// What is next for a request.
pub(super) enum Next {
    Done(Result<Reply, Failure>),
    /// It goes on at once.
    Go,
    /// It is to wait for a better map. If there is no time, this is the result.
    Wait(Result<Reply, Failure>),
}

impl Cluster {
    /// Runs one command; if `cached`, from a store if that has its reply.
    pub(crate) async fn run(
        &self,
        request: Request,
        limit: TimeLimit,
        again: Again,
        settings: Settings,
        cached: bool,
    ) -> Result<Reply, Failure> {
        let limit = limit.started(Instant::now());
        let slot = match route(&request).map_err(not_sent)? {
            Route::Slot(slot) => Some(slot),
            Route::Any => None,
            Route::Split(_) | Route::Everywhere(_) => {
                let mut results = self
                    .run_batch(
                        vec![(request, settings.read_from)],
                        limit,
                        again,
                        settings.bulk,
                    )
                    .await;
                return results.swap_remove(0);
            }
        };
        let mut journey = Journey::of(&request, slot, again).reading(
            request.class(),
            settings.read_from,
            self.config.read_from,
        );
        let mut waiting = None;
        loop {
            let next = match self.destination(&journey) {
                None => Next::Wait(Err(self.no_node(journey.slot))),
                Some((addr, node)) => {
                    let around = journey.around();
                    let answer = if cached && around == Around::Nothing {
                        fetch(&node, &request, limit, Again::NEVER).await
                    } else {
                        send(&node, &request, around, limit, settings.bulk).await
                    };
                    self.consider(&mut journey, &addr, answer)
                }
            };
            match next {
                Next::Done(result) => return result,
                Next::Go => {}
                Next::Wait(result) => {
                    let limit = *waiting.get_or_insert_with(|| self.limit_of_wait(&request, limit));
                    if !self.wait(journey.waits, limit).await {
                        return journey.all_attempts(self.out_of_time(result, limit));
                    }
                    journey.waits += 1;
                }
            }
        }
    }

    /// Runs MULTI, the commands and EXEC, which stand in `requests`; the replies to all of them.
    pub(crate) async fn run_transaction(
        &self,
        requests: Requests<Request>,
        limit: TimeLimit,
        again: Again,
        bulk: Option<bool>,
    ) -> Result<Answer, Failure> {
        let limit = limit.started(Instant::now());
        let slot = common_slot(requests.list.iter()).map_err(not_sent)?;
        let mut journey = Journey::new(slot, again);
        let asking = Request::of(row!("ASKING"));
        loop {
            let next = match self.destination(&journey) {
                None => Next::Wait(Err(self.no_node(journey.slot))),
                Some((addr, node)) => {
                    let ask = journey.sent_on.as_ref().is_some_and(|(_, ask)| *ask);
                    let list: Vec<&Request> = ask
                        .then_some(&asking)
                        .into_iter()
                        .chain(&requests.list)
                        .collect();
                    let freight = Requests { list, atomic: true };
                    let mut answer = carry(&node, freight, Class::Write, limit, bulk).await;
                    if let (
                        Ok(Answer::Many {
                            replies,
                            executed_maybe,
                            ..
                        }),
                        true,
                    ) = (&mut answer, ask)
                    {
                        replies.drain(..replies.len().min(1));
                        *executed_maybe = executed_maybe.saturating_sub(1);
                    }
                    match self.consider(
                        &mut journey,
                        &addr,
                        of_transaction(&answer, requests.list.len()),
                    ) {
                        Next::Done(Err(failure)) if journey.earlier => return Err(failure),
                        Next::Done(_) => return answer,
                        next => next,
                    }
                }
            };
            if let Next::Wait(result) = next {
                if !self.wait(journey.waits, limit).await {
                    let result = journey.all_attempts(self.out_of_time(result, limit));
                    return result.map(|reply| Answer::Many {
                        replies: vec![reply; requests.list.len()],
                        failure: None,
                        executed_maybe: 0,
                        earlier: 0,
                    });
                }
                journey.waits += 1;
            }
        }
    }

    /// What is next after `addr` gave this answer.
    pub(super) fn consider(
        &self,
        journey: &mut Journey,
        addr: &Addr,
        answer: Result<Reply, Failure>,
    ) -> Next {
        // Whatever ASK said held for one attempt only.
        journey.sent_on = None;
        let sent = |failure: &Failure| failure.outcome == Outcome::MaybeExecuted;
        let said = match &answer {
            Ok(reply @ Reply::Error(_)) => reply.clone(),
            _ => Reply::Null,
        };
        let may_have_run = answer.as_ref().is_err_and(sent);
        let says_so_itself = |error: &ServerError| journey.is_script && !error.refuses_script();
        let verdict = match answer {
            Ok(Reply::Error(error)) if says_so_itself(&error) => {
                Verdict::Done(Ok(Reply::Error(error)))
            }
            answer => judge(answer, addr, &mut journey.again),
        };
        match verdict {
            Verdict::Done(result) => {
                if matches!(&result, Err(failure) if matches!(failure.kind, ErrorKind::Lost { .. }))
                {
                    self.wish.notify_one();
                }
                Next::Done(journey.all_attempts(result))
            }
            Verdict::Moved(slot, to) => {
                self.moved(slot, &to);
                self.send_on(journey, to, false, said)
            }
            Verdict::Ask(to) => {
                self.count_redirect();
                self.send_on(journey, to, true, said)
            }
            Verdict::Later(result) => {
                self.retries.fetch_add(1, Ordering::Relaxed);
                self.wish.notify_one();
                journey.earlier |= may_have_run;
                Next::Wait(result)
            }
        }
    }

    /// `said` is the reply that sends it on.
    fn send_on(&self, journey: &mut Journey, to: Addr, ask: bool, said: Reply) -> Next {
        journey.hops += 1;
        if journey.hops > MAX_HOPS {
            let kind = ErrorKind::TooManyRedirects { hops: MAX_HOPS };
            let failure = Failure {
                kind,
                outcome: Outcome::Rejected,
                deadline: None,
            };
            return Next::Done(journey.all_attempts(Err(failure)));
        }
        journey.sent_on = Some((to, ask));
        if journey.hops % HOPS_AT_ONCE == 0 {
            return Next::Wait(Ok(said));
        }
        Next::Go
    }

    /// The node that a request goes to now; `None` if nobody serves its slot.
    pub(super) fn destination(&self, journey: &Journey) -> Option<(Addr, Arc<Node>)> {
        if let Some((addr, _)) = &journey.sent_on {
            return Some((addr.clone(), self.node(addr)));
        }
        let map = self.map();
        let addr = match journey.slot {
            None => return self.any_node(),
            Some(slot) => {
                let shard = map.shard(slot)?;
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                // A replica that could not serve it is not asked a second time.
                match journey.reads_from {
                    _ if journey.waits > 0 => &shard.primary,
                    ReadFrom::Primary => &shard.primary,
                    ReadFrom::Replica if shard.replicas.is_empty() => &shard.primary,
                    ReadFrom::Replica => &shard.replicas[turn % shard.replicas.len()],
                    ReadFrom::Any => match turn % (shard.replicas.len() + 1) {
                        0 => &shard.primary,
                        replica => &shard.replicas[replica - 1],
                    },
                }
            }
        };
        Some((addr.clone(), self.node(addr)))
    }

    /// A primary, one that is connected if there is one; another one each time.
    pub(super) fn any_node(&self) -> Option<(Addr, Arc<Node>)> {
        let map = self.map();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let nodes = locked(&self.nodes);
        let connected: Vec<_> = map
            .shards
            .iter()
            .filter_map(|shard| nodes.get_key_value(&shard.primary))
            .filter(|(_, node)| node.link.lock().status.connected)
            .collect();
        if let Some(&(addr, node)) = connected.get(turn % connected.len().max(1)) {
            return Some((addr.clone(), Arc::clone(node)));
        }
        drop(nodes);
        let addr = &map.shards.get(turn % map.shards.len().max(1))?.primary;
        Some((addr.clone(), self.node(addr)))
    }

    /// How long a request waits for a better map. One that blocks has its limit from its lane, where it is not yet: without
    /// a node to go to it waits no longer than it would there.
    fn limit_of_wait(&self, request: &Request, limit: TimeLimit) -> TimeLimit {
        if limit.timeout.is_some() {
            return limit;
        }
        let timeout = Lanes::longest(&self.config, request);
        let limit = TimeLimit {
            timeout,
            deadline: None,
        };
        limit.started(Instant::now())
    }

    /// Waits until there is a map at all, within `limit`.
    pub(super) async fn wait_for_map(&self, limit: TimeLimit) -> Result<(), Failure> {
        let mut waits = 0;
        while self.map().shards.is_empty() {
            if !self.wait(waits, limit).await {
                let failure = self.no_node(None);
                return self.out_of_time(Err(failure), limit).map(|_| ());
            }
            waits += 1;
        }
        Ok(())
    }

    /// Wishes for a better map and waits for it, a little longer each time. `false` if the time is over, or the client closed.
    pub(super) async fn wait(&self, waits: u32, limit: TimeLimit) -> bool {
        let mut changes = self.map.subscribe();
        self.wish.notify_one();
        let longest = self
            .config
            .backoff
            .delay(waits.min(20) + 1, random(u64::from(waits)));
        // Maps come as often as they are wished for; a pause keeps that from becoming a busy loop.
        let pause = longest.min(Duration::from_millis(10));
        let now = Instant::now();
        let end = |after: Duration| {
            limit
                .deadline
                .map_or(now + after, |end| end.min(now + after))
        };
        tokio::time::sleep_until(end(pause)).await;
        let _ = timeout_at(
            end(longest.min(Duration::from_millis(500))),
            changes.changed(),
        )
        .await;
        !self.is_closed()
            && self.hopeless().is_none()
            && limit
                .deadline
                .is_none_or(|deadline| Instant::now() < deadline)
    }

    /// Why waiting for a map would not help: nobody has given one yet, and all that were asked said that they never will.
    fn hopeless(&self) -> Option<Error> {
        if !self.map().shards.is_empty() {
            return None;
        }
        locked(&self.no_map).clone().filter(is_final)
    }

    /// The node of the one slot that a request is about, as soon as there is one.
    pub(crate) async fn home_of(&self, request: &Request) -> Result<Arc<Node>, Error> {
        let failed = |kind| Error::new(kind, Outcome::NotSent).of(request.clone_name());
        let slot = common_slot(std::iter::once(request)).map_err(failed)?;
        let limit = TimeLimit {
            timeout: self.config.command_timeout,
            deadline: None,
        };
        let limit = limit.started(Instant::now());
        let mut journey = Journey::new(slot, Again::NEVER);
        loop {
            if let Some((_, node)) = self.destination(&journey) {
                return Ok(node);
            }
            if !self.wait(journey.waits, limit).await {
                let failure = match self.out_of_time(Err(self.no_node(slot)), limit) {
                    Err(failure) => failure,
                    Ok(_) => self.no_node(slot),
                };
                return Err(failed(failure.kind));
            }
            journey.waits += 1;
        }
    }

    /// Learns from an error that was given to the caller.
    pub(crate) fn heed(&self, error: &Error) {
        if let Some(error) = error.server_error() {
            let mut again = Again::NEVER;
            // Without a host in it there is nothing to learn; the refresh that follows knows more.
            let nowhere = Addr::new("", 0);
            if let Verdict::Moved(slot, to) =
                judge(Ok(Reply::Error(error.clone())), &nowhere, &mut again)
            {
                if !to.host.is_empty() {
                    self.moved(slot, &to);
                }
            }
        }
        self.wish.notify_one();
    }

    /// There is nobody to send a request to, as far as the map says.
    pub(super) fn no_node(&self, slot: Option<u16>) -> Failure {
        let slots = match slot {
            Some(slot) => Cow::Owned(format!("slot {slot}")),
            None => Cow::Borrowed("any slot"),
        };
        let source = locked(&self.no_map).clone().map(Box::new);
        not_sent(ErrorKind::NoNode { slots, source })
    }

    /// What is said of a request that there is no time left for, after `result`.
    pub(super) fn out_of_time(
        &self,
        result: Result<Reply, Failure>,
        limit: TimeLimit,
    ) -> Result<Reply, Failure> {
        let failure = match result {
            Err(failure) if failure.outcome == Outcome::NotSent => failure,
            result => return result,
        };
        if self.is_closed() {
            return Err(not_sent(ErrorKind::Closed));
        }
        if let Some(error) = self.hopeless() {
            return Err(not_sent(error.kind().clone()));
        }
        let source = Some(Box::new(Error::new(failure.kind, failure.outcome)));
        Err(not_sent(ErrorKind::Timeout {
            phase: Phase::Connecting,
            after: limit.timeout.unwrap_or_default(),
            source,
        }))
    }
}

/// The one reply that decides whether a transaction has to go elsewhere: any refusal of a node that could not queue it.
fn of_transaction(answer: &Result<Answer, Failure>, len: usize) -> Result<Reply, Failure> {
    match answer {
        Ok(Answer::Many {
            replies,
            failure: None,
            ..
        }) => {
            let refusal = replies
                .iter()
                .find(|reply| matches!(reply, Reply::Error(_)));
            Ok(refusal.cloned().unwrap_or(Reply::Null))
        }
        Ok(Answer::Many {
            failure: Some(failure),
            executed_maybe,
            ..
        }) => Err(Failure {
            // Without a whole EXEC the server drops what it had queued.
            outcome: match *executed_maybe >= len {
                true => Outcome::MaybeExecuted,
                false => Outcome::NotSent,
            },
            ..failure.clone()
        }),
        Ok(Answer::One(reply)) => Ok(reply.clone()),
        Ok(Answer::Failed(failure)) | Err(failure) => Err(failure.clone()),
    }
}

pub(super) fn not_sent(kind: ErrorKind) -> Failure {
    Failure {
        kind,
        outcome: Outcome::NotSent,
        deadline: None,
    }
}
