//! What a packet has to look like, and in which field one that came does not.

use std::fmt::{self, Write as _};

use super::packet::{Kind, Packet};

/// A field of a packet that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Ack,
    /// Bytes of payload.
    Data,
    Diff,
    /// The type of the first extension; 0 without one.
    First,
    Id,
    Seq,
    /// Bytes of the whole datagram.
    Size,
    Stamp,
    Version,
    Wnd,
}

impl Field {
    pub(crate) const NAMED: [(&'static str, Self); 10] = [
        ("ack", Self::Ack),
        ("data", Self::Data),
        ("diff", Self::Diff),
        ("first", Self::First),
        ("id", Self::Id),
        ("seq", Self::Seq),
        ("size", Self::Size),
        ("stamp", Self::Stamp),
        ("version", Self::Version),
        ("wnd", Self::Wnd),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    const fn name(self) -> &'static str {
        let mut index = 0;
        while Self::NAMED[index].1 as u8 != self as u8 {
            index += 1;
        }
        Self::NAMED[index].0
    }

    /// The value of the field in a packet.
    pub(crate) fn of(self, packet: &Packet) -> i64 {
        let len = |len: usize| i64::try_from(len).unwrap_or(i64::MAX);
        match self {
            Self::Ack => packet.ack.into(),
            Self::Data => len(packet.payload.len()),
            Self::Diff => packet.diff_us.unwrap_or(0).into(),
            Self::First => packet.extensions.first().map_or(0, |first| first.kind.into()),
            Self::Id => packet.id.into(),
            Self::Seq => packet.seq.into(),
            Self::Size => len(packet.encode().len()),
            Self::Stamp => packet.stamp_us.unwrap_or(0).into(),
            Self::Version => packet.version.into(),
            Self::Wnd => packet.wnd.into(),
        }
    }

    /// After how many values the field begins again.
    pub(crate) const fn modulus(self) -> Option<i64> {
        match self {
            Self::Ack | Self::Id | Self::Seq => Some(1 << 16),
            Self::Diff | Self::Stamp => Some(1 << 32),
            Self::Data | Self::First | Self::Size | Self::Version | Self::Wnd => None,
        }
    }
}

/// Lowest and highest value that a field may have. In a field that wraps, a range may too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Allowed {
    fn admits(self, field: Field, value: i64) -> bool {
        match field.modulus() {
            Some(modulus) => {
                let span = (self.to - self.from).rem_euclid(modulus);
                self.to - self.from >= modulus || (value - self.from).rem_euclid(modulus) <= span
            }
            None => (self.from..=self.to).contains(&value),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from == self.to {
            true => write!(f, "{}", self.from),
            false => write!(f, "{}..{}", self.from, self.to),
        }
    }
}

/// Values for a field: one number, or a range of them with both ends.
pub(crate) trait IntoAllowed {
    fn into_allowed(self) -> Allowed;
}

impl IntoAllowed for Allowed {
    fn into_allowed(self) -> Allowed {
        self
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl IntoAllowed for $number {
            fn into_allowed(self) -> Allowed {
                let value = i64::from(self);
                Allowed { from: value, to: value }
            }
        }

        impl IntoAllowed for std::ops::RangeInclusive<$number> {
            fn into_allowed(self) -> Allowed {
                Allowed { from: i64::from(*self.start()), to: i64::from(*self.end()) }
            }
        }
    )*};
}

numbers!(u16 u32 i32);

/// What is asked of the extensions of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WantExtension {
    /// There is none, of any type.
    NoneAtAll,
    /// There is none of this type.
    No(u8),
    /// There is one of this type.
    Some(u8),
    /// There is one of this type with this body.
    Exactly(u8, Vec<u8>),
    /// There is a selective ack in which exactly these bits are set.
    Sack(Vec<usize>),
}

/// What a packet has to look like. What is not asked for may be anything.
///
/// The version is 1 unless something else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Want {
    kinds: Vec<Kind>,
    fields: Vec<(Field, Allowed)>,
    extensions: Vec<WantExtension>,
    payload: Option<Vec<u8>>,
    socket: usize,
}

impl Want {
    /// Any packet.
    pub(crate) fn any() -> Self {
        Self::default()
    }

    /// A packet of this kind.
    pub(crate) fn kind(kind: Kind) -> Self {
        Self::default().or(kind)
    }

    pub(crate) fn data() -> Self {
        Self::kind(Kind::Data)
    }

    pub(crate) fn fin() -> Self {
        Self::kind(Kind::Fin)
    }

    pub(crate) fn state() -> Self {
        Self::kind(Kind::State)
    }

    pub(crate) fn reset() -> Self {
        Self::kind(Kind::Reset)
    }

    pub(crate) fn syn() -> Self {
        Self::kind(Kind::Syn)
    }

    /// Allows another kind.
    pub(crate) fn or(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Asks for a value of a field, or one within a range.
    pub(crate) fn field(mut self, field: Field, allowed: impl IntoAllowed) -> Self {
        self.fields.push((field, allowed.into_allowed()));
        self
    }

    pub(crate) fn id(self, id: impl IntoAllowed) -> Self {
        self.field(Field::Id, id)
    }

    pub(crate) fn seq(self, seq: impl IntoAllowed) -> Self {
        self.field(Field::Seq, seq)
    }

    pub(crate) fn ack(self, ack: impl IntoAllowed) -> Self {
        self.field(Field::Ack, ack)
    }

    pub(crate) fn wnd(self, bytes: impl IntoAllowed) -> Self {
        self.field(Field::Wnd, bytes)
    }

    /// Asks for a number of bytes of payload.
    pub(crate) fn data_len(self, bytes: impl IntoAllowed) -> Self {
        self.field(Field::Data, bytes)
    }

    /// Asks for a size of the whole datagram.
    pub(crate) fn size(self, bytes: impl IntoAllowed) -> Self {
        self.field(Field::Size, bytes)
    }

    /// Asks for these bytes as payload.
    pub(crate) fn payload(mut self, payload: Vec<u8>) -> Self {
        self.payload = Some(payload);
        self
    }

    pub(crate) fn extension(mut self, extension: WantExtension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Asks for a selective ack with exactly these bits; bit 0 stands for `ack + 2`.
    pub(crate) fn sack(self, bits: &[usize]) -> Self {
        self.extension(WantExtension::Sack(bits.to_vec()))
    }

    /// Asks for it on another socket of the runner than the first.
    pub(crate) const fn on(mut self, socket: usize) -> Self {
        self.socket = socket;
        self
    }

    /// The socket of the runner on which it shall come.
    pub(crate) const fn socket(&self) -> usize {
        self.socket
    }

    /// What is wrong with a packet; `None` when nothing is.
    pub(crate) fn mismatch(&self, packet: &Packet) -> Option<String> {
        if !self.kinds.is_empty() && !self.kinds.contains(&packet.kind) {
            return Some(format!("it is a {}", packet.kind));
        }
        let version = (Field::Version, 1_i32.into_allowed());
        let asks_version = self.fields.iter().any(|(field, _)| *field == Field::Version);
        let implied = (!asks_version).then_some(version);
        for (field, allowed) in self.fields.iter().copied().chain(implied) {
            let value = field.of(packet);
            if !allowed.admits(field, value) {
                return Some(format!("{} is {value}, allowed is {allowed}", field.name()));
            }
        }
        if let Some(payload) = &self.payload
            && let Some(difference) = difference(payload, &packet.payload)
        {
            return Some(difference);
        }
        self.extensions.iter().find_map(|extension| extension.mismatch(packet))
    }

    pub(crate) fn matches(&self, packet: &Packet) -> bool {
        self.mismatch(packet).is_none()
    }
}

impl WantExtension {
    fn mismatch(&self, packet: &Packet) -> Option<String> {
        let body_of =
            |kind: u8| packet.extensions.iter().find(|has| has.kind == kind).map(|has| &has.body);
        match self {
            Self::NoneAtAll => {
                let first = packet.extensions.first()?;
                Some(format!("it has extension {}, allowed is none", first.kind))
            }
            Self::No(kind) => {
                body_of(*kind).map(|_| format!("it has extension {kind}, which is not allowed"))
            }
            Self::Some(kind) => {
                body_of(*kind).is_none().then(|| format!("it has no extension {kind}"))
            }
            Self::Exactly(kind, body) => match body_of(*kind) {
                Some(has) if has == body => None,
                Some(has) => {
                    Some(format!("extension {kind} is {has:02x?}, allowed is {body:02x?}"))
                }
                None => Some(format!("it has no extension {kind}")),
            },
            Self::Sack(bits) if packet.sack_mask().is_none() => {
                Some(format!("it has no selective ack, allowed is one of the bits {bits:?}"))
            }
            Self::Sack(bits) if packet.sack_bits() != *bits => Some(format!(
                "the selective ack sets {:?}, allowed is {bits:?}",
                packet.sack_bits()
            )),
            Self::Sack(_) => None,
        }
    }
}

/// Where two payloads differ.
fn difference(wanted: &[u8], found: &[u8]) -> Option<String> {
    if wanted.len() != found.len() {
        return Some(format!("it has {} bytes of payload, not {}", found.len(), wanted.len()));
    }
    let at = wanted.iter().zip(found).position(|(wanted, found)| wanted != found)?;
    let (found, wanted) = (found[at], wanted[at]);
    Some(format!("byte {at} of the payload is {found:#04x}, not {wanted:#04x}"))
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.kinds.iter().map(ToString::to_string).collect();
        let mut text = if kinds.is_empty() { "ANY".to_owned() } else { kinds.join("|") };
        for (field, allowed) in &self.fields {
            write!(text, " {}={allowed}", field.name())?;
        }
        for extension in &self.extensions {
            match extension {
                WantExtension::NoneAtAll => text += " ext=none",
                WantExtension::No(kind) => write!(text, " ext={kind}:none")?,
                WantExtension::Some(kind) => write!(text, " ext={kind}")?,
                WantExtension::Exactly(kind, body) => write!(text, " ext={kind}:{body:02x?}")?,
                WantExtension::Sack(bits) => write!(text, " sack={bits:?}")?,
            }
        }
        if self.payload.is_some() {
            text += " (with the right bytes)";
        }
        if self.socket != 0 {
            write!(text, " on socket {}", self.socket)?;
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> Packet {
        Packet::new(Kind::State).id(1).seq(2).ack(3)
    }

    #[test]
    fn a_mismatch_names_the_field_its_value_and_what_is_allowed() {
        assert_eq!(Want::state().id(1_u16).ack(3_u16).mismatch(&state()), None);
        let wrong = |want: Want| want.mismatch(&state()).expect("wrong");
        assert_eq!(wrong(Want::data()), "it is a STATE");
        assert_eq!(wrong(Want::state().ack(4_u16)), "ack is 3, allowed is 4");
        assert_eq!(wrong(Want::any().seq(3_u16..=9)), "seq is 2, allowed is 3..9");
        assert!(wrong(Want::state().sack(&[1])).contains("no selective ack"));
        assert!(wrong(Want::state().payload(vec![1])).contains("0 bytes of payload, not 1"));
    }

    #[test]
    fn a_range_of_numbers_wraps_where_the_field_does() {
        let want = Want::any().seq(65_530_i32..=65_540);
        for (seq, inside) in [(65_529, false), (65_530, true), (0, true), (4, true), (5, false)] {
            assert_eq!(want.matches(&state().seq(seq)), inside, "{seq}");
        }
        let from_to = |from, to| Allowed { from, to };
        assert!(Want::any().seq(from_to(65_535, 1)).matches(&state().seq(0)));
        assert!(!Want::any().wnd(from_to(10, 5)).matches(&state().wnd(7)));
    }

    #[test]
    fn another_version_is_wrong_unless_asked_for() {
        let mut packet = state();
        packet.version = 2;
        assert!(!Want::any().matches(&packet));
        assert!(Want::any().field(Field::Version, 0_i32..=15).matches(&packet));
    }

    #[test]
    fn extensions_are_told_apart() {
        let packet = state().sack(&[0, 5]).extension(3, [0, 1]);
        assert!(Want::any().sack(&[0, 5]).matches(&packet));
        assert!(!Want::any().sack(&[0]).matches(&packet));
        assert!(!Want::any().extension(WantExtension::NoneAtAll).matches(&packet));
        assert!(!Want::any().extension(WantExtension::No(3)).matches(&packet));
        assert!(Want::any().extension(WantExtension::Some(3)).matches(&packet));
        assert!(Want::any().extension(WantExtension::Exactly(3, vec![0, 1])).matches(&packet));
        assert!(!Want::any().extension(WantExtension::Exactly(3, vec![0])).matches(&packet));
    }
}
