//! Where a connection is in its life, and the transitions that exist.
//!
//! ```text
//!  connect            SYN accepted
//!     │                    │
//!  SynSent            SynReceived
//!     │ SYN-ACK            │ first valid DATA or FIN
//!     └────► Connected ◄───┘
//!                │ both FINs acknowledged, or abandoned
//!            Lingering ──────────► Closed
//!                                    ▲
//!        any state: error, abort ────┘
//! ```
//!
//! The two directions finish independently: [`LocalFin`] and [`RemoteFin`].

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
    /// The initiator has not proved itself by sending data; we may not send data yet.
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

impl State {
    /// Whether the transition is one of those in the picture above.
    pub(crate) const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::SynSent | Self::SynReceived, Self::Connected)
                | (Self::Connected, Self::Lingering)
                | (
                    Self::SynSent | Self::SynReceived | Self::Connected | Self::Lingering,
                    Self::Closed
                )
        )
    }
}

#[cfg(test)]
mod tests {
    use super::State::{self, Closed, Connected, Lingering, SynReceived, SynSent};

    #[test]
    fn the_transition_table_is_the_picture() {
        let all = [SynSent, SynReceived, Connected, Lingering, Closed];
        let table: Vec<String> = all
            .iter()
            .map(|from: &State| {
                let to: Vec<String> = all
                    .iter()
                    .filter(|to| from.may_become(**to))
                    .map(|to| format!("{to:?}"))
                    .collect();
                format!("{from:?} -> {}", to.join(" "))
            })
            .collect();
        assert_eq!(
            table,
            [
                "SynSent -> Connected Closed",
                "SynReceived -> Connected Closed",
                "Connected -> Lingering Closed",
                "Lingering -> Closed",
                "Closed -> ",
            ]
        );
    }
}
