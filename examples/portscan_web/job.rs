//! A scan as it is asked for, kept and shown.

use serde::{Deserialize, Serialize};

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
