//! The few packets of the SYN technique, as bytes: a SYN, its answers, and ICMP's complaints about it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Reason;

/// A TCP segment in answer to a SYN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The port that answers, and the one that had asked.
    pub(crate) from: u16,
    pub(crate) to: u16,
    /// The sequence number that the SYN must have had.
    pub(crate) cookie: u32,
    pub(crate) reason: Reason,
}

/// The SYN that was quoted by an ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) target: IpAddr,
    pub(crate) reply: Reply,
}

/// A SYN with the option that every real one has, the maximum segment size.
pub(crate) fn syn(
    source: IpAddr,
    target: IpAddr,
    from: u16,
    to: u16,
    cookie: u32,
) -> [u8; SYN_BYTES] {
    let mut segment = [0; SYN_BYTES];
    segment[0..2].copy_from_slice(&from.to_be_bytes());
    segment[2..4].copy_from_slice(&to.to_be_bytes());
    segment[4..8].copy_from_slice(&cookie.to_be_bytes());
    segment[12] = 6 << 4; // six words of header
    segment[13] = FLAG_SYN;
    segment[14..16].copy_from_slice(&64_240_u16.to_be_bytes()); // the window that Linux begins with
    segment[20..24].copy_from_slice(&[2, 4, 0x05, 0xb4]); // maximum segment size 1460
    let sum = checksum(source, target, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// The checksum of a TCP segment with its pseudo header.
fn checksum(source: IpAddr, target: IpAddr, segment: &[u8]) -> u16 {
    let addr = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => sum(&addr.octets()),
        IpAddr::V6(addr) => sum(&addr.octets()),
    };
    let length = u32::try_from(segment.len()).unwrap_or(u32::MAX);
    let mut total = addr(source) + addr(target) + u32::from(PROTOCOL_TCP) + length + sum(segment);
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "folded to 16 bits by the loop above"
    )]
    let folded = total as u16;
    !folded
}

fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)))
        .sum()
}

/// Reads a TCP segment; `None` if it does not answer a SYN.
pub(crate) fn reply(segment: &[u8]) -> Option<Reply> {
    let flags = *segment.get(13)?;
    let reason = if flags & FLAG_RST != 0 {
        Reason::Reset
    } else if flags & (FLAG_SYN | FLAG_ACK) == FLAG_SYN | FLAG_ACK {
        Reason::SynAck
    } else {
        return None;
    };
    if flags & FLAG_ACK == 0 {
        return None;
    }
    let cookie = u32::from_be_bytes(array(segment, 8)?).wrapping_sub(1);
    Some(Reply {
        from: half(segment, 0)?,
        to: half(segment, 2)?,
        cookie,
        reason,
    })
}

/// The source and the payload of an IPv4 packet.
pub(crate) fn ipv4(packet: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if packet[0] >> 4 != 4 || header < 20 {
        return None;
    }
    Some((
        Ipv4Addr::from(array::<4>(packet, 12)?),
        packet.get(header..)?,
    ))
}

/// Reads an ICMP message (without its IP header) about a SYN of ours.
pub(crate) fn icmp4(message: &[u8]) -> Option<Complaint> {
    let reason = match (*message.first()?, *message.get(1)?) {
        (3, 0 | 6) => Reason::NetUnreach,
        (3, 3) => Reason::PortUnreach,
        (3, 9 | 10 | 13) => Reason::AdminProhibited,
        (3, 1 | 2 | 5 | 7 | 11 | 12) => Reason::HostUnreach,
        _ => return None,
    };
    let quoted = message.get(8..)?;
    let (_, segment) = ipv4(quoted)?;
    if *quoted.get(9)? != PROTOCOL_TCP {
        return None;
    }
    let target = Ipv4Addr::from(array::<4>(quoted, 16)?).into();
    Some(Complaint {
        target,
        reply: quoted_syn(segment, reason)?,
    })
}

/// Reads an ICMPv6 message about a SYN of ours.
pub(crate) fn icmp6(message: &[u8]) -> Option<Complaint> {
    let reason = match (*message.first()?, *message.get(1)?) {
        (1, 0) => Reason::NetUnreach,
        (1, 1 | 5 | 6) => Reason::AdminProhibited,
        (1, 3) => Reason::HostUnreach,
        (1, 4) => Reason::PortUnreach,
        _ => return None,
    };
    let quoted = message.get(8..)?;
    if *quoted.get(6)? != PROTOCOL_TCP {
        return None;
    }
    let target = Ipv6Addr::from(array::<16>(quoted, 24)?).into();
    Some(Complaint {
        target,
        reply: quoted_syn(quoted.get(40..)?, reason)?,
    })
}

/// The ports and the sequence number, which are in the eight bytes that ICMP always quotes.
fn quoted_syn(segment: &[u8], reason: Reason) -> Option<Reply> {
    let cookie = u32::from_be_bytes(array(segment, 4)?);
    Some(Reply {
        from: half(segment, 2)?,
        to: half(segment, 0)?,
        cookie,
        reason,
    })
}

/// Reads bytes as every kind of packet; for tests and fuzzing.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn read_anything(packet: &[u8]) {
    let _ = (reply(packet), icmp4(packet), icmp6(packet));
    if let Some((_, payload)) = ipv4(packet) {
        let _ = (reply(payload), icmp4(payload));
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(array(bytes, at)?))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// The length of a SYN.
pub(crate) const SYN_BYTES: usize = 24;

const PROTOCOL_TCP: u8 = 6;
const FLAG_SYN: u8 = 0x02;
const FLAG_RST: u8 = 0x04;
const FLAG_ACK: u8 = 0x10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_packet_is_read_or_refused(packet in proptest::collection::vec(any::<u8>(), 0..100)) {
            read_anything(&packet);
        }
    }

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const TARGET: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn the_checksum_of_a_segment_with_its_checksum_is_zero() {
        for (source, target) in [
            (SOURCE, TARGET),
            (
                IpAddr::V6(Ipv6Addr::LOCALHOST),
                "2001:db8::1".parse().unwrap(),
            ),
        ] {
            let segment = syn(source, target, 40_000, 443, 0xdead_beef);
            assert_eq!(checksum(source, target, &segment), 0);
        }
    }

    #[test]
    fn only_answers_to_a_syn_are_read() {
        let mut segment = syn(TARGET, SOURCE, 443, 40_000, 1);
        assert_eq!(reply(&segment), None, "a SYN is no answer");
        segment[8..12].copy_from_slice(&8_u32.to_be_bytes());
        for (flags, reason) in [
            (FLAG_SYN | FLAG_ACK, Reason::SynAck),
            (FLAG_RST | FLAG_ACK, Reason::Reset),
        ] {
            segment[13] = flags;
            assert_eq!(
                reply(&segment),
                Some(Reply {
                    from: 443,
                    to: 40_000,
                    cookie: 7,
                    reason
                })
            );
        }
        segment[13] = FLAG_ACK;
        assert_eq!(reply(&segment), None);
        segment[13] = FLAG_RST;
        assert_eq!(
            reply(&segment),
            None,
            "without an acknowledgement it proves nothing"
        );
        for len in 0..14 {
            assert_eq!(reply(&segment[..len]), None);
        }
    }

    #[test]
    fn a_complaint_names_the_target_and_the_cookie() {
        let mut message = vec![3, 13, 0, 0, 0, 0, 0, 0];
        let mut ip = [0; 20];
        ip[0] = 0x45;
        ip[9] = PROTOCOL_TCP;
        ip[12..16].copy_from_slice(&[192, 0, 2, 1]);
        ip[16..20].copy_from_slice(&[192, 0, 2, 2]);
        message.extend(ip);
        message.extend(&syn(SOURCE, TARGET, 40_000, 443, 7)[..8]);
        let expected = Complaint {
            target: TARGET,
            reply: Reply {
                from: 443,
                to: 40_000,
                cookie: 7,
                reason: Reason::AdminProhibited,
            },
        };
        assert_eq!(icmp4(&message), Some(expected));
        for len in 0..message.len() {
            assert_eq!(icmp4(&message[..len]), None, "cut at {len}");
        }
    }
}
