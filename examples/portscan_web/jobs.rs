//! Scans in the background: their life, what is heard of them, and what is kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use portscan::{
    Checkpoint, Diff, Event, Expectation, Ports, Report, Scan, Scanner, Scope, State, Targets,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};
use tokio_util::task::TaskTracker;

use crate::{
    mail::{Letter, Mailer},
    store::Store,
};

/// What a person asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub targets: String,
    pub ports: String,
    /// Who gets the report.
    #[serde(default)]
    pub mail: String,
    /// No mail if nothing changed since the scan of the same targets and ports before.
    #[serde(default)]
    pub only_changes: bool,
    #[serde(default)]
    pub banners: bool,
    /// What ought to be open.
    #[serde(default)]
    pub expect: String,
}

/// A scan as it is kept and shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    pub id: u64,
    #[serde(flatten)]
    pub request: Request,
    pub status: Status,
    /// Seconds since 1970.
    pub started: u64,
    pub decided: u64,
    pub total: u64,
    pub open: u64,
    /// What changed since the scan before, in words; `None` where there is none to compare with.
    pub changes: Option<Vec<String>>,
    /// Whether it is as expected, in words.
    pub judgement: Option<String>,
    /// What became of the mail.
    pub mailed: Option<String>,
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Running,
    Done,
    Stopped,
    Failed,
}

/// What is heard of a running scan.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum News {
    Open {
        addr: String,
        port: u16,
        name: String,
    },
    Progress {
        job: Box<Job>,
    },
    Notice {
        text: String,
    },
    End {
        job: Box<Job>,
    },
}

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

    /// Goes on with what was running when the program ended.
    pub async fn resume(self: &Arc<Self>) -> anyhow::Result<()> {
        for mut job in self
            .list()
            .await?
            .into_iter()
            .filter(|job| job.status == Status::Running)
        {
            let checkpoint = self.store.get_text("checkpoint", job.id).await?;
            let scanner = match checkpoint.map(|text| Checkpoint::from_json(&text)) {
                Some(Ok(checkpoint)) => Scanner::resume(checkpoint),
                Some(Err(_)) | None => scanner(&job.request)?,
            };
            let earlier = self.report(job.id).await?;
            let scan = self.describe(scanner, &job.request).start().await;
            match scan {
                Ok(scan) => self.spawn(job, scan, earlier),
                Err(error) => {
                    job.status = Status::Failed;
                    job.error = Some(error.to_string());
                    self.store.put("job", job.id, &job).await?;
                }
            }
        }
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
        self.store.put("job", job.id, &job).await?;
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
                    self.save(id, &scan).await?;
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
                let name = report
                    .host(verdict.addr)
                    .and_then(|host| host.port(verdict.port));
                tell(News::Open {
                    addr: verdict.addr.to_string(),
                    port: verdict.port,
                    name: name.map_or("", |port| port.name()).to_owned(),
                });
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

    /// Keeps what is known of a running scan.
    async fn save(&self, id: u64, scan: &Scan) -> anyhow::Result<()> {
        let (job, report) = match lock(&self.running).get(&id) {
            Some(Running {
                job,
                report: Some(report),
                ..
            }) => (job.clone(), to_json(report)?),
            _ => return Ok(()),
        };
        self.store
            .put_text("checkpoint", id, &scan.checkpoint().to_json())
            .await?;
        self.store.put_text("report", id, &report).await?;
        self.store.put("job", id, &job).await
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
        // Known before it is mailed: a mail server may take its time.
        self.store.put("job", id, &job).await?;
        job.mailed = self.mail(&job, &report, diff.as_ref()).await;
        self.store.put("job", id, &job).await?;
        self.store.forget("checkpoint", id).await?;
        if let Some(running) = lock(&self.running).remove(&id) {
            drop(running.news.send(News::End { job: Box::new(job) }));
        }
        Ok(())
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

    async fn mail(&self, job: &Job, report: &Report, diff: Option<&Diff>) -> Option<String> {
        let to = job.request.mail.trim();
        let mailer = self.mailer.as_ref().filter(|_| !to.is_empty())?;
        if job.request.only_changes && diff.is_some_and(Diff::is_empty) {
            return Some("not sent, nothing changed".to_owned());
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
        Some(match mailer.send(letter).await {
            Ok(()) => format!("sent to {to}"),
            Err(error) => format!("not sent: {error:#}"),
        })
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
            None => self.store.get("job", id).await,
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
        let text = self.store.get_text("report", id).await?;
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
                let (addr, name) = (host.addr().to_string(), port.name().to_owned());
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
