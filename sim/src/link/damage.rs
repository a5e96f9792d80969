//! What is done to a packet behind the delay: flipped bits and second copies.
//!
//! A flipped bit in a datagram of a host is presented to its software, as one that a checksum has
//! failed to notice: this is how a parser meets it. The flows inside the network model no bytes;
//! their packets are only marked, and dropped by the receiver, as by the checksum of TCP or UDP.

use crate::packet::{Body, Packet};
use crate::rng::{Purpose, Stream, Streams};
use crate::scenario::LinkConfig;
use bytes::Bytes;

/// Bytes of a datagram that count as the transport's header: those of uTP (BEP-29).
const HEADER_BYTES: usize = utp_wire::HEADER_LEN;

#[derive(Debug)]
pub(super) struct Damage {
    header_ppm: u32,
    payload_ppm: u32,
    duplicate_ppm: u32,
    header_draws: Stream,
    payload_draws: Stream,
    duplicate_draws: Stream,
}

impl Damage {
    pub(super) fn new(config: &LinkConfig, index: usize, streams: &Streams) -> Self {
        Self {
            header_ppm: config.corrupt_header_ppm,
            payload_ppm: config.corrupt_payload_ppm,
            duplicate_ppm: config.duplicate_ppm,
            header_draws: streams.link(index, Purpose::CorruptHeader),
            payload_draws: streams.link(index, Purpose::CorruptPayload),
            duplicate_draws: streams.link(index, Purpose::Duplicate),
        }
    }

    pub(super) const fn set(&mut self, config: &LinkConfig) {
        self.header_ppm = config.corrupt_header_ppm;
        self.payload_ppm = config.corrupt_payload_ppm;
        self.duplicate_ppm = config.duplicate_ppm;
    }

    /// Flips a bit of the header, of what follows it, of both or of none, and marks the packet.
    ///
    /// A packet without a payload has none to be corrupted.
    pub(super) fn corrupt(&mut self, packet: &mut Packet) {
        let header = self.header_draws.chance(self.header_ppm)
            && flip(packet, Part::Header, &mut self.header_draws);
        let payload = self.payload_draws.chance(self.payload_ppm)
            && flip(packet, Part::Payload, &mut self.payload_draws);
        packet.corrupt |= header || payload;
    }

    /// Whether the next packet arrives twice.
    pub(super) fn duplicates(&mut self) -> bool {
        self.duplicate_draws.chance(self.duplicate_ppm)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    Payload,
}

fn flip(packet: &mut Packet, part: Part, draws: &mut Stream) -> bool {
    let Body::Datagram(datagram) = &mut packet.body else {
        return part == Part::Header || !matches!(packet.body, Body::Ack(_));
    };
    let split = datagram.payload.len().min(HEADER_BYTES);
    let (first, len) = match part {
        Part::Header => (0, split),
        Part::Payload => (split, datagram.payload.len() - split),
    };
    if len == 0 {
        return false;
    }
    let bit = draws.below(len as u64 * 8);
    let mut bytes = datagram.payload.to_vec();
    let byte = usize::try_from(bit / 8).expect("an index below a length");
    bytes[first + byte] ^= 1 << (bit % 8);
    datagram.payload = Bytes::from(bytes);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::tcp;
    use crate::packet::{Datagram, HostId, UDP_OVERHEAD_V4};
    use crate::time::Ns;

    fn damage(config: &LinkConfig) -> Damage {
        Damage::new(config, 0, &Streams::new(1))
    }

    fn packet(body: Body) -> Packet {
        Packet {
            id: 0,
            flow: 0,
            to: HostId::Right,
            hop: 0,
            corrupt: false,
            bytes: 128,
            sent: Ns::ZERO,
            body,
        }
    }

    fn datagram(len: usize) -> Packet {
        packet(Body::Datagram(Datagram {
            source: 1,
            destination: 2,
            overhead: UDP_OVERHEAD_V4,
            dont_fragment: true,
            payload: Bytes::from(vec![0; len]),
        }))
    }

    fn payload(packet: &Packet) -> &[u8] {
        let Body::Datagram(datagram) = &packet.body else { panic!("it is a datagram") };
        &datagram.payload
    }

    #[test]
    fn one_bit_flips_in_the_part_that_was_asked_for() {
        let header = LinkConfig { corrupt_header_ppm: 1_000_000, ..LinkConfig::default() };
        let body = LinkConfig { corrupt_payload_ppm: 1_000_000, ..LinkConfig::default() };
        for (config, part) in [(header, 0..20), (body, 20..100)] {
            let mut damage = damage(&config);
            let mut seen = [0_u8; 100];
            for _ in 0..10_000 {
                let mut packet = datagram(100);
                damage.corrupt(&mut packet);
                assert!(packet.corrupt);
                let ones: u32 = payload(&packet).iter().map(|byte| byte.count_ones()).sum();
                assert_eq!(ones, 1);
                seen.iter_mut().zip(payload(&packet)).for_each(|(seen, byte)| *seen |= byte);
            }
            assert!(seen[part.clone()].iter().all(|&bits| bits == 0xff), "every bit is hit");
            seen[part].fill(0);
            assert!(seen.iter().all(|&bits| bits == 0), "and none beside them");
        }
    }

    #[test]
    fn a_packet_without_a_payload_has_none_to_corrupt() {
        let config = LinkConfig { corrupt_payload_ppm: 1_000_000, ..LinkConfig::default() };
        let mut damage = damage(&config);
        let ack = Body::Ack(tcp::Ack { cumulative: 0, blocks: [tcp::Block::default(); 3] });
        for mut packet in [datagram(20), datagram(0), packet(ack)] {
            damage.corrupt(&mut packet);
            assert!(!packet.corrupt);
        }
    }

    #[test]
    fn packets_of_the_networks_own_flows_are_marked() {
        let config = LinkConfig { corrupt_payload_ppm: 1_000_000, ..LinkConfig::default() };
        let segment = Body::Segment(tcp::Segment { seq: 0, bytes: 1448 });
        let mut packet = packet(segment.clone());
        damage(&config).corrupt(&mut packet);
        assert!(packet.corrupt);
        assert_eq!(packet.body, segment);
    }

    #[test]
    fn shares_are_what_was_asked_for() {
        let config = LinkConfig {
            corrupt_header_ppm: 10_000,
            duplicate_ppm: 20_000,
            ..LinkConfig::default()
        };
        let mut damage = damage(&config);
        let mut packets = vec![datagram(100); 100_000];
        packets.iter_mut().for_each(|packet| damage.corrupt(packet));
        let corrupted = packets.iter().filter(|packet| packet.corrupt).count();
        let duplicated = (0..100_000).filter(|_| damage.duplicates()).count();
        // Five standard deviations of binomials.
        assert!(corrupted.abs_diff(1_000) < 158, "{corrupted}");
        assert!(duplicated.abs_diff(2_000) < 222, "{duplicated}");
    }
}
