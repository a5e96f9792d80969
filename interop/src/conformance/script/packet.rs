//! Packets in a script: what they may say, and what that means on each side.

use std::collections::BTreeMap;

use super::Expr;
use super::expr::number;
use super::values::{Value, bits, hex};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::want::{Allowed, Field, Want, WantExtension};

/// How a script looks up a name.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Result<i64, String>;

/// A packet as it stands in a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PacketText {
    /// None stands for any kind.
    pub(super) kinds: Vec<Kind>,
    /// Bytes that need not be a packet.
    pub(super) raw: Option<Vec<u8>>,
    fields: Vec<(Field, Value)>,
    extensions: Vec<WantExtension>,
    /// Payload that is no part of a stream.
    payload: Option<Vec<u8>>,
    /// Which stream the payload is of, and where it begins in it.
    seed: Option<Expr>,
    at: Option<Expr>,
    bugs: Vec<Bug>,
}

/// What makes a packet invalid on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bug {
    /// Only so many bytes of the datagram are sent.
    Cut(usize),
    /// The last extension claims this length.
    ExtensionLen(u8),
    /// The first extension is said to be of this type.
    First(u8),
    /// These bytes follow the datagram.
    Pad(Vec<u8>),
    Type(u8),
    Version(u8),
}

impl PacketText {
    /// Reads what follows `<` or `>`.
    pub(super) fn parse(text: &str, is_sent: bool) -> Result<Self, String> {
        let mut packet = Self::default();
        let (text, bugs) = match text.split_once("bug{") {
            Some((text, bugs)) => {
                (text, bugs.strip_suffix('}').ok_or("found `bug{` without its }")?)
            }
            None => (text, ""),
        };
        let mut words = text.split_whitespace();
        let kind = words.next().ok_or("found no packet; allowed: SYN, STATE, DATA, FIN, RESET")?;
        match kind {
            "raw" if is_sent => {
                packet.raw = Some(hex(&words.collect::<Vec<_>>().join(","))?);
                return Ok(packet);
            }
            "ANY" if !is_sent => {}
            kinds => {
                for kind in kinds.split('|') {
                    let known = Kind::named(kind).ok_or_else(|| {
                        format!("found `{kind}`; allowed: SYN, STATE, DATA, FIN, RESET, raw, ANY")
                    })?;
                    packet.kinds.push(known);
                }
            }
        }
        if is_sent && packet.kinds.len() != 1 {
            return Err(format!("found `{kind}`; allowed: one kind of packet"));
        }
        for word in words {
            packet.take_field(word, is_sent)?;
        }
        for word in bugs.split_whitespace() {
            packet.bugs.push(bug(word)?);
        }
        if !is_sent && !packet.bugs.is_empty() {
            return Err(
                "found bug{} in a packet that is awaited; allowed: in one that is sent".into()
            );
        }
        Ok(packet)
    }

    fn take_field(&mut self, word: &str, is_sent: bool) -> Result<(), String> {
        let wrong = || {
            let fields: Vec<&str> = Field::NAMED.iter().map(|(name, _)| *name).collect();
            let fields = fields.join("=, ");
            format!("found `{word}`; allowed: {fields}=, sack=, ext=, seed=, at=, hex=")
        };
        let (name, value) = word.split_once('=').ok_or_else(wrong)?;
        match (name, value) {
            ("sack", "none") => self.extensions.push(WantExtension::No(1)),
            ("sack", "any") => self.extensions.push(WantExtension::Some(1)),
            ("sack", _) => self.extensions.push(WantExtension::Sack(bits(value)?)),
            ("ext", "none") => self.extensions.push(WantExtension::NoneAtAll),
            ("ext", _) => self.extensions.push(extension(value)?),
            ("seed", _) => self.seed = Some(Expr::parse(value)?),
            ("at", _) => self.at = Some(Expr::parse(value)?),
            ("hex", _) => self.payload = Some(hex(value)?),
            _ => {
                let field = Field::named(name).ok_or_else(wrong)?;
                if is_sent && matches!(field, Field::First | Field::Size | Field::Version) {
                    return Err(format!("found `{word}`; allowed: bug{{…}} for what is invalid"));
                }
                self.fields.push((field, Value::parse(value)?));
            }
        }
        let is_asked = |extension: &WantExtension| {
            !matches!(extension, WantExtension::Exactly(..) | WantExtension::Sack(_))
        };
        if is_sent && self.extensions.iter().any(is_asked) {
            return Err(format!("found `{word}`; allowed: the bits or bytes to send"));
        }
        Ok(())
    }

    /// The value of a field to send.
    fn sent(&self, field: Field, lookup: Lookup<'_>) -> Result<Option<i64>, String> {
        match self.fields.iter().find(|(known, _)| *known == field) {
            None => Ok(None),
            Some((_, Value::One(value))) => value.value(lookup).map(Some),
            Some(_) => Err("a packet that is sent has one value in each field".into()),
        }
    }

    /// What a packet that is awaited has to look like.
    pub(super) fn want(&self, lookup: Lookup<'_>) -> Result<Want, String> {
        let mut want = self.kinds.iter().fold(Want::any(), |want, kind| want.or(*kind));
        for (field, value) in &self.fields {
            let (from, to) = match value {
                Value::One(value) => (value.value(lookup)?, value.value(lookup)?),
                Value::Range(from, to) => (from.value(lookup)?, to.value(lookup)?),
                Value::Around(middle, by) => {
                    let (middle, by) = (middle.value(lookup)?, by.value(lookup)?);
                    (middle - by, middle + by)
                }
            };
            want = want.field(*field, Allowed { from, to });
        }
        want = self.extensions.iter().cloned().fold(want, Want::extension);
        if let Some(payload) = &self.payload {
            return Ok(want.payload(payload.clone()));
        }
        let Some(at) = &self.at else { return Ok(want) };
        let len = self.sent(Field::Data, lookup)?.and_then(|len| usize::try_from(len).ok());
        let len = len.ok_or("at= needs data= with one length")?;
        let seed = self.seed.as_ref().map_or(Ok(1), |seed| seed.value(lookup))?;
        let at = unsigned(at.value(lookup)?)?;
        Ok(want.payload(pattern(unsigned(seed)?, at, len)))
    }

    /// The datagram's packet, with the numbers that the flow has for what is not said.
    pub(super) fn packet(&self, lines: &mut Numbers, lookup: Lookup<'_>) -> Result<Packet, String> {
        let flow = &lines.flow;
        let kind = self.kinds[0];
        let mut packet = if kind == Kind::Syn { flow.syn() } else { flow.packet(kind) };
        let set = |to: &mut u16, field| {
            if let Some(value) = self.sent(field, lookup)? {
                *to = low_16(value);
            }
            Ok::<_, String>(())
        };
        set(&mut packet.id, Field::Id)?;
        set(&mut packet.seq, Field::Seq)?;
        set(&mut packet.ack, Field::Ack)?;
        let wide = |field| Ok::<_, String>(self.sent(field, lookup)?.map(low_32));
        packet.wnd = wide(Field::Wnd)?.unwrap_or(packet.wnd);
        packet.stamp_us = wide(Field::Stamp)?;
        packet.diff_us = wide(Field::Diff)?;
        for extension in &self.extensions {
            packet = match extension {
                WantExtension::Exactly(kind, body) => packet.extension(*kind, body.clone()),
                WantExtension::Sack(bits) => packet.sack(bits),
                _ => packet,
            };
        }
        packet.payload = self.payload_to_send(lines, &packet, lookup)?;
        for bug in &self.bugs {
            match (bug, packet.extensions.last_mut()) {
                (Bug::Version(version), _) => packet.version = *version,
                (Bug::Type(nibble), _) => packet.kind = Kind::from_nibble(*nibble),
                (Bug::ExtensionLen(len), Some(last)) => last.claimed_len = Some(*len),
                (Bug::ExtensionLen(_), None) => return Err("extlen= without an extension".into()),
                (Bug::Cut(_) | Bug::First(_) | Bug::Pad(_), _) => {}
            }
        }
        Ok(packet)
    }

    fn payload_to_send(
        &self,
        lines: &mut Numbers,
        packet: &Packet,
        lookup: Lookup<'_>,
    ) -> Result<Vec<u8>, String> {
        if let Some(payload) = &self.payload {
            lines.note(packet, lines.flow.sent, 0);
            return Ok(payload.clone());
        }
        let len = self.sent(Field::Data, lookup)?.unwrap_or(0);
        let len = usize::try_from(len).map_err(|_| format!("a payload of {len} bytes"))?;
        let seed = match &self.seed {
            Some(seed) => unsigned(seed.value(lookup)?)?,
            None => lines.flow.seed,
        };
        let at = match &self.at {
            Some(at) => unsigned(at.value(lookup)?)?,
            None => lines.offset_of(packet.seq, len),
        };
        lines.note(packet, at, len);
        Ok(pattern(seed, at, len))
    }

    /// The bytes of a packet with what the script spoils in them.
    pub(super) fn spoiled(&self, packet: &Packet) -> Option<Vec<u8>> {
        let spoils = |bug: &Bug| matches!(bug, Bug::Cut(_) | Bug::First(_) | Bug::Pad(_));
        if !self.bugs.iter().any(spoils) {
            return None;
        }
        let mut bytes = packet.encode();
        for bug in &self.bugs {
            match bug {
                Bug::Cut(len) => bytes.truncate(*len),
                Bug::First(kind) => bytes[1] = *kind,
                Bug::Pad(pad) => bytes.extend(pad),
                Bug::ExtensionLen(_) | Bug::Type(_) | Bug::Version(_) => {}
            }
        }
        Some(bytes)
    }

    /// Whether it is an honest packet, whose numbers the flow follows.
    pub(super) fn is_honest(&self) -> bool {
        self.bugs.is_empty() && self.raw.is_none()
    }

    pub(super) fn says(&self, field: Field) -> bool {
        self.fields.iter().any(|(known, _)| *known == field)
    }
}

/// The numbers of the scripted peer: what a packet gets where the script says nothing.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) flow: Flow,
    /// Where the payload of a packet begins in the stream, and its length, by its number.
    sent: BTreeMap<u16, (u64, usize)>,
}

impl Numbers {
    pub(super) const fn new(flow: Flow) -> Self {
        Self { flow, sent: BTreeMap::new() }
    }

    /// Where the payload of a packet begins: where it did when it was sent before; otherwise as if
    /// all packets from the next one on had this length.
    fn offset_of(&self, seq: u16, len: usize) -> u64 {
        match self.sent.get(&seq) {
            Some((offset, _)) => *offset,
            None => {
                let ahead = seq.wrapping_sub(self.flow.seq);
                self.flow.sent + u64::from(ahead) * len as u64
            }
        }
    }

    /// Takes note of a packet that takes a number: the next one is the first that was not sent.
    fn note(&mut self, packet: &Packet, offset: u64, len: usize) {
        if !packet.kind.is_numbered() {
            return;
        }
        self.sent.entry(packet.seq).or_insert((offset, len));
        while let Some((offset, len)) = self.sent.get(&self.flow.seq) {
            self.flow.sent = offset + *len as u64;
            self.flow.seq = self.flow.seq.wrapping_add(1);
            // What is half a circle behind is about to be ahead.
            self.sent.remove(&(self.flow.seq ^ 0x8000));
        }
    }
}

fn bug(word: &str) -> Result<Bug, String> {
    let wrong = || format!("found `{word}`; allowed: version=, type=, cut=, pad=, first=, extlen=");
    let (name, value) = word.split_once('=').ok_or_else(wrong)?;
    let small = || number(value).ok().and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong);
    match name {
        "cut" => Ok(Bug::Cut(value.parse().map_err(|_| wrong())?)),
        "extlen" => Ok(Bug::ExtensionLen(small()?)),
        "first" => Ok(Bug::First(small()?)),
        "pad" => Ok(Bug::Pad(hex(value)?)),
        "type" => Ok(Bug::Type(small()?)),
        "version" => Ok(Bug::Version(small()?)),
        _ => Err(wrong()),
    }
}

/// Reads `3`, `3:none` or `3:0001`.
fn extension(text: &str) -> Result<WantExtension, String> {
    let wrong = |_| format!("found `ext={text}`; allowed: ext=3, ext=3:none, ext=3:0001, ext=none");
    match text.split_once(':') {
        None => Ok(WantExtension::Some(text.parse().map_err(wrong)?)),
        Some((kind, "none")) => Ok(WantExtension::No(kind.parse().map_err(wrong)?)),
        Some((kind, body)) => Ok(WantExtension::Exactly(kind.parse().map_err(wrong)?, hex(body)?)),
    }
}

fn unsigned(value: i64) -> Result<u64, String> {
    u64::try_from(value).map_err(|_| format!("{value} is below zero"))
}

/// A number of the wire: scripts may count on beyond where it wraps.
fn low_16(value: i64) -> u16 {
    u16::try_from(value.rem_euclid(1 << 16)).expect("within range")
}

fn low_32(value: i64) -> u32 {
    u32::try_from(value.rem_euclid(1 << 32)).expect("within range")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Lookup<'static> = &|name| Err(format!("unknown {name}"));

    fn numbers() -> Numbers {
        Numbers::new(Flow::initiator(100, 1))
    }

    #[test]
    fn what_is_not_said_comes_from_the_flow() {
        let mut numbers = numbers();
        let mut send = |text: &str| {
            PacketText::parse(text, true).expect(text).packet(&mut numbers, NONE).expect(text)
        };
        assert_eq!((send("SYN").id, send("SYN").seq), (100, 1));
        let first = send("DATA data=10");
        assert_eq!((first.id, first.seq), (101, 2));
        assert_eq!(first.payload, pattern(1, 0, 10));
        // One ahead, then the one between: the next is behind both.
        assert_eq!(send("DATA seq=4 data=10").payload, pattern(1, 20, 10));
        assert_eq!(send("DATA data=10").payload, pattern(1, 10, 10));
        let next = send("DATA data=10");
        assert_eq!((next.seq, next.payload), (5, pattern(1, 30, 10)));
        assert_eq!(send("DATA seq=4 data=10").payload, pattern(1, 20, 10));
        assert_eq!(send("FIN").seq, 6);
        assert_eq!(send("STATE").seq, 7);
    }

    #[test]
    fn invalid_packets_are_made_on_purpose_only() {
        let text = PacketText::parse("STATE ext=9:0102 bug{version=2 extlen=9 cut=23}", true);
        let text = text.expect("parses");
        let packet = text.packet(&mut numbers(), NONE).expect("a packet");
        assert_eq!(packet.version, 2);
        let bytes = text.spoiled(&packet).expect("cut");
        assert_eq!((bytes.len(), bytes[0], bytes[21]), (23, 0x22, 9));
        assert!(PacketText::parse("STATE version=2", true).is_err());
        assert!(PacketText::parse("STATE bug{cut=1}", false).is_err());
    }

    #[test]
    fn a_wrong_word_is_shown_with_what_is_allowed() {
        for (text, found) in [("SIN", "SIN"), ("SYN sec=1", "sec=1"), ("SYN seq", "seq")] {
            let error = PacketText::parse(text, true).expect_err(text);
            assert!(error.starts_with(&format!("found `{found}`; allowed: ")), "{error}");
        }
    }

    #[test]
    fn a_packet_that_is_awaited_may_have_ranges() {
        let text = PacketText::parse("STATE|DATA seq=5..7 wnd=100~10 sack=0,2 data=3 at=8", false);
        let want = text.expect("parses").want(NONE).expect("has values");
        let packet = Packet::new(Kind::Data).seq(6).wnd(95).sack(&[0, 2]).payload(pattern(1, 8, 3));
        assert_eq!(want.mismatch(&packet), None);
        assert!(!want.matches(&packet.seq(8)));
    }
}
