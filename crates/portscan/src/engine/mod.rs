//! The engine: hands out probes within the window and the rate, judges answers and silence, and yields events.
//!
//! It is one state machine, polled by whoever holds the [`Scan`](crate::Scan): no task, no thread, no queue between. So
//! dropping it ends everything at once, and a consumer that does not poll pauses it. Files: [`prober`] what the techniques
//! share, [`connect`] and [`syn`] the techniques, [`flight`] and [`hosts`] the tables, [`groups`] which probe is next,
//! [`judge`] from answers to verdicts.

mod connect;
mod flight;
mod groups;
mod hosts;
mod judge;
mod prober;
mod syn;

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{Stream, stream::FuturesUnordered};
use tokio::time::Sleep;

use self::{
    connect::Connect,
    flight::{Flight, Flights, Purpose},
    groups::Group,
    hosts::Hosts,
    prober::{Answer, Key, Prober},
    syn::Syn,
};
use crate::{
    Event, Progress,
    checkpoint::Checkpoint,
    pace::{self, Loss, RateLimit, Retries, Rtt, Window},
    plan::{Place, Plan},
    service::{Look, Looking},
};

/// What the engine is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) plan: Plan,
    /// The longest wait for one answer.
    pub(crate) timeout: Duration,
    pub(crate) retries: Retries,
    /// Probes in flight at most.
    pub(crate) max_in_flight: usize,
    /// Probes a second at most.
    pub(crate) rate: Option<u32>,
    /// The ports that are asked to learn whether an address answers at all; empty for no discovery.
    pub(crate) discovery: Vec<u16>,
    /// Random ports that are asked on each address with an open port.
    pub(crate) decoys: u8,
    pub(crate) look: Look,
    pub(crate) progress_every: Duration,
}

pub(crate) struct Engine {
    settings: Settings,
    prober: Prober,
    flights: Flights,
    /// Probes to be sent again now, and those whose time has not come.
    again: VecDeque<Flight>,
    later: Vec<Flight>,
    hosts: Hosts,
    /// The groups under way, at most two: one being handed out, one waiting for its last answers.
    groups: Vec<Group>,
    next_group: u64,
    window: Window,
    rate: RateLimit,
    rtt: Rtt,
    loss: Loss,
    /// Open ports whose service is being asked, and those waiting for it.
    looking: FuturesUnordered<Looking>,
    to_look: VecDeque<judge::ToLook>,
    /// The address and port of each of both.
    asked: Vec<(IpAddr, u16)>,
    /// Events not yet taken.
    events: VecDeque<Event>,
    answers: Vec<(Key, Answer)>,
    progress: Progress,
    started: Instant,
    elapsed_before: Duration,
    next_sweep: Instant,
    next_progress: Instant,
    /// When this was to be polled again at the latest, and when it last was polled much too late.
    expected: Option<Instant>,
    stalled: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
    yield_now: bool,
    stopping: bool,
    over: bool,
}

impl Engine {
    pub(crate) fn with_connect(settings: Settings) -> io::Result<Self> {
        Ok(Self::new(settings, Prober::Connect(Connect::new()?)))
    }

    pub(crate) fn with_syn(settings: Settings) -> io::Result<Self> {
        let syn = Syn::new()?;
        Ok(Self::new(settings, Prober::Syn(Box::new(syn))))
    }

    fn new(settings: Settings, prober: Prober) -> Self {
        let now = Instant::now();
        Self {
            window: Window::new(settings.max_in_flight),
            rate: RateLimit::new(settings.rate, now),
            progress: Progress {
                total: settings.plan.probes(),
                ..Progress::default()
            },
            next_progress: now + settings.progress_every,
            settings,
            prober,
            flights: Flights::default(),
            again: VecDeque::new(),
            later: Vec::new(),
            hosts: Hosts::default(),
            groups: Vec::new(),
            next_group: 0,
            rtt: Rtt::default(),
            loss: Loss::default(),
            looking: FuturesUnordered::new(),
            to_look: VecDeque::new(),
            asked: Vec::new(),
            events: VecDeque::new(),
            answers: Vec::new(),
            started: now,
            elapsed_before: Duration::ZERO,
            next_sweep: now,
            expected: None,
            stalled: None,
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            yield_now: false,
            stopping: false,
            over: false,
        }
    }

    /// Puts an event before all others.
    pub(crate) fn announce(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Sends nothing more and gives up what is in flight; the events that are there already still come.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Some(event));
            }
            if self.over {
                return Poll::Ready(None);
            }
            if std::mem::take(&mut self.yield_now) {
                // Other tasks of the runtime get their turn after every batch.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Read before the answers are taken: whoever is silent by then has been silent for all of its time.
            let now = Instant::now();
            self.notice_stall(now);
            let busy = self.take_answers(cx, now);
            self.take_services(cx);
            if now >= self.next_sweep {
                self.sweep(now);
            }
            let launched = if self.stopping {
                0
            } else {
                self.launch_batch(now)
            };
            if self.stopping || self.is_finished() {
                self.over = true;
                self.progress.finished = self.is_finished();
                self.report_progress(now);
                continue;
            }
            if now >= self.next_progress {
                self.report_progress(now);
            }
            self.yield_now = busy || launched > 0;
            if !self.events.is_empty() || self.yield_now {
                self.expected = Some(now + STALL);
                continue;
            }
            if self.wait(cx, now).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Arms the timer for whatever comes next.
    fn wait(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let mut wake = self.next_progress;
        if !self.flights.is_empty() {
            wake = wake.min(self.next_sweep);
        }
        if self.flights.len() < self.window.size() {
            wake = self
                .later
                .iter()
                .map(|flight| flight.not_before)
                .fold(wake, Instant::min);
            if self.has_probe() {
                wake = self.rate.next().map_or(wake, |next| wake.min(next));
            }
        }
        // The runtime's timer counts whole milliseconds.
        let wake = wake.max(now + Duration::from_millis(1));
        self.expected = Some(wake);
        self.sleep.as_mut().reset(wake.into());
        self.sleep.as_mut().poll(cx)
    }

    /// Remembers that this program could not run for a while: silence in that time proves nothing.
    fn notice_stall(&mut self, now: Instant) {
        let late = self.expected.take().map_or(Duration::ZERO, |expected| {
            now.saturating_duration_since(expected)
        });
        if late > STALL {
            tracing::debug!(late_ms = late.as_millis(), "held up");
            self.stalled = Some(now);
        }
    }

    fn take_answers(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut answers = std::mem::take(&mut self.answers);
        let busy = match self.prober.poll(cx, &mut answers) {
            Poll::Ready(Ok(())) => true,
            Poll::Pending => false,
            Poll::Ready(Err(error)) => {
                tracing::error!(%error, "answers cannot be read");
                self.stalled = Some(now);
                false
            }
        };
        for (key, answer) in answers.drain(..) {
            if let Some(flight) = self.flights.remove(key) {
                self.prober.forget(key);
                self.judge(flight, answer, now);
            }
        }
        self.answers = answers;
        busy
    }

    fn take_services(&mut self, cx: &mut Context<'_>) {
        self.start_looks();
        while let Poll::Ready(Some((host, service))) = Pin::new(&mut self.looking).poll_next(cx) {
            self.finish_look(host, service);
            self.start_looks();
        }
    }

    /// Gives up the probes whose time is over.
    fn sweep(&mut self, now: Instant) {
        let longest = self.settings.timeout;
        let mut next = now + longest;
        let mut silent = Vec::new();
        for (key, flight) in self.flights.iter() {
            let host = self
                .hosts
                .get(flight.host)
                .map_or_else(Rtt::default, |host| host.rtt);
            let deadline = flight.sent + pace::timeout(host, self.rtt, flight.tries, longest);
            if deadline <= now {
                silent.push(key);
            } else {
                next = next.min(deadline);
            }
        }
        for key in silent {
            self.prober.forget(key);
            if let Some(flight) = self.flights.remove(key) {
                self.judge_silence(flight, now);
            }
        }
        self.next_sweep = next.max(now + SWEEP);
    }

    fn launch_batch(&mut self, now: Instant) -> usize {
        if !self.later.is_empty() {
            let due = self.later.extract_if_due(now);
            self.again.extend(due);
        }
        let room = self
            .window
            .size()
            .saturating_sub(self.flights.len())
            .min(BATCH);
        let allowed = self.rate.available(room, now);
        let mut launched = 0;
        while launched < allowed && self.flights.len() < self.window.size() {
            let Some(flight) = self.next_probe(now) else {
                break;
            };
            self.launch(flight);
            launched += 1;
        }
        self.rate.take(launched);
        launched
    }

    fn launch(&mut self, mut flight: Flight) {
        let now = Instant::now();
        self.progress.sent += 1;
        self.progress.repeated += u64::from(flight.tries > 0);
        flight.tries = flight.tries.saturating_add(1);
        flight.sent = now;
        let (to, distinct) = (flight.to, flight.distinct);
        if self.flights.is_empty() {
            self.next_sweep = now + SWEEP;
        }
        let key = self.flights.insert(flight);
        if let Some(answer) = self.prober.launch(key, to, distinct) {
            if let Some(flight) = self.flights.remove(key) {
                self.prober.forget(key);
                self.judge(flight, answer, Instant::now());
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.groups.is_empty() && self.next_group >= self.settings.plan.groups()
    }

    /// How far the scan is.
    pub(crate) fn progress(&self) -> Progress {
        let mut progress = self.progress;
        let run = self.started.elapsed();
        progress.elapsed = self.elapsed_before.saturating_add(run);
        progress.in_flight = self.flights.len();
        progress.window = self.window.size();
        if let Prober::Connect(connect) = &self.prober {
            progress.self_connects = connect.self_connects();
        }
        let done = progress.counts.total();
        if done > 0 && done <= progress.total {
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            let rest = (progress.total - done) as f64 / done as f64;
            progress.eta = Duration::try_from_secs_f64(progress.elapsed.as_secs_f64() * rest).ok();
        }
        progress
    }

    fn report_progress(&mut self, now: Instant) {
        self.next_progress = now + self.settings.progress_every;
        let progress = self.progress();
        self.events.push_back(Event::Progress(progress));
    }

    /// The state from which an equal scan can go on.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let waiting = self.again.iter().chain(&self.later);
        let mut pending: Vec<Place> = self
            .flights
            .iter()
            .map(|(_, flight)| flight)
            .chain(waiting)
            .filter_map(|flight| match flight.purpose {
                Purpose::Port(place) => Some(place),
                Purpose::Discovery | Purpose::Decoy => None,
            })
            .collect();
        pending.sort_unstable();
        Checkpoint {
            version: Checkpoint::VERSION,
            plan: self.settings.plan.clone(),
            next_group: self.next_group,
            groups: self.groups.iter().map(Group::mark).collect(),
            pending,
            hosts: self
                .groups
                .iter()
                .flat_map(|group| group.marks(&self.hosts))
                .collect(),
            services: self.asked.clone(),
            unseen: self
                .events
                .iter()
                .filter(|event| !matches!(event, Event::Progress(_)))
                .cloned()
                .collect(),
            counts: self.progress.counts,
            total: self.progress.total,
            hosts_done: self.progress.hosts_done,
            elapsed: self.elapsed_before.saturating_add(self.started.elapsed()),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("progress", &self.progress)
            .field("in_flight", &self.flights.len())
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Takes out what is due.
trait ExtractDue {
    fn extract_if_due(&mut self, now: Instant) -> Vec<Flight>;
}

impl ExtractDue for Vec<Flight> {
    fn extract_if_due(&mut self, now: Instant) -> Vec<Flight> {
        let (due, rest) = std::mem::take(self)
            .into_iter()
            .partition(|flight| flight.not_before <= now);
        *self = rest;
        due
    }
}

/// Probes sent between two looks at the answers, and between two turns of the other tasks: about a millisecond's worth.
const BATCH: usize = 64;

/// The resolution of timeouts.
const SWEEP: Duration = Duration::from_millis(5);

/// Being polled later than this counts as having been held up.
const STALL: Duration = Duration::from_millis(100);
