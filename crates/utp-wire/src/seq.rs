//! Owns the circular 16-bit numbers: `SeqNr` and `ConnectionId`.

/// A packet's number, modulo 2^16 (BEP-29, `seq_nr` and `ack_nr`).
///
/// It wraps and so has no order; [`precedes`](Self::precedes) compares two numbers that lie less
/// than half the circle apart.
///
/// ```
/// use utp_wire::SeqNr;
///
/// let last = SeqNr(0xffff);
/// assert_eq!(last.next(), SeqNr(0));
/// assert!(last.precedes(SeqNr(3)));
/// assert_eq!(SeqNr(3).distance_from(last), 4);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNr(pub u16);

impl SeqNr {
    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        self.add(1)
    }

    /// The number before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        self.sub(1)
    }

    /// The number `count` packets later.
    #[must_use]
    pub const fn add(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The number `count` packets earlier.
    #[must_use]
    pub const fn sub(self, count: u16) -> Self {
        Self(self.0.wrapping_sub(count))
    }

    /// How many packets it takes to get from `earlier` up to `self`.
    ///
    /// It counts upward only: if `earlier` is in truth the later number, the distance is large.
    #[must_use]
    pub const fn distance_from(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Whether the way up to `other` is shorter than the way down.
    ///
    /// False if the two are equal. If they are exactly half the circle (2^15) apart, neither
    /// precedes the other, as in libutp.
    #[must_use]
    pub const fn precedes(self, other: Self) -> bool {
        let up = other.distance_from(self);
        up != 0 && up < 0x8000
    }
}

/// The number that tells a packet's connection among those of one address pair (BEP-29,
/// `connection_id`).
///
/// The two directions of a connection use neighbouring numbers, modulo 2^16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u16);

impl ConnectionId {
    /// The number above this one; zero after `0xffff`.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The number below this one; `0xffff` before zero.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }
}
