//! Scans in the background: their life, what is heard of them, and what is kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use portscan::{
    Checkpoint, Diff, Event, Expectation, PortReport, Ports, Report, Scan, Scanner, Scope, State,
    Targets,
};
use tokio::sync::{broadcast, watch};
use tokio_util::task::TaskTracker;

use crate::{
    job::{Job, News, Request, Status},
    mail::{Letter, Mailer},
    store::Store,
};

/// A scan that runs in this process.
struct Running {
    job: Job,
    report: Option<Report>,
    news: broadcast::Sender<News>,
    stop: watch::Sender<Stop>,
}

/// Why a scan is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    /// A person has had enough of it.
    Asked,
    /// The program ends; the scan goes on when it starts again.
    Shutdown,
}

pub struct Jobs {
    store: Store,
    scope: Scope,
    mailer: Option<Mailer>,
    running: Mutex<BTreeMap<u64, Running>>,
    tasks: TaskTracker,
}

impl Jobs {
    pub fn new(store: Store, scope: Scope, mailer: Option<Mailer>) -> Self {
        Self {
            store,
            scope,
            mailer,
            running: Mutex::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Goes on with what was running when the program ended, and with mails that were not sent yet.
    pub async fn resume(self: &Arc<Self>) -> anyhow::Result<()> {
        for mut job in self.list().await? {
            if job.status == Status::Running {
                if let Err(error) = self.go_on(&job).await {
                    job.status = Status::Failed;
                    job.error = Some(format!("it could not go on: {error:#}"));
                    self.put(&job, None).await?;
                }
            } else if job.mailed.is_none() && self.is_to_be_mailed(&job) {
                let jobs = Arc::clone(self);
                self.tasks.spawn(async move {
                    if let Err(error) = jobs.mail_again(job).await {
                        tracing::error!(%error, "a report could not be mailed");
                    }
                });
            }
        }
        Ok(())
    }

    async fn go_on(self: &Arc<Self>, job: &Job) -> anyhow::Result<()> {
        let scanner = match self.store.get(job.id, "checkpoint").await? {
            Some(text) => Scanner::resume(Checkpoint::from_json(&text)?),
            None => scanner(&job.request)?,
        };
        let earlier = self.report(job.id).await?;
        let scan = self.describe(scanner, &job.request).start().await?;
        self.spawn(job.clone(), scan, earlier);
        Ok(())
    }

    /// Starts a scan; the error is what a person did wrong.
    pub async fn start(self: &Arc<Self>, request: Request) -> anyhow::Result<Job> {
        anyhow::ensure!(
            lock(&self.running).len() < MOST_RUNNING,
            "{MOST_RUNNING} scans are running; wait for one or stop one"
        );
        if !request.expect.trim().is_empty() {
            request.expect.parse::<Expectation>()?;
        }
        if !request.mail.trim().is_empty() {
            let mailer = self.mailer.as_ref();
            mailer
                .ok_or_else(|| anyhow::anyhow!("no mail server is configured (--smtp)"))?
                .check(&request.mail)?;
        }
        let scan = self.describe(scanner(&request)?, &request).start().await?;
        let job = Job {
            id: self.store.next_id().await?,
            request,
            status: Status::Running,
            started: unix_now(&scan),
            decided: 0,
            total: scan.progress().total,
            open: 0,
            changes: None,
            judgement: None,
            mailed: None,
            error: None,
        };
        self.put(&job, None).await?;
        self.spawn(job.clone(), scan, None);
        Ok(job)
    }

    fn describe(&self, scanner: Scanner, request: &Request) -> Scanner {
        scanner
            .scope(self.scope.clone())
            .banners(request.banners)
            .command_line(format!(
                "portscan-web {} {}",
                request.targets, request.ports
            ))
    }

    fn spawn(self: &Arc<Self>, job: Job, scan: Scan, earlier: Option<Report>) {
        let (news, _) = broadcast::channel(1024);
        let (stop, stopped) = watch::channel(Stop::No);
        let mut report = scan.report();
        if let Some(earlier) = &earlier {
            report.merge(earlier);
        }
        let id = job.id;
        lock(&self.running).insert(
            id,
            Running {
                job,
                report: Some(report),
                news,
                stop,
            },
        );
        let jobs = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = jobs.run(id, scan, stopped).await {
                tracing::error!(job = id, %error, "a scan could not be kept");
                jobs.fail(id, &error);
            }
        });
    }

    async fn run(
        &self,
        id: u64,
        mut scan: Scan,
        mut stopped: watch::Receiver<Stop>,
    ) -> anyhow::Result<()> {
        let mut save = tokio::time::interval(SAVE_EVERY);
        let mut reason = Stop::No;
        loop {
            let event = tokio::select! {
                event = scan.next() => event,
                changed = stopped.changed(), if reason == Stop::No => {
                    reason = if changed.is_ok() { *stopped.borrow() } else { Stop::Shutdown };
                    scan.stop();
                    continue;
                }
                _ = save.tick() => {
                    // It may be possible again next time.
                    if let Err(error) = self.save(id, &scan).await {
                        tracing::warn!(job = id, %error, "a running scan could not be kept");
                    }
                    continue;
                }
            };
            let Some(event) = event else { break };
            self.record(id, &event);
        }
        self.save(id, &scan).await?;
        match reason {
            Stop::Shutdown if !scan.checkpoint().is_finished() => {
                lock(&self.running).remove(&id);
                Ok(())
            }
            _ => self.finish(id, reason).await,
        }
    }

    /// Ends a scan whose end cannot be kept; those who watch it hear why.
    fn fail(&self, id: u64, error: &anyhow::Error) {
        if let Some(mut running) = lock(&self.running).remove(&id) {
            running.job.status = Status::Failed;
            running.job.error = Some(format!("it could not be kept: {error:#}"));
            let job = Box::new(running.job);
            // Nobody may be listening.
            drop(running.news.send(News::End { job }));
        }
    }

    fn record(&self, id: u64, event: &Event) {
        let mut running = lock(&self.running);
        let Some(Running {
            job,
            report: Some(report),
            news,
            ..
        }) = running.get_mut(&id)
        else {
            return;
        };
        report.record(event);
        // Nobody may be listening.
        let tell = |item| drop(news.send(item));
        match event {
            Event::Verdict(verdict) if verdict.state == State::Open => {
                job.open += 1;
                if let Some(host) = report.host(verdict.addr) {
                    let name = host.port(verdict.port).map_or("", PortReport::name);
                    tell(News::Open {
                        addr: host.scoped_addr(),
                        port: verdict.port,
                        name: name.to_owned(),
                    });
                }
            }
            Event::Progress(progress) => {
                (job.decided, job.total, job.open) = (
                    progress.counts.total(),
                    progress.total,
                    progress.counts.open,
                );
                tell(News::Progress {
                    job: Box::new(job.clone()),
                });
            }
            Event::Notice(notice) => tell(News::Notice {
                text: notice.to_string(),
            }),
            _ => {}
        }
    }

    /// Keeps what is known of a running scan: what was found, and from where to go on, as of the same moment.
    async fn save(&self, id: u64, scan: &Scan) -> anyhow::Result<()> {
        let (job, report) = match lock(&self.running).get(&id) {
            Some(Running {
                job,
                report: Some(report),
                ..
            }) => (serde_json::to_string(job)?, to_json(report)?),
            _ => return Ok(()),
        };
        let checkpoint = scan.checkpoint().to_json();
        let fields = [("job", job), ("report", report), ("checkpoint", checkpoint)];
        self.store
            .put(
                id,
                &fields.each_ref().map(|(name, text)| (*name, text.as_str())),
            )
            .await
    }

    async fn put(&self, job: &Job, report: Option<&str>) -> anyhow::Result<()> {
        let text = serde_json::to_string(job)?;
        let mut fields = vec![("job", text.as_str())];
        fields.extend(report.map(|report| ("report", report)));
        self.store.put(job.id, &fields).await
    }

    async fn finish(&self, id: u64, reason: Stop) -> anyhow::Result<()> {
        let (mut job, report) = match lock(&self.running).get_mut(&id) {
            Some(Running { job, report, .. }) => (job.clone(), report.take()),
            None => return Ok(()),
        };
        let Some(report) = report else { return Ok(()) };
        job.status = if reason == Stop::No {
            Status::Done
        } else {
            Status::Stopped
        };
        let diff = self.changes(&job, &report).await?;
        job.changes = diff
            .as_ref()
            .map(|diff| diff.changes.iter().map(ToString::to_string).collect());
        if let Ok(expected) = job.request.expect.parse::<Expectation>() {
            job.judgement = Some(report.check(&expected).to_string());
        }
        // Known before it is mailed: a mail server may take its time, and the next start sends what this one could not.
        self.store.forget(id, "checkpoint").await?;
        self.put(&job, Some(&to_json(&report)?)).await?;
        if self.is_to_be_mailed(&job) {
            job.mailed = Some(self.mail(&job, &report, diff.as_ref()).await);
            self.put(&job, None).await?;
        }
        if let Some(running) = lock(&self.running).remove(&id) {
            drop(running.news.send(News::End { job: Box::new(job) }));
        }
        Ok(())
    }

    async fn mail_again(&self, mut job: Job) -> anyhow::Result<()> {
        let Some(report) = self.report(job.id).await? else {
            return Ok(());
        };
        let diff = self.changes(&job, &report).await?;
        job.mailed = Some(self.mail(&job, &report, diff.as_ref()).await);
        self.put(&job, None).await
    }

    /// What changed since the last finished scan of the same targets and ports.
    async fn changes(&self, job: &Job, report: &Report) -> anyhow::Result<Option<Diff>> {
        let same = |other: &Job| {
            other.id < job.id
                && other.status == Status::Done
                && (&other.request.targets, &other.request.ports)
                    == (&job.request.targets, &job.request.ports)
        };
        let Some(before) = self.list().await?.into_iter().find(same) else {
            return Ok(None);
        };
        Ok(self
            .report(before.id)
            .await?
            .map(|before| report.changes_since(&before)))
    }

    fn is_to_be_mailed(&self, job: &Job) -> bool {
        self.mailer.is_some() && !job.request.mail.trim().is_empty()
    }

    /// Mails a report, and says what became of it.
    async fn mail(&self, job: &Job, report: &Report, diff: Option<&Diff>) -> String {
        let to = job.request.mail.trim();
        if job.request.only_changes && diff.is_some_and(Diff::is_empty) {
            return "not sent, nothing changed".to_owned();
        }
        let mut csv = Vec::new();
        let letter = Letter {
            to,
            subject: format!(
                "portscan {} {}: {} open{}",
                job.request.targets,
                job.request.ports,
                job.open,
                diff.map_or(String::new(), |diff| format!(
                    ", {} changed",
                    diff.changes.len()
                ))
            ),
            body: format!(
                "{}{}{report}",
                job.judgement.clone().unwrap_or_default(),
                diff.map_or(String::new(), |diff| format!(
                    "Since the scan before:\n{diff}\n"
                ))
            ),
            csv: report.write_csv(&mut csv).map(|()| csv).unwrap_or_default(),
        };
        let sent = match &self.mailer {
            Some(mailer) => mailer.send(letter).await,
            None => Err(anyhow::anyhow!("no mail server is configured")),
        };
        match sent {
            Ok(()) => format!("sent to {to}"),
            Err(error) => format!("not sent: {error:#}"),
        }
    }

    /// All scans that are remembered, the newest first.
    pub async fn list(&self) -> anyhow::Result<Vec<Job>> {
        let last = self.store.last_id().await?;
        let mut jobs = Vec::new();
        for id in (last.saturating_sub(MOST_LISTED) + 1..=last).rev() {
            jobs.extend(self.job(id).await?);
        }
        Ok(jobs)
    }

    pub async fn job(&self, id: u64) -> anyhow::Result<Option<Job>> {
        let running = lock(&self.running)
            .get(&id)
            .map(|running| running.job.clone());
        match running {
            Some(job) => Ok(Some(job)),
            None => {
                let text = self.store.get(id, "job").await?;
                Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
            }
        }
    }

    /// The report so far, or the whole one.
    pub async fn report(&self, id: u64) -> anyhow::Result<Option<Report>> {
        let running = lock(&self.running)
            .get(&id)
            .and_then(|running| running.report.clone());
        if running.is_some() {
            return Ok(running);
        }
        let text = self.store.get(id, "report").await?;
        Ok(text
            .map(|text| Report::read_json(text.as_bytes()))
            .transpose()?)
    }

    /// What was found open so far, and all that follows; `None` if the scan does not run.
    pub fn listen(&self, id: u64) -> Option<(Vec<News>, broadcast::Receiver<News>)> {
        let running = lock(&self.running);
        let running = running.get(&id)?;
        let mut so_far = vec![News::Progress {
            job: Box::new(running.job.clone()),
        }];
        for host in running.report.iter().flat_map(Report::hosts) {
            for port in host.ports().filter(|port| port.state == State::Open) {
                let (addr, name) = (host.scoped_addr(), port.name().to_owned());
                so_far.push(News::Open {
                    addr,
                    port: port.port,
                    name,
                });
            }
        }
        // Under the same lock as everything that is told: nothing is missed, nothing comes twice.
        Some((so_far, running.news.subscribe()))
    }

    /// Stops a scan; says whether it ran.
    pub fn stop(&self, id: u64) -> bool {
        lock(&self.running)
            .get(&id)
            .is_some_and(|running| running.stop.send(Stop::Asked).is_ok())
    }

    /// Stops every scan in a state from which it goes on, and waits until all is kept.
    pub async fn shut_down(&self) {
        for running in lock(&self.running).values() {
            // A scan that has just ended listens no more.
            let _ = running.stop.send(Stop::Shutdown);
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn scanner(request: &Request) -> anyhow::Result<Scanner> {
    let targets: Targets = request.targets.parse()?;
    let ports: Ports = request.ports.parse()?;
    Ok(Scanner::of(targets, ports))
}

fn to_json(report: &Report) -> anyhow::Result<String> {
    let mut json = Vec::new();
    report.write_json_lines(&mut json)?;
    Ok(String::from_utf8(json)?)
}

fn unix_now(scan: &Scan) -> u64 {
    let started = scan.report().scan_info().started;
    started
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often a running scan is kept.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// Scans at the same time.
const MOST_RUNNING: usize = 8;

/// Scans in the list.
const MOST_LISTED: u64 = 100;
