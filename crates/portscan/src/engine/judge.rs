//! From answers and silence to verdicts.

use std::{
    fs,
    net::SocketAddr,
    ops::RangeInclusive,
    os::fd::OwnedFd,
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::{
    Engine,
    connect::is_within_this_machine,
    flight::{Flight, Purpose},
    prober::Answer,
};
use crate::{Event, Notice, Reason, State, Verdict, event::Service, order::mix, pace, service};

/// An open port whose service is to be asked.
#[derive(Debug)]
pub(super) struct ToLook {
    host: usize,
    to: SocketAddr,
    socket: Option<OwnedFd>,
}

impl Engine {
    /// Judges an answer that came at `now`.
    pub(super) fn judge(&mut self, mut flight: Flight, answer: Answer, now: Instant) {
        if answer.reason == Reason::SelfConnect {
            // The next try binds a source port that differs from the target's before it connects.
            flight.distinct = true;
            return self.spoiled(flight, &answer, now);
        }
        if answer.reason.state() == State::Undecided {
            return self.spoiled(flight, &answer, now);
        }
        if answer.reason == Reason::NoResponse {
            return self.judge_silence(flight, now);
        }
        if let Some(socket) = &answer.socket {
            // Two probes whose source ports are each other's targets meet as well, and only once.
            let may_have_met = !flight.distinct
                && source_ports().contains(&flight.to.port())
                && is_within_this_machine(socket, flight.to.ip());
            if may_have_met {
                flight.distinct = true;
                flight.tries -= 1;
                self.again.push_back(flight);
                return;
            }
        }
        let rtt = now.saturating_duration_since(flight.sent);
        if matches!(answer.reason.state(), State::Open | State::Closed) {
            self.learn(&flight, rtt);
        }
        self.decide(flight, answer, Some(rtt), now);
    }

    fn learn(&mut self, flight: &Flight, rtt: Duration) {
        self.loss.record(flight.tries);
        self.window.record(flight.tries);
        if !self.rtt.is_known() {
            // All timeouts are shorter from now on, those under way included.
            self.next_sweep = flight.sent;
        }
        // A second SYN from the same port may be answered by what the first one asked for; see Karn's algorithm.
        let sample = (flight.tries == 1 || self.prober.system_repeats()).then_some(rtt);
        sample.into_iter().for_each(|rtt| self.rtt.record(rtt));
        if let Some(host) = self.hosts.get_mut(flight.host) {
            sample.into_iter().for_each(|rtt| host.rtt.record(rtt));
            host.answered = true;
        }
    }

    /// Judges that nothing came within the timeout.
    pub(super) fn judge_silence(&mut self, flight: Flight, now: Instant) {
        if self.stalled.is_some_and(|stalled| stalled > flight.sent) {
            return self.spoiled(flight, &Answer::new(Reason::Lag), now);
        }
        // Once a round-trip time is known timeouts are too short for the system to repeat a SYN by itself.
        let answered = self.rtt.is_known()
            || self
                .hosts
                .get(flight.host)
                .is_some_and(|host| host.answered);
        let ports = self.progress.total;
        let tries = pace::tries(
            self.settings.retries,
            self.loss,
            ports,
            answered,
            self.prober.system_repeats(),
        );
        if flight.tries < tries {
            self.again.push_back(flight);
        } else {
            self.decide(flight, Answer::new(Reason::NoResponse), None, now);
        }
    }

    /// This machine was the cause that nothing was learned: the probe is made again after a while, and does not count.
    fn spoiled(&mut self, mut flight: Flight, answer: &Answer, now: Instant) {
        self.progress.spoiled += 1;
        let shortage = matches!(
            answer.reason,
            Reason::OutOfDescriptors | Reason::OutOfBuffers | Reason::OutOfPorts
        );
        if shortage {
            self.window.shortage(self.flights.len());
        }
        // While others are in flight a shortage will pass when they land.
        if !shortage || self.flights.is_empty() {
            flight.spoiled += 1;
        }
        flight.tries -= 1;
        if flight.spoiled >= SPOILED_AT_MOST {
            let answer = Answer {
                reason: answer.reason,
                errno: answer.errno,
                socket: None,
            };
            return self.decide(flight, answer, None, now);
        }
        flight.not_before = now + SPOILED_WAIT * (1 << flight.spoiled);
        self.later.push(flight);
    }

    fn decide(&mut self, flight: Flight, answer: Answer, rtt: Option<Duration>, now: Instant) {
        let state = answer.reason.state();
        match flight.purpose {
            Purpose::Port(_) => {
                let verdict = Verdict {
                    addr: flight.to.ip(),
                    port: flight.to.port(),
                    state,
                    reason: answer.reason,
                    errno: answer.errno,
                    rtt,
                    tries: flight.tries,
                };
                self.events.push_back(Event::Verdict(verdict));
                self.progress.counts.add(state);
                if let Some(host) = self.hosts.get_mut(flight.host) {
                    host.count(state);
                }
                if state == State::Open {
                    self.ask_decoys(&flight, now);
                    self.ask_service(&flight, answer.socket);
                }
            }
            Purpose::Discovery => {
                if let Some(host) = self.hosts.get_mut(flight.host) {
                    host.side_work -= 1;
                    let group = host.group;
                    self.question_answered(group);
                }
                return; // The group decides what becomes of its members.
            }
            Purpose::Decoy => {
                if let Some(host) = self.hosts.get_mut(flight.host) {
                    host.side_work -= 1;
                    host.decoys.open += u8::from(state == State::Open);
                    if host.answers_everything() {
                        let addr = host.target.addr;
                        self.announce(Event::Notice(Notice::AnswersEverything { addr }));
                    }
                }
            }
        }
        self.finish_host_if_done(flight.host);
    }

    /// Asks an address with an open port on random high ports; who is open there too is no host but a machine in between.
    fn ask_decoys(&mut self, flight: &Flight, now: Instant) {
        let count = self.settings.decoys;
        let Some(host) = self
            .hosts
            .get_mut(flight.host)
            .filter(|host| host.decoys.asked == 0)
        else {
            return;
        };
        host.decoys.asked = count;
        host.side_work += u32::from(count);
        let seed = self.settings.plan.seed;
        for i in 0..u64::from(count) {
            // One third of the dynamic ports each, so that they differ.
            let third = (u64::from(u16::MAX) - 49_152) / u64::from(count);
            let port = 49_152 + i * third + mix(seed ^ mix(flight.host as u64) ^ i) % third;
            let port = u16::try_from(port).unwrap_or(u16::MAX);
            let decoy = self.flight(Purpose::Decoy, flight.host, port, now);
            self.again.push_back(decoy);
        }
    }

    fn ask_service(&mut self, flight: &Flight, socket: Option<OwnedFd>) {
        if !self.settings.look.is_wanted() {
            return;
        }
        // Those that wait give their descriptor back, and are connected to again.
        let socket = socket.filter(|_| self.looking.len() < LOOKS);
        self.ask_service_later(flight.host, flight.to, socket);
    }

    pub(super) fn ask_service_later(
        &mut self,
        host: usize,
        to: SocketAddr,
        socket: Option<OwnedFd>,
    ) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.side_work += 1;
        }
        self.asked.push((to.ip(), to.port()));
        self.to_look.push_back(ToLook { host, to, socket });
    }

    pub(super) fn start_looks(&mut self) {
        while self.looking.len() < LOOKS {
            let Some(ToLook { host, to, socket }) = self.to_look.pop_front() else {
                return;
            };
            let name = self
                .hosts
                .get(host)
                .and_then(|host| host.target.name.clone());
            self.looking
                .push(service::look(self.settings.look, host, to, name, socket));
        }
    }

    pub(super) fn finish_look(&mut self, place: usize, service: Service) {
        self.asked
            .retain(|&asked| asked != (service.addr, service.port));
        if service.banner.is_some() || service.tls_subject.is_some() {
            self.events.push_back(Event::Service(service));
        }
        if let Some(host) = self.hosts.get_mut(place) {
            host.side_work -= 1;
        }
        self.finish_host_if_done(place);
    }
}

/// The ports that the system may give a connection as its source.
fn source_ports() -> &'static RangeInclusive<u16> {
    static PORTS: OnceLock<RangeInclusive<u16>> = OnceLock::new();
    PORTS.get_or_init(|| {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let mut bounds = text.split_ascii_whitespace().map(str::parse::<u16>);
        match (bounds.next(), bounds.next()) {
            (Some(Ok(first)), Some(Ok(last))) => first..=last,
            _ => 1..=u16::MAX,
        }
    })
}

/// How often this machine may spoil a probe before its port is called undecided; with the waits, 0.6 s.
const SPOILED_AT_MOST: u8 = 6;

/// The first wait; each further one is twice as long.
const SPOILED_WAIT: Duration = Duration::from_millis(5);

/// Services asked at the same time.
const LOOKS: usize = 64;
