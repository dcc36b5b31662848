//! A port scanner for the command line: `cargo run --example portscan -- 127.0.0.1 1-1024`.
//!
//! Prints `Opened Port: N` as each is found and the sorted list at the end. Exit codes: 0 open ports were found, 1 none is
//! open, 2 bad use, 3 incomplete, 4 not as `--expect` says.

mod args;
mod interrupted;
mod output;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use futures::StreamExt;
use portscan::{Compliance, Event, HostReport, Report, Scan, State, Verdict};

use self::{
    args::{Args, Job},
    output::{Bar, Saved},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    if args.verbose {
        tracing_subscriber::fmt().with_writer(io::stderr).init();
    }
    match run(args).await {
        Ok(end) => ExitCode::from(end as u8),
        Err(error) => {
            eprintln!("portscan: {error:#}");
            ExitCode::from(End::BadUse as u8)
        }
    }
}

/// How a scan ended; the numbers are the exit codes.
#[derive(Clone, Copy)]
enum End {
    Open = 0,
    NoneOpen = 1,
    BadUse = 2,
    Incomplete = 3,
    Unexpected = 4,
}

async fn run(args: Args) -> anyhow::Result<End> {
    let job = args.job()?;
    if args.dry_run {
        println!("{}", job.scanner.dry_run().await?);
        return Ok(End::Open);
    }
    output::check_files(&args.output)?;
    let before = args.diff.as_deref().map(output::read_report).transpose()?;
    let Job { scanner, earlier } = job;
    let scan = scanner.start().await?;
    let mut found = Found {
        many: scan.report().scan_info().addresses > 1,
        out: io::stdout(),
    };
    let (scan, mut report) = watch(scan, &mut found).await;
    if let Some(earlier) = earlier {
        report.merge(&earlier);
    }
    found.list(&report);
    let kept = keep(&args, &scan, &report);
    let end = judge(&args, &report, before.as_ref());
    Ok(if kept { end } else { End::Incomplete })
}

/// Writes the reports, and where to go on. What cannot be written does not keep the rest from being written.
fn keep(args: &Args, scan: &Scan, report: &Report) -> bool {
    let mut written: Vec<anyhow::Result<()>> = args
        .output
        .iter()
        .map(|file| output::write(report, file))
        .collect();
    if !report.is_complete() {
        let file = args
            .checkpoint
            .clone()
            .unwrap_or_else(|| PathBuf::from("portscan.checkpoint"));
        let saved = Saved::new(&scan.checkpoint(), report).and_then(|saved| saved.write(&file));
        if saved.is_ok() {
            eprintln!("stopped; to go on: portscan --resume {}", file.display());
        }
        written.push(saved);
    }
    for error in written.iter().filter_map(|result| result.as_ref().err()) {
        eprintln!("portscan: {error:#}");
    }
    written.iter().all(Result::is_ok)
}

/// Runs the scan to its end, or until it is interrupted.
async fn watch(mut scan: Scan, found: &mut Found) -> (Scan, Report) {
    let mut report = scan.report();
    let bar = Bar::new(io::stderr().is_terminal());
    let mut interrupted = std::pin::pin!(interrupted::interrupted());
    let mut stopping = false;
    loop {
        let event = tokio::select! {
            () = &mut interrupted, if !stopping => {
                stopping = true;
                scan.stop();
                continue;
            }
            event = scan.next() => event,
        };
        let Some(event) = event else { break };
        report.record(&event);
        match &event {
            Event::Verdict(verdict) if verdict.state == State::Open => {
                // Whoever read the output has gone: the scan has nobody to tell.
                let printed = bar.suspend(|| found.one(verdict, &report));
                if printed.is_err() && !stopping {
                    stopping = true;
                    scan.stop();
                }
            }
            Event::Progress(progress) => bar.show(progress),
            Event::Notice(notice) => bar.suspend(|| eprintln!("portscan: {notice}")),
            _ => {}
        }
    }
    bar.finish();
    (scan, report)
}

/// Prints open ports.
struct Found {
    /// Whether ports need their address beside them.
    many: bool,
    out: io::Stdout,
}

impl Found {
    fn one(&mut self, verdict: &Verdict, report: &Report) -> io::Result<()> {
        match report.host(verdict.addr).filter(|_| self.many) {
            Some(host) => {
                let addr = host.scoped_addr();
                writeln!(self.out, "Opened Port: {} ({addr})", verdict.port)
            }
            None => writeln!(self.out, "Opened Port: {}", verdict.port),
        }
    }

    fn list(&mut self, report: &Report) {
        let mut lines = vec!["Opened ports:".to_owned()];
        for host in report.hosts() {
            for port in host.open_ports() {
                lines.push(if self.many {
                    format!("{port} ({})", host.scoped_addr())
                } else {
                    port.to_string()
                });
            }
        }
        // A reader that has gone was noticed before.
        let _ = writeln!(self.out, "{}", lines.join("\n"));
    }
}

fn judge(args: &Args, report: &Report, before: Option<&Report>) -> End {
    if let Some(before) = before {
        print!("{}", report.changes_since(before));
    }
    let mut end = if report.counts().open > 0 {
        End::Open
    } else {
        End::NoneOpen
    };
    if let Some(expected) = &args.expect {
        let judgement = report.check(expected);
        print!("{judgement}");
        end = match judgement.compliance {
            Compliance::Met => End::Open,
            Compliance::Broken => End::Unexpected,
            Compliance::Unknown => End::Incomplete,
        };
    }
    let undecided = report.counts().undecided;
    if undecided > 0 {
        let causes: BTreeSet<&str> = report
            .hosts()
            .flat_map(HostReport::ports)
            .filter(|port| port.state == State::Undecided)
            .map(|port| port.reason.as_str())
            .collect();
        let causes = causes.into_iter().collect::<Vec<_>>().join(", ");
        eprintln!("portscan: {undecided} ports are undecided, by this machine's fault: {causes}");
    }
    if (!report.is_complete() || undecided > 0 || !report.unresolved().is_empty())
        && !matches!(end, End::Unexpected)
    {
        end = End::Incomplete;
    }
    end
}
