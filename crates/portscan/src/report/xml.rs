//! The report as nmap XML, valid by nmap's own DTD.

use std::{
    io::{self, Write},
    net::IpAddr,
    time::Duration,
};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{
    Extra, HostReport, PortReport, Report, nmap_state, ranges,
    time::{asctime, unix},
};
use crate::{Error, State, Technique};

impl Report {
    /// Writes nmap XML: one `<host>` for each address, a link-local one with its zone (`fe80::1%eth0`, where nmap leaves it
    /// out; python-nmap and ndiff take both), ports too many to be listed as `<extraports>`, an undecided port with
    /// the state `unknown`, a name without an address as a `<target>` that was skipped, a banner and a certificate as nmap's scripts `banner` and `ssl-cert` give them.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] if `out` fails.
    pub fn write_xml(&self, out: impl Write) -> Result<(), Error> {
        self.nmaprun(&mut Writer::new(out))
            .map_err(|source| Error::Write {
                format: "XML",
                source,
            })
    }

    fn nmaprun<W: Write>(&self, writer: &mut Writer<W>) -> io::Result<()> {
        let header = &self.header;
        let start = unix(header.started).to_string();
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        writer.write_event(Event::Text(BytesText::from_escaped("\n")))?;
        writer.write_event(Event::DocType(BytesText::from_escaped("nmaprun")))?;
        writer.write_event(Event::Text(BytesText::from_escaped("\n")))?;
        writer
            .create_element("nmaprun")
            .with_attribute(("scanner", "nmap"))
            .with_attribute(("args", clean(&header.command_line).as_str()))
            .with_attribute(("start", start.as_str()))
            .with_attribute(("startstr", asctime(header.started).as_str()))
            .with_attribute(("version", header.version.as_str()))
            .with_attribute(("xmloutputversion", "1.05"))
            .write_inner_content(|writer| {
                line(writer)?;
                let technique = match header.technique {
                    Technique::Syn => "syn",
                    Technique::Connect | Technique::SynOrConnect => "connect",
                };
                writer
                    .create_element("scaninfo")
                    .with_attribute(("type", technique))
                    .with_attribute(("protocol", "tcp"))
                    .with_attribute(("numservices", header.ports.len().to_string().as_str()))
                    .with_attribute(("services", header.ports.to_string().as_str()))
                    .write_empty()?;
                line(writer)?;
                writer
                    .create_element("verbose")
                    .with_attribute(("level", "0"))
                    .write_empty()?;
                writer
                    .create_element("debugging")
                    .with_attribute(("level", "0"))
                    .write_empty()?;
                line(writer)?;
                for (name, _) in &self.unresolved {
                    writer
                        .create_element("target")
                        .with_attribute(("specification", clean(name).as_str()))
                        .with_attribute(("status", "skipped"))
                        .with_attribute(("reason", "invalid"))
                        .write_empty()?;
                    line(writer)?;
                }
                for host in self.hosts() {
                    write_host(host, &start, writer)?;
                    line(writer)?;
                }
                self.runstats(writer)
            })?;
        line(writer)
    }

    fn runstats<W: Write>(&self, writer: &mut Writer<W>) -> io::Result<()> {
        let took: Duration = self.progress.elapsed;
        let started = self.header.started;
        let end = started.checked_add(took).unwrap_or(started);
        let up = self.hosts.iter().filter(|host| host.up).count();
        let total = self.hosts.len();
        writer
            .create_element("runstats")
            .write_inner_content(|writer| {
                let finished = writer
                    .create_element("finished")
                    .with_attribute(("time", unix(end).to_string().as_str()))
                    .with_attribute(("timestr", asctime(end).as_str()))
                    .with_attribute(("elapsed", format!("{:.2}", took.as_secs_f64()).as_str()));
                match self.is_complete() {
                    true => finished.with_attribute(("exit", "success")),
                    false => finished
                        .with_attribute(("exit", "error"))
                        .with_attribute(("errormsg", "the scan was stopped before its end")),
                }
                .write_empty()?;
                writer
                    .create_element("hosts")
                    .with_attribute(("up", up.to_string().as_str()))
                    .with_attribute(("down", (total - up).to_string().as_str()))
                    .with_attribute(("total", total.to_string().as_str()))
                    .write_empty()?;
                Ok(())
            })?;
        line(writer)
    }
}

fn write_host<W: Write>(host: &HostReport, start: &str, writer: &mut Writer<W>) -> io::Result<()> {
    let answer = host
        .ports()
        .find(|port| matches!(port.state, State::Open | State::Closed));
    let reason = answer.map_or("no-response", |port| port.reason.as_str());
    let kind = match host.addr() {
        IpAddr::V4(_) => "ipv4",
        IpAddr::V6(_) => "ipv6",
    };
    writer
        .create_element("host")
        .with_attribute(("starttime", start))
        .write_inner_content(|writer| {
            writer
                .create_element("status")
                .with_attribute(("state", host.state()))
                .with_attribute((
                    "reason",
                    if host.up && answer.is_none() {
                        "user-set"
                    } else {
                        reason
                    },
                ))
                .with_attribute(("reason_ttl", "0"))
                .write_empty()?;
            writer
                .create_element("address")
                .with_attribute(("addr", clean(&host.scoped_addr()).as_str()))
                .with_attribute(("addrtype", kind))
                .write_empty()?;
            writer
                .create_element("hostnames")
                .write_inner_content(|writer| {
                    if !host.hostname().is_empty() {
                        writer
                            .create_element("hostname")
                            .with_attribute(("name", clean(host.hostname()).as_str()))
                            .with_attribute(("type", "user"))
                            .write_empty()?;
                    }
                    Ok(())
                })?;
            let (listed, extras) = host.listed();
            writer
                .create_element("ports")
                .write_inner_content(|writer| {
                    extras
                        .iter()
                        .try_for_each(|extra| write_extra(extra, writer))?;
                    listed
                        .into_iter()
                        .try_for_each(|port| write_port(port, writer))
                })?;
            Ok(())
        })?;
    Ok(())
}

fn write_extra<W: Write>(extra: &Extra, writer: &mut Writer<W>) -> io::Result<()> {
    writer
        .create_element("extraports")
        .with_attribute(("state", nmap_state(extra.state)))
        .with_attribute(("count", extra.count().to_string().as_str()))
        .write_inner_content(|writer| {
            for (reason, ports) in &extra.reasons {
                writer
                    .create_element("extrareasons")
                    .with_attribute(("reason", reason.as_str()))
                    .with_attribute(("count", ports.len().to_string().as_str()))
                    .with_attribute(("proto", "tcp"))
                    .with_attribute(("ports", ranges(ports).as_str()))
                    .write_empty()?;
            }
            Ok(())
        })?;
    line(writer)
}

fn write_port<W: Write>(port: PortReport<'_>, writer: &mut Writer<W>) -> io::Result<()> {
    writer
        .create_element("port")
        .with_attribute(("protocol", "tcp"))
        .with_attribute(("portid", port.port.to_string().as_str()))
        .write_inner_content(|writer| {
            writer
                .create_element("state")
                .with_attribute(("state", nmap_state(port.state)))
                .with_attribute(("reason", port.reason.as_str()))
                .with_attribute(("reason_ttl", "0"))
                .write_empty()?;
            if !port.name().is_empty() {
                writer
                    .create_element("service")
                    .with_attribute(("name", port.name()))
                    .with_attribute(("method", "table"))
                    .with_attribute(("conf", "3"))
                    .write_empty()?;
            }
            if let Some(banner) = port.banner() {
                script("banner", banner, writer)?;
            }
            if let Some(subject) = port.tls_subject() {
                script("ssl-cert", &format!("Subject: {subject}"), writer)?;
            }
            Ok(())
        })?;
    line(writer)
}

fn script<W: Write>(id: &str, output: &str, writer: &mut Writer<W>) -> io::Result<()> {
    writer
        .create_element("script")
        .with_attribute(("id", id))
        .with_attribute(("output", clean(output).as_str()))
        .write_empty()?;
    Ok(())
}

fn line<W: Write>(writer: &mut Writer<W>) -> io::Result<()> {
    writer.write_event(Event::Text(BytesText::from_escaped("\n")))
}

/// A text without the characters that XML 1.0 cannot hold, not even escaped.
fn clean(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars()
        .map(|c| if allowed(c) { c } else { '\u{fffd}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn what_the_network_says_cannot_break_the_document() {
        assert_eq!(
            clean("a\u{1}b\u{0}\u{ffff}\u{1f600}\n"),
            "a\u{fffd}b\u{fffd}\u{fffd}\u{1f600}\n"
        );
        let mut out = Vec::new();
        sample::report().write_xml(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("output=\"=SSH-2.0-&quot;x&quot;;&lt;y&gt;\""),
            "{text}"
        );
        assert!(
            text.contains("args=\"portscan &lt;x&gt; &amp; &quot;y&quot;\""),
            "{text}"
        );
        assert!(
            text.contains("<target specification=\"gone.example\" status=\"skipped\""),
            "{text}"
        );
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut hosts = 0;
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) if tag.name().as_ref() == b"host" => hosts += 1,
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(hosts, 2);
    }
    #[test]
    fn a_link_local_address_has_its_zone() {
        let mut out = Vec::new();
        sample::link_local().write_xml(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("<address addr=\"fe80::1%eth0\" addrtype=\"ipv6\"/>"),
            "{text}"
        );
    }
}
