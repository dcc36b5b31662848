//! Captures of packets: the connections in them, and the frames of these.

use std::{
    collections::HashMap,
    io::Read,
    net::{IpAddr, SocketAddr},
};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice};
use framed_echo::{ReplyHeader, RequestHeader};
use pcap_parser::{
    Block, Linktype, PcapBlockOwned, PcapError, create_reader, traits::PcapNGPacketBlock,
};

use crate::{
    Error,
    dump::{Dump, Shown},
    tcp::{Direction, Segment},
};

/// Room for the largest packet that a capture may hold.
const BUFFER_BYTES: usize = 1024 * 1024;

/// Whether a file that begins like this is a capture: pcap of either byte order and resolution, or pcapng.
pub(crate) fn is_capture(start: &[u8]) -> bool {
    const MAGIC: [u32; 5] = [
        0xa1b2_c3d4,
        0xd4c3_b2a1,
        0xa1b2_3c4d,
        0x4d3c_b2a1,
        0x0a0d_0d0a,
    ];

    let magic = start.first_chunk().copied().map(u32::from_be_bytes);
    magic.is_some_and(|magic| MAGIC.contains(&magic))
}

/// Shows the frames of all connections to and from `port`.
pub(crate) fn show(file: impl Read + Send, port: u16) -> Result<(), Error> {
    let mut connections = Connections::new(port);
    let mut reader = create_reader(BUFFER_BYTES, file).map_err(|error| error.to_string())?;
    let (mut links, mut filled) = (Vec::new(), true);
    loop {
        let has_more = !(filled && reader.reader_exhausted());
        match reader.next() {
            Ok((len, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => links = vec![header.network],
                    PcapBlockOwned::Legacy(packet) => connections.packet(&links, 0, packet.data)?,
                    PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                        links.push(interface.linktype);
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let interface = packet.if_id as usize;
                        connections.packet(&links, interface, packet.packet_data())?;
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                        connections.packet(&links, 0, packet.packet_data())?;
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(len);
                filled = false;
            }
            Err(PcapError::Eof) => return connections.finish(),
            Err(PcapError::Incomplete(_)) if has_more => {
                reader.refill().map_err(|error| error.to_string())?;
                filled = true;
            }
            Err(error) => {
                let error = error.to_string();
                connections.finish()?;
                return Err(format!("the capture is damaged or cut off: {error}").into());
            }
        }
    }
}

/// The TCP part of a packet and where it goes from and to, if it has one.
fn tcp(link: Linktype, data: &[u8]) -> Option<(SocketAddr, SocketAddr, TcpSlice<'_>)> {
    let ether_type = |at: usize| {
        let bytes = data.get(at..at + 2)?;
        Some(EtherType(u16::from_be_bytes([bytes[0], bytes[1]])))
    };
    let packet = match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(data).ok()?,
        Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(data.get(4..)?).ok()?,
        Linktype::LINUX_SLL => LaxSlicedPacket::from_ether_type(ether_type(14)?, data.get(16..)?),
        Linktype::LINUX_SLL2 => LaxSlicedPacket::from_ether_type(ether_type(0)?, data.get(20..)?),
        _ => LaxSlicedPacket::from_ip(data).ok()?, // raw packets, in one of several numbers
    };
    let (from, to): (IpAddr, IpAddr) = match packet.net? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            (
                header.source_addr().into(),
                header.destination_addr().into(),
            )
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            (
                header.source_addr().into(),
                header.destination_addr().into(),
            )
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        return None;
    };
    let from = SocketAddr::new(from, tcp.source_port());
    let to = SocketAddr::new(to, tcp.destination_port());
    Some((from, to, tcp))
}

/// The connections of a capture, by client and server.
struct Connections {
    port: u16,
    open: HashMap<(SocketAddr, SocketAddr), Connection>,
    count: u64,
}

struct Connection {
    number: u64,
    /// The client's first sequence number, if its SYN is in the capture.
    syn: Option<u32>,
    requests: Half<RequestHeader>,
    replies: Half<ReplyHeader>,
}

impl Connections {
    fn new(port: u16) -> Self {
        let open = HashMap::new();
        Self {
            port,
            open,
            count: 0,
        }
    }

    fn packet(&mut self, links: &[Linktype], interface: usize, data: &[u8]) -> Result<(), Error> {
        let link = links.get(interface).ok_or("a packet of no interface")?;
        let Some((from, to, tcp)) = tcp(*link, data) else {
            return Ok(());
        };
        let is_request = to.port() == self.port;
        let key = match is_request {
            true => (from, to),
            false if from.port() == self.port => (to, from),
            false => return Ok(()),
        };
        let syn = (tcp.syn() && !tcp.ack()).then(|| tcp.sequence_number());
        // The same ports again are another connection, the same SYN again is not.
        if let Some(old) = self
            .open
            .get(&key)
            .filter(|old| syn.is_some() && old.syn != syn)
        {
            let number = old.number;
            self.close(&key, number)?;
        }
        let connection = match self.open.get_mut(&key) {
            Some(connection) => connection,
            None if tcp.rst() || (tcp.payload().is_empty() && !tcp.syn()) => return Ok(()),
            None => {
                self.count += 1;
                println!("{} connected from {}", self.count, key.0);
                self.open
                    .entry(key)
                    .or_insert_with(|| Connection::new(self.count, syn))
            }
        };
        let segment = Segment {
            sequence: tcp.sequence_number(),
            syn: tcp.syn(),
            fin: tcp.fin(),
            payload: tcp.payload(),
        };
        match is_request {
            true => connection.requests.segment(segment)?,
            false => connection.replies.segment(segment)?,
        }
        let number = connection.number;
        let is_over = connection.requests.dump.is_none() && connection.replies.dump.is_none();
        if tcp.rst() || is_over {
            self.close(&key, number)?;
        }
        Ok(())
    }

    fn close(&mut self, key: &(SocketAddr, SocketAddr), number: u64) -> Result<(), Error> {
        if let Some(mut connection) = self.open.remove(key) {
            connection.requests.finish()?;
            connection.replies.finish()?;
        }
        println!("{number} closed");
        Ok(())
    }

    /// The capture is over; the connections need not be.
    fn finish(&mut self) -> Result<(), Error> {
        let mut open: Vec<_> = self.open.drain().map(|(_, open)| open).collect();
        open.sort_by_key(|connection| connection.number);
        for mut connection in open {
            connection.requests.finish()?;
            connection.replies.finish()?;
        }
        Ok(())
    }
}

impl Connection {
    fn new(number: u64, syn: Option<u32>) -> Self {
        Self {
            number,
            syn,
            requests: Half::new(number),
            replies: Half::new(number),
        }
    }
}

/// One direction of a connection, and its frames.
struct Half<H> {
    prefix: String,
    direction: Direction,
    /// `None` once nothing more can be shown.
    dump: Option<Dump<H>>,
}

impl<H: Shown> Half<H> {
    fn new(number: u64) -> Self {
        let prefix = format!("{number} ");
        Self {
            dump: Some(Dump::new(prefix.clone())),
            direction: Direction::default(),
            prefix,
        }
    }

    fn segment(&mut self, segment: Segment<'_>) -> Result<(), Error> {
        let Self {
            dump: Some(dump),
            direction,
            ..
        } = self
        else {
            return Ok(());
        };
        let bytes = direction.take(segment);
        if direction.begins_inside() && direction.position() == bytes.len() as u64 {
            println!(
                "{}{}: the capture begins inside the connection",
                self.prefix,
                H::FILE
            );
        }
        dump.feed(&bytes)?;
        if direction.is_over() || direction.is_hopeless() {
            self.finish()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        let Some(dump) = self.dump.take() else {
            return Ok(());
        };
        let missing = self.direction.missing();
        match dump.finish() {
            _ if missing > 0 => println!(
                "{}{}: {missing} bytes behind byte {} are not in the capture",
                self.prefix,
                H::FILE,
                self.direction.position()
            ),
            Ok(()) => {}
            Err(error) if self.direction.is_over() => {
                println!("{}{}: {error}", self.prefix, H::FILE)
            }
            Err(_) => println!(
                "{}{}: the capture ends inside a frame",
                self.prefix,
                H::FILE
            ),
        }
        Ok(())
    }
}
