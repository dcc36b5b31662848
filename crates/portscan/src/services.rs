//! Names of ports: the system's services file first, our own table behind it.

use std::{collections::HashMap, fs, path::Path, sync::OnceLock};

use crate::top::TOP;

/// The names of TCP ports.
#[derive(Debug, Clone, Default)]
pub struct Services {
    by_port: HashMap<u16, Box<str>>,
    by_name: HashMap<Box<str>, u16>,
}

impl Services {
    /// The names of this system: `/etc/services`, and our own table for what it leaves out. Read once.
    pub fn system() -> &'static Self {
        static SYSTEM: OnceLock<Services> = OnceLock::new();
        SYSTEM.get_or_init(|| Self::read(Path::new("/etc/services")))
    }

    /// The names of a file in the form of `/etc/services`; a file that cannot be read has none.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let mut services = Self::default();
        services.parse(&fs::read_to_string(file).unwrap_or_default());
        for &(port, name) in TOP {
            services.by_port.entry(port).or_insert_with(|| name.into());
            // A name that several ports of the table share, such as http-alt, stands for none of them.
            if TOP.iter().all(|&(p, n)| n != name || p == port) {
                services.by_name.entry(name.into()).or_insert(port);
            }
        }
        services
    }

    fn parse(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_ascii_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else {
                continue;
            };
            let Some(port) = port.strip_suffix("/tcp").and_then(|port| port.parse().ok()) else {
                continue;
            };
            self.by_port.entry(port).or_insert_with(|| name.into());
            for name in [name].into_iter().chain(words) {
                self.by_name.entry(name.into()).or_insert(port);
            }
        }
    }

    /// The name of a port.
    #[must_use]
    pub fn name(&self, port: u16) -> Option<&str> {
        self.by_port.get(&port).map(AsRef::as_ref)
    }

    /// The port of a name or of an alias.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_comes_before_the_table() {
        let mut services = Services::default();
        services.parse("# comment\nweb 80/tcp www # note\ntftp 69/udp\nbroken\nx y/tcp\n");
        assert_eq!(services.name(80), Some("web"));
        assert_eq!(services.port("www"), Some(80));
        assert_eq!(services.name(69), None);
        let missing = Services::read(Path::new("/nonexistent"));
        assert_eq!(missing.name(6379), Some("redis"));
        assert_eq!(missing.port("redis"), Some(6379));
        assert_eq!(missing.port("http-alt"), None);
    }
}
