//! The report as text for a person.

use std::fmt;

use super::{Extra, HostReport, Report, ranges, time::asctime};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# {}, begun {} UTC",
            self.command_line(),
            asctime(self.header.started)
        )?;
        for (name, error) in &self.unresolved {
            writeln!(f, "\n{name}: not resolved ({error})")?;
        }
        for note in &self.notes {
            writeln!(f, "\nNote: {note}")?;
        }
        for host in self.hosts() {
            writeln!(f)?;
            write_host(host, f)?;
        }
        let (counts, took) = (self.counts(), self.progress.elapsed);
        writeln!(
            f,
            "\n{} of {} addresses, {} open, {} closed, {} filtered, {} undecided, in {:.2} s{}",
            self.progress.hosts_done,
            self.header.addresses,
            counts.open,
            counts.closed,
            counts.filtered,
            counts.undecided,
            took.as_secs_f64(),
            if self.is_complete() {
                ""
            } else {
                " (incomplete)"
            },
        )
    }
}

fn write_host(host: &HostReport, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let addr = host.scoped_addr();
    match host.hostname() {
        "" => write!(f, "{addr}")?,
        name => write!(f, "{name} ({addr})")?,
    }
    write!(f, " is {}", host.state())?;
    if let Some(rtt) = host.rtt() {
        write!(f, ", round trip {:.2} ms", rtt.as_secs_f64() * 1000.0)?;
    }
    writeln!(f)?;
    if host.answers_everything() {
        writeln!(
            f,
            "  It is open on ports chosen at random too: something between answers for it."
        )?;
    }
    let (listed, extras) = host.listed();
    for port in listed {
        write!(
            f,
            "  {:>5}/tcp  {:<9}  {:<16} {}",
            port.port,
            port.state,
            port.name(),
            port.reason
        )?;
        if let Some(errno) = port.errno.filter(|_| port.state == crate::State::Undecided) {
            write!(f, " (error {errno})")?;
        }
        if let Some(banner) = port.banner() {
            write!(f, "  {banner}")?;
        }
        if let Some(subject) = port.tls_subject() {
            write!(f, "  {}", subject.escape_debug())?;
        }
        writeln!(f)?;
    }
    for extra in extras {
        writeln!(
            f,
            "  {} {} ports: {}",
            extra.count(),
            extra.state,
            reasons(&extra)
        )?;
    }
    Ok(())
}

fn reasons(extra: &Extra) -> String {
    let each = extra
        .reasons
        .iter()
        .map(|(reason, ports)| match ports.len() {
            1..=8 => format!("{} {reason} ({})", ports.len(), ranges(ports)),
            count => format!("{count} {reason}"),
        });
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn the_text_says_everything_in_few_lines() {
        let text = sample::report().to_string();
        for line in [
            "# portscan <x> & \"y\", begun Thu Oct  9 08:53:21 2025 UTC",
            "gone.example: not resolved (no address)",
            "www.example.test (192.0.2.10) is up, round trip 0.12 ms",
            "     22/tcp  open       ssh              syn-ack  =SSH-2.0-\"x\";<y>",
            "  101 filtered ports: 101 no-response",
            "     22/tcp  undecided  ssh              out-of-descriptors",
            "2 of 2 addresses, 2 open, 1 closed, 101 filtered, 1 undecided, in 1.02 s",
        ] {
            assert!(
                text.lines().any(|got| got == line),
                "{line:?} is not in\n{text}"
            );
        }
    }
}
