//! Where a connection is in its life, and the transitions that exist.
//!
//! `specs/state-machine.md` shows them as a diagram and as a table; a test writes it from
//! [`Transition`]. The two directions finish independently: [`LocalFin`] and [`RemoteFin`].

use utp_wire::SeqNr;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Over. Nothing is sent or accepted any more.
    Closed,
    /// Data flows (each direction may be finished on its own).
    Connected,
    /// Both directions are finished; a repeated FIN is still answered.
    Lingering,
    /// The initiator has not proved itself by an ack of our SYN-ACK; we may not send data yet.
    SynReceived,
    /// SYN sent, no answer yet.
    SynSent,
}

/// Our direction of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalFin {
    /// The application may write.
    Open,
    /// A FIN follows the last byte.
    Queued,
    /// It is on its way.
    Sent,
    /// The peer has it.
    Acked,
}

/// The peer's direction of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RemoteFin {
    /// More may come.
    Open,
    /// The number of the FIN is known, something before it is missing.
    Announced(SeqNr),
    /// Everything has arrived.
    Reached(SeqNr),
}

/// What moves a connection to another state. No other way exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The acceptor has answered the SYN.
    Answered,
    /// The initiator has proved that it got the SYN-ACK.
    Proved,
    /// Both directions are at their end, or ours is and the owner has left.
    Finished,
    /// Nobody needs the connection any more: it has lingered, makes room for a new stream with its
    /// id, is unknown to its peer, or was left by its owner and takes too long.
    Forgotten,
    /// It ends with an error.
    Failed,
}

impl Transition {
    /// The states it may start from.
    pub(crate) const fn sources(self) -> &'static [State] {
        use State::{Connected, Lingering, SynReceived, SynSent};
        match self {
            Self::Answered => &[SynSent],
            Self::Proved => &[SynReceived],
            Self::Finished => &[Connected],
            Self::Forgotten => &[Connected, Lingering],
            Self::Failed => &[SynSent, SynReceived, Connected, Lingering],
        }
    }

    /// The state it leads to.
    pub(crate) const fn target(self) -> State {
        match self {
            Self::Answered | Self::Proved => State::Connected,
            Self::Finished => State::Lingering,
            Self::Forgotten | Self::Failed => State::Closed,
        }
    }
}

impl LocalFin {
    /// The application finishes.
    pub(crate) fn queue(&mut self) {
        self.step(Self::Open, Self::Queued);
    }

    /// The FIN gets its number.
    pub(crate) fn send(&mut self) {
        self.step(Self::Queued, Self::Sent);
    }

    /// The peer has it.
    pub(crate) fn acked(&mut self) {
        self.step(Self::Sent, Self::Acked);
    }

    fn step(&mut self, from: Self, to: Self) {
        debug_assert_eq!(*self, from, "our FIN goes from step to step");
        *self = to;
    }
}

impl RemoteFin {
    /// The FIN has come before what is missing.
    pub(crate) fn announce(&mut self, seq_nr: SeqNr) {
        debug_assert!(!matches!(self, Self::Reached(_)), "nothing follows the end");
        *self = Self::Announced(seq_nr);
    }

    /// The FIN that was announced was not the peer's.
    pub(crate) fn withdraw(&mut self) {
        debug_assert!(!matches!(self, Self::Reached(_)), "what was delivered stays");
        *self = Self::Open;
    }

    /// Everything up to the FIN has come.
    pub(crate) fn reach(&mut self, seq_nr: SeqNr) {
        debug_assert!(!matches!(self, Self::Reached(_)), "a stream ends once");
        *self = Self::Reached(seq_nr);
    }
}

#[cfg(test)]
mod tests;
