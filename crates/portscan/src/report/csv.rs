//! The report as CSV, with exactly the columns of python-nmap's `csv()`.

use std::io::Write;

use super::{HostReport, PortReport, Report};
use crate::Error;

impl Report {
    /// Writes CSV as python-nmap does: `;` between fields, `\r\n` behind rows, and these columns:
    /// `host;hostname;hostname_type;protocol;port;name;state;product;extrainfo;reason;version;conf;cpe`.
    ///
    /// The host is its address, a link-local one with its zone (`fe80::1%eth0`). The product is the banner, the extra information the subject of the certificate. A cell that a spreadsheet would take for a
    /// formula begins with `'`. Ports that are too many to be listed, other than open ones, have no row.
    ///
    /// # Errors
    ///
    /// [`Error::Write`] if `out` fails.
    pub fn write_csv(&self, out: impl Write) -> Result<(), Error> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(b';')
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        let failed = |error: csv::Error| Error::Write {
            format: "CSV",
            source: error.into(),
        };
        writer.write_record(COLUMNS).map_err(failed)?;
        let mut hosts: Vec<(String, &HostReport)> = self
            .hosts()
            .map(|host| (host.scoped_addr(), host))
            .collect();
        // python-nmap sorts addresses as texts.
        hosts.sort_by(|a, b| a.0.cmp(&b.0));
        for (addr, host) in hosts {
            for port in host.listed().0 {
                writer
                    .write_record(row(&addr, host, port))
                    .map_err(failed)?;
            }
        }
        writer.flush().map_err(|source| Error::Write {
            format: "CSV",
            source,
        })
    }
}

fn row(addr: &str, host: &HostReport, port: PortReport<'_>) -> [String; 13] {
    let name = port.name();
    [
        addr.to_owned(),
        host.hostname().to_owned(),
        if host.hostname().is_empty() {
            ""
        } else {
            "user"
        }
        .to_owned(),
        "tcp".to_owned(),
        port.port.to_string(),
        guarded(name),
        super::nmap_state(port.state).to_owned(),
        guarded(port.banner().unwrap_or_default()),
        guarded(port.tls_subject().unwrap_or_default()),
        port.reason.as_str().to_owned(),
        String::new(),
        if name.is_empty() { "" } else { "3" }.to_owned(),
        String::new(),
    ]
}

/// A text from the network, made harmless for spreadsheets.
fn guarded(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    format!("{mark}{text}")
}

const COLUMNS: [&str; 13] = [
    "host",
    "hostname",
    "hostname_type",
    "protocol",
    "port",
    "name",
    "state",
    "product",
    "extrainfo",
    "reason",
    "version",
    "conf",
    "cpe",
];

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn rows_are_those_of_python_nmap_and_no_formula() {
        let mut out = Vec::new();
        sample::report().write_csv(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "host;hostname;hostname_type;protocol;port;name;state;product;extrainfo;reason;version;conf;cpe\r\n\
             192.0.2.10;www.example.test;user;tcp;22;ssh;open;\"'=SSH-2.0-\"\"x\"\";<y>\";;syn-ack;;3;\r\n\
             192.0.2.10;www.example.test;user;tcp;80;http;closed;;;conn-refused;;3;\r\n\
             2001:db8::10;;;tcp;22;ssh;unknown;;;out-of-descriptors;;3;\r\n\
             2001:db8::10;;;tcp;80;http;open;;;syn-ack;;3;\r\n"
        );
    }
    #[test]
    fn a_link_local_address_has_its_zone() {
        let mut out = Vec::new();
        sample::link_local().write_csv(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("\r\nfe80::1%eth0;;;tcp;22;ssh;open;;;syn-ack;;3;\r\n"),
            "{text}"
        );
    }
}
