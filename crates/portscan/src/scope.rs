//! What may be scanned at all.

use std::{fmt, str::FromStr};

use crate::{Addresses, Error, Targets, target::RangeSet};

/// The addresses that a scan may touch; a target outside stops the scan before its first probe.
///
/// The default is [`Scope::private`]: whoever scans elsewhere says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// As it was written, for messages and the audit line.
    text: String,
    allowed: RangeSet,
}

impl Scope {
    /// This machine and private networks: loopback, private, shared, link-local and unique local addresses.
    ///
    /// Source: the IANA special-purpose registries for [IPv4] and [IPv6].
    ///
    /// [IPv4]: https://www.iana.org/assignments/iana-ipv4-special-registry
    /// [IPv6]: https://www.iana.org/assignments/iana-ipv6-special-registry
    #[must_use]
    pub fn private() -> Self {
        Self::of("loopback and private addresses", PRIVATE)
    }

    /// Every address. Scan only what you own or are asked to scan.
    #[must_use]
    pub fn any() -> Self {
        Self::of("everything", &["0.0.0.0-255.255.255.255", "::/0"])
    }

    /// The addresses of the expressions of a list without host names, in the form of [`Targets`].
    ///
    /// # Errors
    ///
    /// [`Error::Target`] for an expression that cannot be understood, [`Error::NoTargets`] for an empty list.
    pub fn only(list: &str) -> Result<Self, Error> {
        let targets: Targets = list.parse()?;
        let allowed = targets.ranges()?;
        Ok(Self {
            text: list.to_owned(),
            allowed,
        })
    }

    fn of(text: &str, list: &[&str]) -> Self {
        let blocks = list
            .iter()
            .filter_map(|item| item.parse::<Targets>().ok()?.ranges().ok());
        let allowed = blocks.flat_map(RangeSet::into_blocks).collect();
        Self {
            text: text.to_owned(),
            allowed,
        }
    }

    /// Whether an address may be scanned.
    #[must_use]
    pub fn allows(&self, addr: std::net::IpAddr) -> bool {
        self.allowed.contains(addr)
    }

    /// # Errors
    ///
    /// [`Error::OutOfScope`] with the first address outside.
    pub(crate) fn check(&self, addresses: &Addresses) -> Result<(), Error> {
        match addresses.first_outside(&self.allowed) {
            Some(addr) => Err(Error::OutOfScope {
                addr,
                scope: self.text.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::private()
    }
}

impl FromStr for Scope {
    type Err = Error;

    /// Reads a list as [`Scope::only`] does.
    fn from_str(list: &str) -> Result<Self, Error> {
        Self::only(list)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const PRIVATE: &[&str] = &[
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "::1",
    "fc00::/7",
    "fe80::/10",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_public_address_anywhere_in_a_range_stops_the_scan() {
        let scope = Scope::private();
        let check = async |list: &str| {
            let targets: Targets = list.parse().unwrap();
            scope
                .check(&targets.resolve(false).await.unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            check("127.0.0.1 10.0.0.0/8 192.168.1.1-9 ::1 fd00::1").await,
            Ok(())
        );
        assert_eq!(
            check("172.16.0.0/11").await.unwrap_err(),
            "172.0.0.0 lies outside the scope loopback and private addresses"
        );
        assert!(
            check("192.168.255.255-192.169.0.1")
                .await
                .unwrap_err()
                .starts_with("192.169.0.0 lies")
        );
        assert!(check("2001:db8::1").await.is_err());
        assert!(
            check("::ffff:192.0.2.1").await.is_err(),
            "a mapped address is the public one"
        );
    }

    #[test]
    fn a_scope_of_ones_own_holds_what_it_says() {
        let scope: Scope = "192.0.2.0/24 !192.0.2.1".parse().unwrap();
        assert!(scope.allows("192.0.2.7".parse().unwrap()));
        assert!(!scope.allows("192.0.2.1".parse().unwrap()));
        assert!(!scope.allows("127.0.0.1".parse().unwrap()));
        assert!(Scope::any().allows("192.0.2.1".parse().unwrap()));
        assert!(Scope::only("host.example").is_err());
    }
}
