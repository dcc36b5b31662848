//! Files and the progress bar.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use portscan::{Checkpoint, Progress, Report};

/// Refuses what cannot be written in the end, before anything is scanned: an extension that names no format, a folder that
/// does not exist or is closed to this user.
pub fn check_files(files: &[PathBuf]) -> anyhow::Result<()> {
    for file in files {
        if !FORMATS.contains(&extension(file)) {
            bail!(
                "{}: the extension names the format, one of .{}",
                file.display(),
                FORMATS.join(" .")
            );
        }
        let partial = partial(file);
        File::create(&partial)
            .and_then(|_| fs::remove_file(&partial))
            .with_context(|| format!("writing {} is not possible", file.display()))?;
    }
    Ok(())
}

/// Writes a report; a file is whole or as it was.
pub fn write(report: &Report, file: &Path) -> anyhow::Result<()> {
    replace(file, |out| match extension(file) {
        "json" => report.write_json(out),
        "jsonl" => report.write_json_lines(out),
        "csv" => report.write_csv(out),
        "xml" => report.write_xml(out),
        _ => write!(out, "{report}").map_err(|source| portscan::Error::Write {
            format: "text",
            source,
        }),
    })
}

pub fn read_report(file: &Path) -> anyhow::Result<Report> {
    let name = || format!("reading {} failed", file.display());
    Report::read_json(File::open(file).with_context(name)?).with_context(name)
}

/// An interrupted scan: where it stopped, and what it has found.
pub struct Saved {
    json: String,
}

impl Saved {
    pub fn new(checkpoint: &Checkpoint, report: &Report) -> anyhow::Result<Self> {
        let mut json = checkpoint.to_json().into_bytes();
        json.push(b'\n');
        report.write_json_lines(&mut json)?;
        Ok(Self {
            json: String::from_utf8(json)?,
        })
    }

    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        replace(file, |out| {
            out.write_all(self.json.as_bytes())
                .map_err(|source| portscan::Error::Write {
                    format: "checkpoint",
                    source,
                })
        })
    }

    pub fn read(file: &Path) -> anyhow::Result<(Checkpoint, Report)> {
        let name = || format!("reading {} failed", file.display());
        let text = fs::read_to_string(file).with_context(name)?;
        let (checkpoint, report) = text.split_once('\n').unwrap_or((&text, ""));
        Ok((
            Checkpoint::from_json(checkpoint).with_context(name)?,
            Report::read_json(report.as_bytes()).with_context(name)?,
        ))
    }
}

fn replace(
    file: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), portscan::Error>,
) -> anyhow::Result<()> {
    let name = || format!("writing {} failed", file.display());
    let partial = partial(file);
    let mut out = BufWriter::new(File::create(&partial).with_context(name)?);
    fill(&mut out).with_context(name)?;
    out.flush().with_context(name)?;
    fs::rename(&partial, file).with_context(name)
}

/// Where a file is written before it takes its place.
fn partial(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn extension(file: &Path) -> &str {
    file.extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

const FORMATS: [&str; 5] = ["txt", "json", "jsonl", "csv", "xml"];

/// A progress bar on a terminal, or nothing.
pub struct Bar(ProgressBar);

impl Bar {
    pub fn new(shown: bool) -> Self {
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = "{bar:30} {pos}/{len} {percent}% {msg} ETA {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub fn show(&self, progress: &Progress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.counts.total());
        self.0.set_message(format!(
            "{} open, {} in flight",
            progress.counts.open, progress.in_flight
        ));
    }

    /// Prints without tearing the bar.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
