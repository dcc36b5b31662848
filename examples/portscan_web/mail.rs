//! Mails reports.

use std::time::Duration;

use anyhow::Context;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
};

pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// One report on its way.
pub struct Letter<'a> {
    pub to: &'a str,
    pub subject: String,
    pub body: String,
    pub csv: Vec<u8>,
}

impl Mailer {
    pub fn new(url: &str, from: &str) -> anyhow::Result<Self> {
        // The URL may hold a password, so messages do not repeat it.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .context("the URL of the mail server cannot be understood")?
            .timeout(Some(Duration::from_secs(30)))
            .build();
        let from = from
            .parse()
            .with_context(|| format!("{from:?} is not a mail address"))?;
        Ok(Self { transport, from })
    }

    /// Refuses what is no mail address.
    pub fn check(&self, to: &str) -> anyhow::Result<()> {
        to.trim()
            .parse::<Mailbox>()
            .map(drop)
            .with_context(|| format!("{to:?} is not a mail address"))
    }

    /// Sends a letter, and tries again twice if the server does not take it.
    pub async fn send(&self, letter: Letter<'_>) -> anyhow::Result<()> {
        let csv = Attachment::new("report.csv".to_owned())
            .body(letter.csv, ContentType::parse("text/csv")?);
        let message = Message::builder()
            .from(self.from.clone())
            .to(letter.to.parse()?)
            .subject(letter.subject)
            .multipart(
                MultiPart::mixed()
                    .singlepart(SinglePart::plain(letter.body))
                    .singlepart(csv),
            )?;
        let mut wait = Duration::from_secs(1);
        loop {
            match self.transport.send(message.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_permanent() || wait > LONGEST_WAIT => {
                    return Err(error.into());
                }
                Err(error) => tracing::warn!(%error, "a mail was not taken"),
            }
            tokio::time::sleep(wait).await;
            wait *= 4;
        }
    }
}

const LONGEST_WAIT: Duration = Duration::from_secs(4);
