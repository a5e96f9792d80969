//! pcapng: blocks, of which those that hold packets or describe interfaces are read.
//!
//! `pcap-file` could read them, but refuses a whole file for a comment that is not UTF-8 or a list
//! of options without an end mark, which the format allows, and takes all stamps for nanoseconds.
//! What is needed of the format is little: heads of sections, what describes interfaces, packets.

use std::io::Read;

use pcap_file::Endianness;

use super::window::Window;
use super::{CaptureError, LinkType, Record};

/// What is known of the current section.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    /// How it orders bytes; none before the first section.
    order: Option<Endianness>,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Most bytes of a frame that are captured, 0 for all.
    snap_len: usize,
    resolution: Resolution,
    /// Added to every stamp.
    offset_s: i64,
}

/// What a stamp counts.
#[derive(Clone, Copy, Debug)]
enum Resolution {
    /// Parts of a second, so many.
    Parts(u64),
    /// Parts of a second, two to the power of this.
    Binary(u32),
}

/// What a block brings.
enum Content {
    Packet(Record),
    Other,
}

impl Pcapng {
    /// Moves to the next block with a packet.
    pub(super) fn next<R: Read>(
        &mut self,
        window: &mut Window<R>,
    ) -> Result<Option<Record>, CaptureError> {
        while window.advance()? {
            let head = *window.need::<BLOCK_LEN_MIN>("a block")?;
            let order = self.order_of(&head).map_err(|what| window.broken(what))?;
            let [_, _, _, _, l0, l1, l2, l3, ..] = head;
            let len = u32_of(order, [l0, l1, l2, l3]);
            let block = window.need_len(BLOCK_LEN_MIN.max(len as usize), "a block")?;
            match self.handle(order, block) {
                Ok(Content::Packet(record)) => return Ok(Some(record)),
                Ok(Content::Other) => {}
                Err(what) => return Err(window.broken(what)),
            }
        }
        Ok(None)
    }

    /// The order of bytes in the block that begins with `head`.
    fn order_of(&self, head: &[u8; BLOCK_LEN_MIN]) -> Result<Endianness, String> {
        let [t0, t1, t2, t3, _, _, _, _, m0, m1, m2, m3] = *head;
        if [t0, t1, t2, t3] != MAGIC {
            return self.order.ok_or_else(|| "a block before the head of a section".into());
        }
        match u32::from_be_bytes([m0, m1, m2, m3]) {
            0x1a2b_3c4d => Ok(Endianness::Big),
            0x4d3c_2b1a => Ok(Endianness::Little),
            _ => Err("a section that has its bytes in no known order".into()),
        }
    }

    fn handle(&mut self, order: Endianness, block: &[u8]) -> Result<Content, String> {
        let whole = Fields { order, bytes: block };
        let (len, trailer) = (whole.u32(4)?, whole.u32(block.len() - 4)?);
        if len != trailer || len % 4 != 0 {
            return Err(format!(
                "a block that begins with a length of {len} and ends with {trailer}"
            ));
        }
        let fields = Fields { order, bytes: &block[BODY_START..block.len() - 4] };
        match whole.u32(0)? {
            BLOCK_SECTION => {
                self.order = Some(order);
                self.interfaces.clear();
            }
            BLOCK_INTERFACE => self.add_interface(fields)?,
            BLOCK_ENHANCED_PACKET => {
                let interface = fields.u32(0)? as usize;
                return self.packet(fields, interface);
            }
            BLOCK_PACKET => {
                let interface = usize::from(fields.u16(0)?);
                return self.packet(fields, interface);
            }
            BLOCK_SIMPLE_PACKET => return self.simple_packet(fields),
            _ => {}
        }
        Ok(Content::Other)
    }

    fn add_interface(&mut self, fields: Fields<'_>) -> Result<(), String> {
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(format!("a section with more than {INTERFACES_MAX} interfaces"));
        }
        let mut interface = Interface {
            link: LinkType(u32::from(fields.u16(0)?)),
            snap_len: fields.u32(4)? as usize,
            resolution: Resolution::Parts(1_000_000),
            offset_s: 0,
        };
        let mut at = 8;
        while let (Ok(code), Ok(len)) = (fields.u16(at), fields.u16(at + 2)) {
            let len = usize::from(len);
            let value = fields.part(at + 4, len)?;
            match (code, value) {
                (OPTION_END, _) => break,
                (OPTION_RESOLUTION, &[value]) => interface.resolution = resolution(value)?,
                (OPTION_OFFSET, &[_, _, _, _, _, _, _, _]) => {
                    interface.offset_s = fields.u64(at + 4)?.cast_signed();
                }
                _ => {}
            }
            at += 4 + len.next_multiple_of(4);
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// An enhanced packet, or one of its forerunner, which differ in the first four bytes.
    fn packet(&self, fields: Fields<'_>, interface: usize) -> Result<Content, String> {
        let Some(interface) = self.interfaces.get(interface) else {
            return Err(format!("a packet of interface {interface}, which is not described"));
        };
        let stamp = u64::from(fields.u32(4)?) << 32 | u64::from(fields.u32(8)?);
        let len = fields.u32(12)? as usize;
        fields.part(20, len)?;
        let start = BODY_START + 20;
        let at_ns = Some(interface.nanos(stamp));
        Ok(Content::Packet(Record { at_ns, link: interface.link, start, end: start + len }))
    }

    /// A packet of the first interface, without a stamp.
    fn simple_packet(&self, fields: Fields<'_>) -> Result<Content, String> {
        let Some(interface) = self.interfaces.first() else {
            return Err("a packet before any interface is described".into());
        };
        let captured = match interface.snap_len {
            0 => fields.u32(0)? as usize,
            most => (fields.u32(0)? as usize).min(most),
        };
        fields.part(4, captured)?;
        let start = BODY_START + 4;
        let end = start + captured;
        Ok(Content::Packet(Record { at_ns: None, link: interface.link, start, end }))
    }
}

impl Interface {
    /// A stamp in nanoseconds since 1970; what lies outside of what 64 bits hold is moved to their
    /// ends.
    fn nanos(&self, stamp: u64) -> u64 {
        let scaled = match self.resolution {
            Resolution::Parts(parts) => {
                u128::from(stamp) * 1_000_000_000 / u128::from(parts.max(1))
            }
            Resolution::Binary(power) => (u128::from(stamp) * 1_000_000_000) >> power,
        };
        let scaled = i128::try_from(scaled).unwrap_or(i128::MAX);
        let nanos = scaled.saturating_add(i128::from(self.offset_s) * 1_000_000_000);
        u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)
    }
}

/// Negative powers of ten, or of two if the highest bit is set.
fn resolution(value: u8) -> Result<Resolution, String> {
    let power = u32::from(value & 0x7f);
    if value & 0x80 != 0 {
        return Ok(Resolution::Binary(power));
    }
    let parts = 10_u64.checked_pow(power).map(Resolution::Parts);
    parts.ok_or_else(|| format!("an interface with stamps in 10^-{power} s"))
}

/// The fields of a block's body, by their place in it.
#[derive(Clone, Copy)]
struct Fields<'a> {
    order: Endianness,
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn part(self, at: usize, len: usize) -> Result<&'a [u8], String> {
        let part = self.bytes.get(at..).and_then(|bytes| bytes.get(..len));
        let has = self.bytes.len();
        part.ok_or_else(|| format!("a block whose {has} bytes do not hold {len} at byte {at}"))
    }

    fn chunk<const N: usize>(self, at: usize) -> Result<[u8; N], String> {
        Ok(*self.part(at, N)?.first_chunk().expect("the part has this length"))
    }

    fn u16(self, at: usize) -> Result<u16, String> {
        let bytes = self.chunk(at)?;
        Ok(match self.order {
            Endianness::Big => u16::from_be_bytes(bytes),
            Endianness::Little => u16::from_le_bytes(bytes),
        })
    }

    fn u32(self, at: usize) -> Result<u32, String> {
        Ok(u32_of(self.order, self.chunk(at)?))
    }

    fn u64(self, at: usize) -> Result<u64, String> {
        let bytes = self.chunk(at)?;
        Ok(match self.order {
            Endianness::Big => u64::from_be_bytes(bytes),
            Endianness::Little => u64::from_le_bytes(bytes),
        })
    }
}

const fn u32_of(order: Endianness, bytes: [u8; 4]) -> u32 {
    match order {
        Endianness::Big => u32::from_be_bytes(bytes),
        Endianness::Little => u32::from_le_bytes(bytes),
    }
}

/// The type of the block that opens a section; the same in both orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const BLOCK_SECTION: u32 = 0x0a0d_0d0a;
const BLOCK_INTERFACE: u32 = 1;
/// The forerunner of the enhanced packet.
const BLOCK_PACKET: u32 = 2;
const BLOCK_SIMPLE_PACKET: u32 = 3;
const BLOCK_ENHANCED_PACKET: u32 = 6;

/// Type and length, and the length again at the end.
const BLOCK_LEN_MIN: usize = 12;

/// Type and length stand before the body.
const BODY_START: usize = 8;

/// Each takes memory until its section ends; real machines have a few.
const INTERFACES_MAX: usize = 1_024;

const OPTION_END: u16 = 0;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;
