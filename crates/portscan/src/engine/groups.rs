//! Which probe goes out next: repetitions first, then side questions, then the walk through the groups.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};

use super::{
    Engine,
    flight::{Flight, Purpose},
    hosts::{Host, Hosts},
};
use crate::{
    Event, State,
    checkpoint::{Checkpoint, GroupMark, HostMark},
    event::{Counts, HostDone},
    plan::{Cursor, Place},
};

/// Up to 1,024 addresses that are scanned together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) number: u64,
    /// The places of its members in the table of hosts; `None` once a member is done.
    members: Vec<Option<usize>>,
    phase: Phase,
    /// Members that are not done.
    open: usize,
    /// Every probe has been handed out.
    over: bool,
}

#[derive(Debug)]
enum Phase {
    /// Asks which members answer: the next question, and the answers awaited.
    Discovery {
        next: usize,
        awaited: usize,
    },
    Ports(Cursor),
}

impl Group {
    pub(super) fn mark(&self) -> GroupMark {
        match &self.phase {
            Phase::Discovery { .. } => GroupMark {
                number: self.number,
                next: None,
                live: None,
            },
            Phase::Ports(cursor) => GroupMark {
                number: self.number,
                next: Some(cursor.position()),
                live: cursor.live().map(<[u16]>::to_vec),
            },
        }
    }

    /// What a checkpoint keeps of the members.
    pub(super) fn marks<'a>(&'a self, hosts: &'a Hosts) -> impl Iterator<Item = HostMark> + 'a {
        self.members.iter().enumerate().map(|(member, &at)| {
            let host = at.and_then(|at| hosts.get(at));
            HostMark {
                group: self.number,
                member,
                addr: host.map(|host| host.target.addr),
                counts: host.map_or([0; 4], |host| host.counts),
                answered: host.is_some_and(|host| host.answered),
            }
        })
    }
}

impl Engine {
    /// Whether anything is left to send.
    pub(super) fn has_probe(&self) -> bool {
        !self.again.is_empty()
            || (self.groups.len() < GROUPS && self.next_group < self.settings.plan.groups())
            || self.groups.iter().any(|group| !group.over)
    }

    pub(super) fn next_probe(&mut self, now: Instant) -> Option<Flight> {
        if let Some(flight) = self.again.pop_front() {
            return Some(flight);
        }
        // What waits to be sent again takes its room in the window, and so do services that were not asked yet.
        if self.flights.len() + self.later.len() + self.to_look.len() >= self.window.size() {
            return None;
        }
        loop {
            let Some(at) = self.groups.iter().position(|group| !group.over) else {
                if self.groups.len() >= GROUPS || self.next_group >= self.settings.plan.groups() {
                    return None;
                }
                let number = self.next_group;
                self.next_group += 1;
                self.open_group(number, None);
                continue;
            };
            match &mut self.groups[at].phase {
                Phase::Discovery { .. } => match self.next_question(at, now) {
                    Some(flight) => return Some(flight),
                    None if self.discovery_is_over(at) => self.close_discovery(at),
                    None => return None,
                },
                Phase::Ports(cursor) => {
                    if let Some((place, member, port)) = cursor.next() {
                        // A member of a resumed group may be done already.
                        let Some(host) = self.groups[at].members[member] else {
                            continue;
                        };
                        return Some(self.port_probe(place, host, port, now));
                    }
                    self.end_of_group(at);
                }
            }
        }
    }

    fn port_probe(&mut self, place: Place, at: usize, port: usize, now: Instant) -> Flight {
        let port = self.settings.plan.ports.as_slice()[port];
        if let Some(host) = self.hosts.get_mut(at) {
            host.handed_out += 1;
        }
        self.flight(Purpose::Port(place), at, port, now)
    }

    pub(super) fn flight(&self, purpose: Purpose, at: usize, port: u16, now: Instant) -> Flight {
        let unspecified = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        Flight {
            to: self
                .hosts
                .get(at)
                .map_or(unspecified, |host| host.socket_addr(port)),
            purpose,
            host: at,
            tries: 0,
            spoiled: 0,
            distinct: false,
            sent: now,
            not_before: now,
        }
    }

    /// Starts a group with all its members, or continues one at a mark.
    fn open_group(&mut self, number: u64, mark: Option<&GroupMark>) {
        let plan = &self.settings.plan;
        let members: Vec<_> = plan
            .group(number)
            .enumerate()
            .map(|(member, target)| Some(self.hosts.insert(Host::new(target, number, member))))
            .collect();
        let size = members.len();
        let phase = match mark {
            Some(GroupMark {
                next: Some(next),
                live,
                ..
            }) => {
                let mut cursor = Cursor::new(plan, number, size, live.clone());
                cursor.seek(*next);
                Phase::Ports(cursor)
            }
            _ if self.settings.discovery.is_empty() => {
                Phase::Ports(Cursor::new(plan, number, size, None))
            }
            _ => Phase::Discovery {
                next: 0,
                awaited: 0,
            },
        };
        self.groups.push(Group {
            number,
            open: size,
            members,
            phase,
            over: false,
        });
    }

    /// The next question of a discovery: every port in turn, on the members that have not answered yet.
    fn next_question(&mut self, at: usize, now: Instant) -> Option<Flight> {
        let ports = self.settings.discovery.len();
        let group = &mut self.groups[at];
        let Phase::Discovery { next, awaited } = &mut group.phase else {
            return None;
        };
        while *next < group.members.len() * ports {
            let (member, port) = (*next % group.members.len(), *next / group.members.len());
            *next += 1;
            let Some(place) = group.members[member] else {
                continue;
            };
            let Some(host) = self.hosts.get_mut(place).filter(|host| !host.answered) else {
                continue;
            };
            host.side_work += 1;
            *awaited += 1;
            let port = self.settings.discovery[port];
            return Some(self.flight(Purpose::Discovery, place, port, now));
        }
        None
    }

    /// Counts an answer, or silence, to a question of a discovery.
    pub(super) fn question_answered(&mut self, number: u64) {
        let group = self.groups.iter_mut().find(|group| group.number == number);
        if let Some(Group {
            phase: Phase::Discovery { awaited, .. },
            ..
        }) = group
        {
            *awaited -= 1;
        }
    }

    fn discovery_is_over(&self, at: usize) -> bool {
        let questions = self.groups[at].members.len() * self.settings.discovery.len();
        matches!(self.groups[at].phase, Phase::Discovery { next, awaited: 0 } if next >= questions)
    }

    /// Goes on to the ports of the members that answered; the others are done.
    fn close_discovery(&mut self, at: usize) {
        let mut live = Vec::new();
        let mut absent = Vec::new();
        for (member, place) in (0_u16..).zip(self.groups[at].members.clone()) {
            let Some(place) = place else { continue };
            match self.hosts.get(place).is_some_and(|host| host.answered) {
                true => live.push(member),
                false => absent.push(place),
            }
        }
        let skipped = absent.len() as u64 * self.settings.plan.ports.len() as u64;
        let shards = u64::from(self.settings.plan.shards);
        self.progress.total = self.progress.total.saturating_sub(skipped / shards);
        let size = self.groups[at].members.len();
        let number = self.groups[at].number;
        self.groups[at].phase =
            Phase::Ports(Cursor::new(&self.settings.plan, number, size, Some(live)));
        absent.into_iter().for_each(|place| self.finish_host(place));
    }

    fn end_of_group(&mut self, at: usize) {
        self.groups[at].over = true;
        let members: Vec<usize> = self.groups[at].members.iter().flatten().copied().collect();
        members
            .into_iter()
            .for_each(|place| self.finish_host_if_done(place));
        self.groups.retain(|group| !group.over || group.open > 0);
    }

    /// Ends an address whose last port is decided and whose services are known.
    pub(super) fn finish_host_if_done(&mut self, place: usize) {
        let Some(host) = self.hosts.get(place).filter(|host| host.is_idle()) else {
            return;
        };
        let all = u32::try_from(self.settings.plan.ports.len()).unwrap_or(u32::MAX);
        let handed_out = host.handed_out == all
            || self
                .groups
                .iter()
                .any(|group| group.number == host.group && group.over);
        if handed_out {
            self.finish_host(place);
        }
    }

    fn finish_host(&mut self, place: usize) {
        let Some(host) = self.hosts.remove(place) else {
            return;
        };
        let mut counts = Counts::default();
        for (state, &count) in State::ALL.iter().zip(&host.counts) {
            (0..count).for_each(|_| counts.add(*state));
        }
        self.progress.hosts_done += 1;
        let done = HostDone {
            addr: host.target.addr,
            up: host.answered,
            counts,
            rtt: host.rtt.smoothed(),
            answers_everything: host.answers_everything(),
            name: host.target.name,
            zone: host.target.zone,
        };
        self.events.push_back(Event::HostDone(done));
        if let Some(group) = self
            .groups
            .iter_mut()
            .find(|group| group.number == host.group)
        {
            group.members[host.member] = None;
            group.open -= 1;
        }
        self.groups.retain(|group| !group.over || group.open > 0);
    }

    /// Continues where a checkpoint was taken.
    pub(crate) fn resume(&mut self, checkpoint: &Checkpoint) {
        let now = Instant::now();
        self.next_group = checkpoint.next_group;
        self.progress.counts = checkpoint.counts;
        self.progress.total = checkpoint.total;
        self.progress.hosts_done = checkpoint.hosts_done;
        self.elapsed_before = checkpoint.elapsed;
        for mark in &checkpoint.groups {
            self.open_group(mark.number, Some(mark));
        }
        for mark in &checkpoint.hosts {
            let Some(group) = self
                .groups
                .iter_mut()
                .find(|group| group.number == mark.group)
            else {
                continue;
            };
            let Some(place) = group.members.get(mark.member).copied().flatten() else {
                continue;
            };
            if mark.addr.is_none() {
                // This address was done before the checkpoint.
                group.members[mark.member] = None;
                group.open -= 1;
                self.hosts.remove(place);
            } else if let Some(host) = self.hosts.get_mut(place) {
                host.counts = mark.counts;
                host.decided = mark.counts.iter().sum();
                host.handed_out = host.decided;
                host.answered = mark.answered;
            }
        }
        for &place in &checkpoint.pending {
            let Some(group) = self.groups.iter().find(|group| group.number == place.group) else {
                continue;
            };
            let Phase::Ports(cursor) = &group.phase else {
                continue;
            };
            let Some((member, port)) = cursor.at(place.at) else {
                continue;
            };
            let Some(host) = group.members[member] else {
                continue;
            };
            let flight = self.port_probe(place, host, port, now);
            self.again.push_back(flight);
        }
        for &(addr, port) in &checkpoint.services {
            let members = self
                .groups
                .iter()
                .flat_map(|group| &group.members)
                .flatten();
            let host = members.copied().find(|&at| {
                self.hosts
                    .get(at)
                    .is_some_and(|host| host.target.addr == addr)
            });
            if let Some(host) = host {
                let to = self.hosts.get(host).map(|host| host.socket_addr(port));
                to.into_iter()
                    .for_each(|to| self.ask_service_later(host, to, None));
            }
        }
        self.events.extend(checkpoint.unseen.iter().cloned());
        let groups: Vec<u64> = self.groups.iter().map(|group| group.number).collect();
        for number in groups {
            let over = self.groups.iter().position(|group| {
                group.number == number
                    && matches!(&group.phase, Phase::Ports(cursor) if cursor.is_over())
            });
            if let Some(at) = over {
                self.end_of_group(at);
            }
        }
    }
}

/// Groups under way at once.
const GROUPS: usize = 2;
