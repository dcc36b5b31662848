use std::task::{Context, Poll, Waker};

use super::*;
use crate::connection::session::Effect;
use crate::reply::Reply;

struct Bytes(&'static [u8]);

impl Freight for Bytes {
    fn commands(&self) -> usize {
        1
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn encode(&self, out: &mut Outgoing) -> Option<Box<[usize]>> {
        out.tail().extend_from_slice(self.0);
        None
    }
    fn effect(&self) -> Option<Box<Effect>> {
        None
    }
    fn each_change(&self, _: &mut dyn FnMut(Option<&[u8]>)) {}
}

fn sent(link: &Link, bytes: &'static [u8]) -> Ticket {
    match link.admit(&Bytes(bytes), TimeLimit::default(), Waker::noop()) {
        Admission::Sent(ticket) => ticket,
        _ => panic!("no room for {bytes:?}"),
    }
}

fn waiting(link: &Link, bytes: &'static [u8]) -> Ticket {
    match link.admit(&Bytes(bytes), TimeLimit::default(), Waker::noop()) {
        Admission::Waiting(ticket) => ticket,
        _ => panic!("room for {bytes:?}"),
    }
}

fn poll(link: &Link, ticket: Ticket) -> Poll<Progress> {
    link.poll(ticket, &Context::from_waker(Waker::noop()))
}

#[test]
fn an_answer_that_nobody_waits_for_does_not_reach_the_next_user_of_the_slot() {
    let link = Link::new(8, 1000);
    let first = sent(&link, b"first");
    link.abandon(first, 1, 5);
    let second = sent(&link, b"second");
    assert_eq!(first.slot, second.slot, "the slot is used again");

    link.lock()
        .answer(first, Answer::One(Reply::Integer(1)), &mut Vec::new());
    assert!(
        poll(&link, second).is_pending(),
        "the first answer is thrown away"
    );
    link.lock()
        .answer(second, Answer::One(Reply::Integer(2)), &mut Vec::new());
    assert!(matches!(
        poll(&link, second),
        Poll::Ready(Progress::Answered(Answer::One(Reply::Integer(2))))
    ));
}

#[test]
fn whoever_waits_for_room_is_let_in_in_order_of_arrival() {
    let link = Link::new(1, 1000);
    let _sent = sent(&link, b"a");
    let (first, second, third) = (
        waiting(&link, b"bb"),
        waiting(&link, b"cc"),
        waiting(&link, b"dd"),
    );
    link.abandon(second, 1, 2);
    link.lock().release(1, 1, &mut Vec::new());
    assert!(matches!(
        poll(&link, first),
        Poll::Ready(Progress::Granted(_))
    ));
    assert!(poll(&link, third).is_pending());
    link.abandon(first, 1, 2);
    assert!(
        matches!(poll(&link, third), Poll::Ready(Progress::Granted(_))),
        "room that is given back goes to the next"
    );
    link.redeem(third, &Bytes(b"dd"), TimeLimit::default(), Waker::noop());
    assert_eq!(link.lock().in_flight, 1);
}

#[test]
fn a_command_larger_than_the_limit_is_let_in_alone() {
    let link = Link::new(100, 4);
    let _large = sent(&link, b"larger than four bytes");
    let _waits = waiting(&link, b"b");
}
