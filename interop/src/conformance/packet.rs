//! Packets as the runner writes and reads them.
//!
//! A codec of its own, written from BEP-29: it shares no mistake with the one under test, and it
//! writes what no honest implementation would.

use std::fmt;

/// What a packet says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Fin,
    State,
    Reset,
    Syn,
    /// A number without a meaning, 5 to 15.
    Other(u8),
}

impl Kind {
    const NAMED: [(Self, &'static str); 5] = [
        (Self::Data, "DATA"),
        (Self::Fin, "FIN"),
        (Self::State, "STATE"),
        (Self::Reset, "RESET"),
        (Self::Syn, "SYN"),
    ];

    /// The kind that a script calls `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    pub(crate) const fn from_nibble(nibble: u8) -> Self {
        match nibble {
            0 => Self::Data,
            1 => Self::Fin,
            2 => Self::State,
            3 => Self::Reset,
            4 => Self::Syn,
            other => Self::Other(other),
        }
    }

    const fn nibble(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Fin => 1,
            Self::State => 2,
            Self::Reset => 3,
            Self::Syn => 4,
            Self::Other(nibble) => nibble,
        }
    }

    /// Whether such a packet takes a number of its sender's stream.
    pub(crate) const fn is_numbered(self) -> bool {
        matches!(self, Self::Data | Self::Fin)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(kind, _)| kind == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "TYPE{}", self.nibble()),
        }
    }
}

/// One link of the chain behind the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
    /// The length to write in place of the true one.
    pub(crate) claimed_len: Option<u8>,
}

/// A packet. Fields of the wire have its names, shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) version: u8,
    pub(crate) id: u16,
    /// `timestamp_microseconds`; absent means the time at which it is sent.
    pub(crate) stamp_us: Option<u32>,
    /// `timestamp_difference_microseconds`; absent means what was measured on the last arrival.
    pub(crate) diff_us: Option<u32>,
    /// `wnd_size`.
    pub(crate) wnd: u32,
    pub(crate) seq: u16,
    pub(crate) ack: u16,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// A packet of version 1 with a window of 1 MiB and zeros in all other fields.
    pub(crate) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            version: 1,
            id: 0,
            stamp_us: None,
            diff_us: None,
            wnd: WINDOW,
            seq: 0,
            ack: 0,
            extensions: Vec::new(),
            payload: Vec::new(),
        }
    }

    pub(crate) const fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub(crate) const fn seq(mut self, seq: u16) -> Self {
        self.seq = seq;
        self
    }

    pub(crate) const fn ack(mut self, ack: u16) -> Self {
        self.ack = ack;
        self
    }

    pub(crate) const fn wnd(mut self, bytes: u32) -> Self {
        self.wnd = bytes;
        self
    }

    /// Sets the time stamp, which is otherwise that of the clock.
    pub(crate) const fn stamp_us(mut self, stamp_us: u32) -> Self {
        self.stamp_us = Some(stamp_us);
        self
    }

    /// Sets the time stamp difference, which is otherwise measured.
    pub(crate) const fn diff_us(mut self, diff_us: u32) -> Self {
        self.diff_us = Some(diff_us);
        self
    }

    pub(crate) fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Appends an extension.
    pub(crate) fn extension(mut self, kind: u8, body: impl Into<Vec<u8>>) -> Self {
        self.extensions.push(Extension { kind, body: body.into(), claimed_len: None });
        self
    }

    /// Appends a selective ack whose bits with these indices are set; bit 0 stands for `ack + 2`.
    pub(crate) fn sack(self, bits: &[usize]) -> Self {
        let len = bits.iter().max().map_or(4, |highest| (highest / 8 + 1).next_multiple_of(4));
        let mut mask = vec![0; len];
        for bit in bits {
            mask[bit / 8] |= 1 << (bit % 8);
        }
        self.extension(SELECTIVE_ACK, mask)
    }

    /// The mask of the selective ack.
    pub(crate) fn sack_mask(&self) -> Option<&[u8]> {
        let sack = self.extensions.iter().find(|extension| extension.kind == SELECTIVE_ACK)?;
        Some(&sack.body)
    }

    /// The indices of the bits that the selective ack sets; empty without one.
    pub(crate) fn sack_bits(&self) -> Vec<usize> {
        let mask = self.sack_mask().unwrap_or_default();
        (0..mask.len() * 8).filter(|bit| mask[bit / 8] >> (bit % 8) & 1 == 1).collect()
    }

    /// The datagram. Stamps that are still absent are written as zero.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN + self.payload.len());
        let first = self.extensions.first().map_or(0, |extension| extension.kind);
        bytes.extend([self.kind.nibble() << 4 | self.version & 0x0f, first]);
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.stamp_us.unwrap_or(0).to_be_bytes());
        bytes.extend(self.diff_us.unwrap_or(0).to_be_bytes());
        bytes.extend(self.wnd.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        for (index, extension) in self.extensions.iter().enumerate() {
            let next = self.extensions.get(index + 1).map_or(0, |next| next.kind);
            let len = u8::try_from(extension.body.len()).unwrap_or(u8::MAX);
            bytes.extend([next, extension.claimed_len.unwrap_or(len)]);
            bytes.extend(&extension.body);
        }
        bytes.extend(&self.payload);
        bytes
    }

    /// Reads a datagram; `None` when it is too short or its extensions reach past its end.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let [first, first_extension, rest @ ..] = *bytes.first_chunk::<HEADER_LEN>()?;
        let [i0, i1, t0, t1, t2, t3, d0, d1, d2, d3, w0, w1, w2, w3, s0, s1, a0, a1] = rest;
        let mut next = first_extension;
        let mut extensions = Vec::new();
        let mut rest = &bytes[HEADER_LEN..];
        while next != 0 {
            let [following, len, tail @ ..] = rest else { return None };
            let (body, tail) = tail.split_at_checked(usize::from(*len))?;
            extensions.push(Extension { kind: next, body: body.to_vec(), claimed_len: None });
            next = *following;
            rest = tail;
        }
        Some(Self {
            kind: Kind::from_nibble(first >> 4),
            version: first & 0x0f,
            id: u16::from_be_bytes([i0, i1]),
            stamp_us: Some(u32::from_be_bytes([t0, t1, t2, t3])),
            diff_us: Some(u32::from_be_bytes([d0, d1, d2, d3])),
            wnd: u32::from_be_bytes([w0, w1, w2, w3]),
            seq: u16::from_be_bytes([s0, s1]),
            ack: u16::from_be_bytes([a0, a1]),
            extensions,
            payload: rest.to_vec(),
        })
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} id={} seq={} ack={}", self.kind, self.id, self.seq, self.ack)?;
        match self.wnd {
            wnd if wnd >= 1 << 10 && wnd.is_multiple_of(1 << 20) => {
                write!(f, " wnd={}M", wnd >> 20)?
            }
            wnd if wnd >= 1 << 10 && wnd.is_multiple_of(1 << 10) => {
                write!(f, " wnd={}K", wnd >> 10)?
            }
            wnd => write!(f, " wnd={wnd}")?,
        }
        if self.version != 1 {
            write!(f, " version={}", self.version)?;
        }
        for extension in &self.extensions {
            if extension.kind == SELECTIVE_ACK && extension.claimed_len.is_none() {
                write!(f, " sack={}", bit_list(&extension.body))?;
                if extension.body.len() != 4 {
                    write!(f, "/{}", extension.body.len())?;
                }
            } else {
                write!(f, " ext={}:{}", extension.kind, hex_start(&extension.body))?;
            }
            if let Some(len) = extension.claimed_len {
                write!(f, "(len={len})")?;
            }
        }
        if !self.payload.is_empty() {
            write!(f, " data={}", self.payload.len())?;
        }
        if let (Some(stamp_us), Some(diff_us)) = (self.stamp_us, self.diff_us) {
            write!(f, " stamp={stamp_us} diff={diff_us}")?;
        }
        Ok(())
    }
}

/// The bits of a mask as `0,2,5..8`; `none` when it is all zero.
fn bit_list(mask: &[u8]) -> String {
    let bits = (0..mask.len() * 8).filter(|bit| mask[bit / 8] >> (bit % 8) & 1 == 1);
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for bit in bits {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == bit => *last = bit,
            _ => runs.push((bit, bit)),
        }
    }
    let words = runs.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}..{last}"),
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "zero".to_owned() } else { words.join(",") }
}

/// The first bytes in hexadecimal, and how many more there are.
pub(crate) fn hex_start(bytes: &[u8]) -> String {
    let shown = bytes.len().min(HEX_SHOWN);
    let mut text: String = bytes[..shown].iter().map(|byte| format!("{byte:02x}")).collect();
    if shown < bytes.len() {
        text += &format!("+{}", bytes.len() - shown);
    }
    text
}

/// The bytes of a header.
pub(crate) const HEADER_LEN: usize = 20;

/// The extension that lists packets held beyond a gap.
pub(crate) const SELECTIVE_ACK: u8 = 1;

/// The window that packets of the runner advertise when nothing else is said.
pub(crate) const WINDOW: u32 = 1 << 20;

const HEX_SHOWN: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_laid_out_as_bep_29_draws_it() {
        let packet = Packet::new(Kind::State)
            .id(0x0102)
            .seq(0x0304)
            .ack(0x0506)
            .wnd(0x0708_090a)
            .stamp_us(0x1112_1314)
            .diff_us(0x2122_2324)
            .sack(&[0, 9])
            .payload([0xee]);
        let bytes = [
            0x21, 1, 1, 2, 0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24, 7, 8, 9, 10, 3, 4, 5, 6,
            0, 4, 1, 2, 0, 0, 0xee,
        ];
        assert_eq!(packet.encode(), bytes);
        assert_eq!(Packet::decode(&bytes), Some(packet.clone()));
        assert_eq!(packet.sack_bits(), [0, 9]);
    }

    #[test]
    fn a_chain_that_reaches_past_the_end_is_no_packet() {
        let mut packet = Packet::new(Kind::Data).extension(7, [1, 2, 3]).extension(8, []);
        assert!(Packet::decode(&packet.encode()).is_some());
        packet.extensions[1].claimed_len = Some(1);
        assert_eq!(Packet::decode(&packet.encode()), None);
        assert_eq!(Packet::decode(&[0x21; 19]), None);
    }

    #[test]
    fn a_packet_is_shown_as_a_script_would_write_it() {
        let packet = Packet::new(Kind::Data).id(5).seq(6).ack(7).sack(&[0, 2, 3, 4]);
        let shown = packet.extension(3, [0, 1]).payload([0; 9]).to_string();
        assert_eq!(shown, "DATA id=5 seq=6 ack=7 wnd=1M sack=0,2..4 ext=3:0001 data=9");
    }
}
