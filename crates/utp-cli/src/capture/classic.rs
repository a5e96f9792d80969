//! Classic pcap: a head of 24 bytes, then records with a head of 16 bytes each.

use std::fmt;
use std::io::Read;

use pcap_file::pcap::{PcapHeader, PcapParser};
use pcap_file::{Endianness, TsResolution};

use super::window::Window;
use super::{CaptureError, LinkType, Record};

/// What the head of a file says.
#[derive(Debug)]
pub(super) struct Classic {
    parser: PcapParser,
    link: LinkType,
}

impl Classic {
    pub(super) fn open<R: Read>(window: &mut Window<R>) -> Result<Self, CaptureError> {
        // Whatever begins in another way is no capture, however short it is.
        let magic = u32::from_be_bytes(*window.need::<4>("the magic number of a capture")?);
        if !MAGICS.contains(&magic) {
            let text = format!("{magic:08x} is not the magic number of a pcap or pcapng file");
            return Err(window.broken(text));
        }
        let head = window.need::<HEAD_LEN>("the head of a capture")?;
        let parsed = PcapParser::new(head);
        let parser = match parsed {
            Ok((_, parser)) => parser,
            Err(error) => return Err(window.broken(error.to_string())),
        };
        // The upper bits tell of a checksum behind each frame, which nothing here reads.
        let link = LinkType(u32::from(parser.header().datalink) & 0x03ff_ffff);
        if !link.is_readable() {
            return Err(window.broken(format!("{link} is not one that this program can read")));
        }
        Ok(Self { parser, link })
    }

    /// Moves to the next record.
    pub(super) fn next<R: Read>(
        &self,
        window: &mut Window<R>,
    ) -> Result<Option<Record>, CaptureError> {
        if !window.advance()? {
            return Ok(None);
        }
        let head = window.need::<RECORD_HEAD_LEN>("the head of a record")?;
        let [.., l0, l1, l2, l3, _, _, _, _] = *head;
        let len = match self.parser.header().endianness {
            Endianness::Big => u32::from_be_bytes([l0, l1, l2, l3]),
            Endianness::Little => u32::from_le_bytes([l0, l1, l2, l3]),
        };
        let end = RECORD_HEAD_LEN + len as usize;
        let bytes = window.need_len(end, "a record")?;
        let parsed = self.parser.next_raw_packet(bytes).map(|(_, raw)| (raw.ts_sec, raw.ts_frac));
        let (seconds, fraction) = parsed.map_err(|error| window.broken(error.to_string()))?;
        let unit_ns = match self.parser.header().ts_resolution {
            TsResolution::MicroSecond => 1_000,
            TsResolution::NanoSecond => 1,
        };
        let nanos = u64::from(fraction) * unit_ns;
        if nanos >= 1_000_000_000 {
            let text = format!("a stamp of {fraction} parts of a second is more than a second");
            return Err(window.broken(text));
        }
        let at_ns = Some(u64::from(seconds) * 1_000_000_000 + nanos);
        Ok(Some(Record { at_ns, link: self.link, start: RECORD_HEAD_LEN, end }))
    }
}

impl fmt::Display for Classic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PcapHeader { ts_resolution, .. } = self.parser.header();
        let unit = match ts_resolution {
            TsResolution::MicroSecond => "microseconds",
            TsResolution::NanoSecond => "nanoseconds",
        };
        write!(f, "pcap in {unit}, {}", self.link)
    }
}

/// The magic number in both orders, with stamps in microseconds and in nanoseconds.
const MAGICS: [u32; 4] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xd4c3_b2a1, 0x4d3c_b2a1];

const HEAD_LEN: usize = 24;

const RECORD_HEAD_LEN: usize = 16;
