//! Many commands on their way through a cluster at once: one batch for each node, and again for what is sent on.

use std::sync::Arc;

use tokio::time::Instant;

use crate::class::Class;
use crate::cluster::Cluster;
use crate::cluster::journey::Journey;
use crate::cluster::map::Addr;
use crate::cluster::route::{Fold, Route, route, split};
use crate::cluster::run::{Next, not_sent};
use crate::cluster::send;
use crate::config::ReadFrom;
use crate::connection::exchange::{Again, Exchange, Requests};
use crate::connection::link::{Answer, Failure, TimeLimit};
use crate::connection::node::{Node, locked};
use crate::error::{ErrorKind, Outcome};
use crate::join::join_all;
use crate::reply::{Elements, Reply};
use crate::request::Request;

/// A request to one node: a command, or a part of one.
struct Item {
    request: Request,
    journey: Journey,
    /// The node that it is meant for, whatever slots that has.
    fixed: Option<Addr>,
    result: Option<Result<Reply, Failure>>,
}

/// How the result of a command follows from those of its parts.
enum Plan {
    /// The next item is the whole.
    Whole,
    /// The next items are parts, each with the positions of its keys.
    Parts(Fold, Vec<Vec<usize>>),
    Refused(Failure),
}

/// The items that go to one node together.
struct Wave {
    addr: Addr,
    node: Arc<Node>,
    items: Vec<usize>,
}

impl Cluster {
    /// Runs commands, each on the node that it belongs to; the result of each, in their order.
    ///
    /// Those for the same node keep their order, unless they are sent on.
    pub(crate) async fn run_batch(
        &self,
        requests: Vec<(Request, Option<ReadFrom>)>,
        limit: TimeLimit,
        again: Again,
        bulk: Option<bool>,
    ) -> Vec<Result<Reply, Failure>> {
        let limit = limit.started(Instant::now());
        // Without a map nobody knows where everywhere is.
        let everywhere = |request: &Request| matches!(route(request), Ok(Route::Everywhere(_)));
        if requests.iter().any(|(request, _)| everywhere(request)) {
            if let Err(failure) = self.wait_for_map(limit).await {
                return requests.iter().map(|_| Err(failure.clone())).collect();
            }
        }
        let mut items = Vec::with_capacity(requests.len());
        let plans: Vec<Plan> = requests
            .into_iter()
            .map(|(request, reads_from)| self.plan(request, again, reads_from, &mut items))
            .collect();
        loop {
            let mut waits = None;
            let waves = self.waves(&mut items, &mut waits);
            let mut carried = Vec::with_capacity(waves.len());
            for wave in &waves {
                carried.push(carry(wave, &items, limit, bulk));
            }
            let answers = join_all(carried).await;
            for (wave, replies) in waves.into_iter().zip(answers) {
                for (item, reply) in wave.items.into_iter().zip(replies) {
                    self.settle(&mut items[item], &wave.addr, reply, &mut waits);
                }
            }
            if items.iter().all(|item| item.result.is_some()) {
                break;
            }
            if let Some(waits) = waits {
                if !self.wait(waits, limit).await {
                    break;
                }
            }
            for item in &mut items {
                // What waited has its last result in `late` until it is tried again.
                item.journey.late = None;
            }
        }
        let mut results = items.into_iter().map(|mut item| match item.result.take() {
            Some(result) => (item.request, result),
            None => {
                let late = item.journey.late.take();
                let late = late.unwrap_or_else(|| Err(self.no_node(item.journey.slot)));
                let result = item.journey.all_attempts(self.out_of_time(late, limit));
                (item.request, result)
            }
        });
        plans
            .into_iter()
            .map(|plan| match plan {
                Plan::Refused(failure) => Err(failure),
                Plan::Whole => match results.next() {
                    Some((_, result)) => result,
                    None => Err(not_sent(ErrorKind::Closed)),
                },
                Plan::Parts(fold, positions) => {
                    let parts: Vec<_> = results.by_ref().take(positions.len()).collect();
                    let class = parts
                        .first()
                        .map_or(Class::Read, |(request, _)| request.class());
                    let parts = parts.into_iter().map(|(_, result)| result).collect();
                    combine(fold, class, parts, &positions)
                }
            })
            .collect()
    }

    fn plan(
        &self,
        request: Request,
        again: Again,
        reads_from: Option<ReadFrom>,
        items: &mut Vec<Item>,
    ) -> Plan {
        let usual = self.config.read_from;
        let item = |request: Request, slot, fixed| Item {
            journey: Journey::of(&request, slot, again).reading(request.class(), reads_from, usual),
            request,
            fixed,
            result: None,
        };
        match route(&request) {
            Err(kind) => Plan::Refused(not_sent(kind)),
            Ok(Route::Slot(slot)) => {
                items.push(item(request, Some(slot), None));
                Plan::Whole
            }
            Ok(Route::Any) => {
                items.push(item(request, None, None));
                Plan::Whole
            }
            Ok(Route::Split(fold)) => {
                let mut positions = Vec::new();
                for (slot, part, keys) in split(&request) {
                    items.push(item(part, Some(slot), None));
                    positions.push(keys);
                }
                Plan::Parts(fold, positions)
            }
            Ok(Route::Everywhere(fold)) => {
                let before = items.len();
                if request.class() == Class::Session {
                    // It changes connections, so it goes to those that there are.
                    let nodes = locked(&self.nodes);
                    let parts = nodes.keys().cloned();
                    items.extend(parts.map(|addr| item(request.clone(), None, Some(addr))));
                } else {
                    // To whoever serves a slot of each shard when it is sent: a primary may be about to be replaced.
                    items.extend(self.map().one_of_each().into_iter().map(|slot| Item {
                        journey: Journey::of(&request, Some(slot), again),
                        request: request.clone(),
                        fixed: None,
                        result: None,
                    }));
                }
                match items.len() - before {
                    0 => Plan::Refused(self.no_node(None)),
                    parts => Plan::Parts(fold, vec![Vec::new(); parts]),
                }
            }
        }
    }

    /// Puts the items that have no result yet together by node.
    fn waves(&self, items: &mut [Item], waits: &mut Option<u32>) -> Vec<Wave> {
        let mut waves: Vec<Wave> = Vec::new();
        for (index, item) in items
            .iter_mut()
            .enumerate()
            .filter(|(_, item)| item.result.is_none())
        {
            let destination = match &item.fixed {
                Some(addr) => Some((addr.clone(), self.node(addr))),
                // Commands without keys go along with others; a node that moves away must not take them with it.
                None if item.journey.slot.is_none() && item.journey.sent_on.is_none() => {
                    let first = waves.first();
                    let along = first.map(|wave| (wave.addr.clone(), Arc::clone(&wave.node)));
                    along.or_else(|| self.destination(&item.journey))
                }
                None => self.destination(&item.journey),
            };
            let Some((addr, node)) = destination else {
                item.journey.waits += 1;
                *waits = Some(waits.unwrap_or(0).max(item.journey.waits));
                self.wish.notify_one();
                continue;
            };
            match waves.iter_mut().find(|wave| wave.addr == addr) {
                Some(wave) => wave.items.push(index),
                None => waves.push(Wave {
                    addr,
                    node,
                    items: vec![index],
                }),
            }
        }
        waves
    }

    fn settle(
        &self,
        item: &mut Item,
        addr: &Addr,
        reply: Result<Reply, Failure>,
        waits: &mut Option<u32>,
    ) {
        match self.consider(&mut item.journey, addr, reply) {
            Next::Done(result) => item.result = Some(result),
            Next::Go => {}
            Next::Wait(result) => {
                item.journey.late = Some(result);
                item.journey.waits += 1;
                *waits = Some(waits.unwrap_or(0).max(item.journey.waits));
            }
        }
    }
}

/// Sends the items of one wave, and sorts out what came of each.
async fn carry(
    wave: &Wave,
    items: &[Item],
    limit: TimeLimit,
    bulk: Option<bool>,
) -> Vec<Result<Reply, Failure>> {
    let around: Vec<_> = wave
        .items
        .iter()
        .map(|&index| items[index].journey.around())
        .map(|around| (around.before(), around.after()))
        .collect();
    let mut list: Vec<&Request> = Vec::with_capacity(wave.items.len());
    // Where the reply to each item stands.
    let mut places = Vec::with_capacity(wave.items.len());
    for (&index, (before, after)) in wave.items.iter().zip(&around) {
        list.extend(before);
        places.push(list.len());
        list.push(&items[index].request);
        list.extend(after);
    }
    // A command with an effect on the session goes by itself.
    if let ([item], [request]) = (wave.items.as_slice(), list.as_slice()) {
        if items[*item].request.class() == Class::Session {
            let answer = Exchange::new(&wave.node.link, *request, limit, Again::NEVER)
                .run()
                .await;
            return vec![match answer {
                Ok(Answer::One(reply)) => Ok(reply),
                Ok(Answer::Failed(failure)) | Err(failure) => Err(failure),
                Ok(Answer::Many { .. }) => unreachable!("one command was sent"),
            }];
        }
    }
    let freight = Requests {
        list,
        atomic: false,
    };
    let answer = send::carry(&wave.node, freight, Class::Write, limit, bulk).await;
    let (replies, failure, executed_maybe) = match answer {
        Ok(Answer::Many {
            replies,
            failure,
            executed_maybe,
            ..
        }) => (replies, failure, executed_maybe),
        Ok(Answer::One(reply)) => (vec![reply], None, 1),
        Ok(Answer::Failed(failure)) | Err(failure) => (Vec::new(), Some(failure), 0),
    };
    let mut replies: Vec<Option<Reply>> = replies.into_iter().map(Some).collect();
    let result = |place: usize| {
        if let Some(reply) = replies.get_mut(place).and_then(Option::take) {
            return Ok(reply);
        }
        Err(Failure {
            kind: failure
                .as_ref()
                .map_or(ErrorKind::Closed, |failure| failure.kind.clone()),
            outcome: match place < executed_maybe {
                true => Outcome::MaybeExecuted,
                false => Outcome::NotSent,
            },
            deadline: None,
        })
    };
    places.into_iter().map(result).collect()
}

/// Makes one result of those of the parts.
///
/// If some parts fail, so does the whole, with the first failure; a write of which other parts were executed, or may have
/// been, counts as *maybe executed*.
fn combine(
    fold: Fold,
    class: Class,
    parts: Vec<Result<Reply, Failure>>,
    positions: &[Vec<usize>],
) -> Result<Reply, Failure> {
    let touched = |part: &Result<Reply, Failure>| match part {
        Ok(Reply::Error(_)) => false,
        Ok(_) => true,
        Err(failure) => failure.outcome == Outcome::MaybeExecuted,
    };
    let partly = class != Class::Read && parts.iter().any(touched);
    let mut replies = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Ok(Reply::Error(error)) if partly => {
                return Err(Failure {
                    kind: ErrorKind::Server(error),
                    outcome: Outcome::MaybeExecuted,
                    deadline: None,
                });
            }
            Ok(Reply::Error(error)) => return Ok(Reply::Error(error)),
            Ok(reply) => replies.push(reply),
            Err(failure) if partly => {
                return Err(Failure {
                    outcome: Outcome::MaybeExecuted,
                    ..failure
                });
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(fold_replies(fold, replies, positions))
}

fn fold_replies(fold: Fold, replies: Vec<Reply>, positions: &[Vec<usize>]) -> Reply {
    let numbers = |replies: &[Reply]| -> Vec<i64> {
        let number = |reply: &Reply| match reply {
            Reply::Integer(number) => Some(*number),
            _ => None,
        };
        replies.iter().filter_map(number).collect()
    };
    let lists = |replies: Vec<Reply>| replies.into_iter().filter_map(Reply::into_elements);
    match fold {
        Fold::First => replies.into_iter().next().unwrap_or(Reply::Null),
        Fold::Sum => Reply::Integer(numbers(&replies).into_iter().fold(0, i64::saturating_add)),
        Fold::Min => Reply::Integer(numbers(&replies).into_iter().min().unwrap_or(0)),
        Fold::Concat => {
            let all: Vec<Reply> = lists(replies)
                .flat_map(|list| list.iter().collect::<Vec<_>>())
                .collect();
            Reply::Array(all.into())
        }
        Fold::And => {
            let both = |first: Elements, second: Elements| -> Elements {
                let pairs = first.iter().zip(second.iter());
                let and = pairs.map(|(first, second)| match (&first, &second) {
                    (Reply::Integer(1), Reply::Integer(1)) => Reply::Integer(1),
                    _ => Reply::Integer(0),
                });
                and.collect::<Vec<_>>().into()
            };
            Reply::Array(
                lists(replies)
                    .reduce(both)
                    .unwrap_or_else(|| Vec::new().into()),
            )
        }
        Fold::Gather => {
            let len = positions.iter().map(Vec::len).sum();
            let mut all = vec![Reply::Null; len];
            for (reply, positions) in replies.into_iter().zip(positions) {
                let list = match &reply {
                    Reply::Array(list) if list.len() == positions.len() => list,
                    // What is not one element a key must not be taken for those of others.
                    _ => return reply,
                };
                for (element, &position) in list.iter().zip(positions) {
                    all[position] = element;
                }
            }
            Reply::Array(all.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServerError;

    fn list(numbers: &[i64]) -> Reply {
        Reply::Array(
            numbers
                .iter()
                .map(|&number| Reply::Integer(number))
                .collect::<Vec<_>>()
                .into(),
        )
    }

    fn shown(reply: Reply) -> Vec<String> {
        let elements = reply.into_elements().unwrap();
        elements.iter().map(|reply| format!("{reply:?}")).collect()
    }

    #[test]
    fn replies_to_parts_come_back_in_the_order_of_the_keys() {
        let gathered = fold_replies(
            Fold::Gather,
            vec![list(&[10, 13]), list(&[11, 12])],
            &[vec![0, 3], vec![1, 2]],
        );
        assert_eq!(shown(gathered), shown(list(&[10, 11, 12, 13])));
        for other in [Reply::Null, list(&[10])] {
            let parts = vec![other, list(&[11, 12])];
            let whole = fold_replies(Fold::Gather, parts, &[vec![0, 3], vec![1, 2]]);
            assert!(
                !format!("{whole:?}").contains("11"),
                "{whole:?} is no list of four"
            );
        }
        let and = fold_replies(Fold::And, vec![list(&[1, 0, 1]), list(&[1, 1, 0])], &[]);
        assert_eq!(shown(and), shown(list(&[1, 0, 0])));
        let all = fold_replies(Fold::Concat, vec![list(&[1]), list(&[]), list(&[2])], &[]);
        assert_eq!(shown(all), shown(list(&[1, 2])));
        let sum = fold_replies(Fold::Sum, vec![Reply::Integer(2), Reply::Integer(3)], &[]);
        assert!(matches!(sum, Reply::Integer(5)));
    }

    #[test]
    fn a_write_of_which_a_part_was_done_is_maybe_executed_and_a_read_is_not() {
        let refused = || Ok(Reply::Error(ServerError::new(b"OOM command not allowed")));
        let lost = || Err(not_sent(ErrorKind::Closed));
        let done = || Ok(Reply::Integer(1));
        let positions = [vec![], vec![]];
        let combine = |class, parts| super::combine(Fold::Sum, class, parts, &positions);
        let outcome = |result: Result<Reply, Failure>| result.unwrap_err().outcome;

        assert_eq!(
            outcome(combine(Class::Repeatable, vec![done(), lost()])),
            Outcome::MaybeExecuted
        );
        assert_eq!(
            outcome(combine(Class::Repeatable, vec![done(), refused()])),
            Outcome::MaybeExecuted
        );
        assert_eq!(
            outcome(combine(Class::Repeatable, vec![lost(), lost()])),
            Outcome::NotSent
        );
        assert_eq!(
            outcome(combine(Class::Read, vec![done(), lost()])),
            Outcome::NotSent
        );
        assert!(matches!(
            combine(Class::Repeatable, vec![refused(), refused()]),
            Ok(Reply::Error(_))
        ));
    }
}
