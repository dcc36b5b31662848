//! Whatever is typed or received is understood or refused, never a panic.

#![allow(clippy::unwrap_used, reason = "test code outside a test function")]

use portscan::{Checkpoint, Expectation, Ports, Report, Scope, Targets};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_list_of_targets_is_read_or_refused_within_its_text(list in "[-0-9a-f.:/*!%, ]{0,40}|\\PC{0,20}") {
        match Targets::new().add(&list) {
            Ok(targets) => {
                // What was read is written so that it reads back as the same.
                let text = targets.to_string();
                prop_assert_eq!(&Targets::new().add(&text).unwrap().to_string(), &text);
            }
            Err(error) => prop_assert!(error.place.column <= list.chars().count() + 1, "{}", error),
        }
        let _ = Scope::only(&list);
    }

    #[test]
    fn any_list_of_ports_is_read_or_refused_within_its_text(list in "[-0-9a-z:!, ]{0,30}|\\PC{0,20}") {
        match list.parse::<Ports>() {
            Ok(ports) => prop_assert_eq!(ports.to_string().parse::<Ports>().unwrap(), ports),
            Err(portscan::Error::Ports(error)) => {
                prop_assert!(error.column <= list.chars().count() + 1, "{}", error);
            }
            Err(error) => prop_assert!(matches!(error, portscan::Error::NoPorts), "{}", error),
        }
        let _ = list.parse::<Expectation>();
    }

    #[test]
    fn a_set_of_ports_survives_its_written_form(ports in proptest::collection::btree_set(any::<u16>(), 1..200)) {
        let ports: Ports = ports.into_iter().collect();
        prop_assert_eq!(ports.to_string().parse::<Ports>().unwrap(), ports);
    }

    #[test]
    fn exclusions_and_shards_cover_each_address_once(first in 0_u32..1 << 16, len in 0_u32..600, hole in 0_u32..1 << 16) {
        let addr = |n: u32| std::net::Ipv4Addr::from(0x0a00_0000 + n);
        let list = format!("{}-{} {} !{}", addr(first), addr(first + len), addr(first), addr(hole));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(list.parse::<Targets>().unwrap().resolve(false)).unwrap();
        let got: Vec<_> = found.iter().map(|target| target.addr).collect();
        let wanted: Vec<std::net::IpAddr> =
            (first..=first + len).filter(|&n| n != hole).map(|n| addr(n).into()).collect();
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn a_document_of_others_is_refused(text in "\\PC{0,60}") {
        prop_assert!(Report::read_json(text.as_bytes()).is_err());
        prop_assert!(Checkpoint::from_json(&text).is_err());
    }
}
