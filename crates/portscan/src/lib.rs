//! An asynchronous port scanner as a library: a stream of verdicts, and reports in the usual formats.
//!
//! ```no_run
//! use futures::StreamExt;
//! use portscan::{Event, Scanner};
//!
//! # async fn f() -> Result<(), portscan::Error> {
//! let mut scan = Scanner::new("127.0.0.1, 192.168.1.0/24", "22,80,8000-8080")?.start().await?;
//! let mut report = scan.report();
//! while let Some(event) = scan.next().await {
//!     report.record(&event);
//!     if let Event::Verdict(verdict) = event {
//!         println!("{} {} {} ({})", verdict.addr, verdict.port, verdict.state, verdict.reason);
//!     }
//! }
//! print!("{report}");
//! # Ok(()) }
//! ```
//!
//! [`Scanner`] describes a scan, [`Scan`] is its stream of [`Event`]s, [`Report`] collects them. What happens to a port is a
//! [`Verdict`] with its evidence; an [`Error`] only says that a scan cannot be started or a report not be written.
//!
//! # What a verdict is worth
//!
//! - **Open** means that a connection was made with something else than the probe itself. A connection on one machine can meet
//!   itself, or another probe; such a meeting is recognised, counted and made again from a chosen source port.
//! - **Closed** means that the address refused. Silence is never called closed.
//! - **Filtered** means silence on every try, or a message of a router or firewall. How many tries is learned from the loss.
//! - **Undecided** means that this machine was the cause: no descriptor, no buffer, no route, or the program was held up. The probe has
//!   been made again before that is said.
//! - An address that is open on ports chosen at random is flagged: something in between answers for it.
//!
//! # Who may be scanned
//!
//! Scan what you own, or what its owner has asked you to scan. The default [`Scope`] is this machine and private networks; the
//! default rate is 5,000 probes a second, without limit on loopback. Every scan leaves an audit line through `tracing`, target
//! `portscan::audit`.
//!
//! # Ports by likelihood
//!
//! `top:N` is made from our own table of some 280 ports (`src/top.rs`), ranked by judgement and not by measurement.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `csv` | yes | `Report::write_csv` |
//! | `json` | yes | `Report::write_json`, `write_json_lines`, `read_json`, `Checkpoint::to_json`, `from_json`; implies `serde` |
//! | `xml` | yes | `Report::write_xml` |
//! | `serde` | by `json` | `Serialize` and `Deserialize` |
//! | `tls` | no | `Scanner::tls_subjects` |
//!
//! # Platforms
//!
//! Unix, tested on Linux.

#![forbid(unsafe_code)]

mod checkpoint;
mod dry_run;
mod engine;
mod error;
mod event;
#[cfg(any(
    feature = "fuzz",
    all(test, feature = "csv", feature = "json", feature = "xml")
))]
#[doc(hidden)]
pub mod fuzz;
mod limits;
mod order;
mod pace;
mod plan;
mod ports;
mod report;
mod scan;
mod scanner;
mod scope;
mod service;
mod services;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod top;
mod verdict;
mod wire;

pub use checkpoint::Checkpoint;
pub use dry_run::DryRun;
pub use error::Error;
pub use event::{Counts, Event, HostDone, Notice, Progress, Service};
pub use pace::Retries;
pub use plan::Order;
pub use ports::{Ports, PortsError};
pub use report::{
    Change, Compliance, Diff, Expectation, ExpectationError, Finding, Header, HostReport,
    Judgement, PortReport, Report,
};
pub use scan::Scan;
pub use scanner::{Scanner, Technique};
pub use scope::Scope;
pub use services::Services;
pub use target::{Addresses, Place, Target, TargetError, Targets};
pub use verdict::{Reason, State, Verdict};
