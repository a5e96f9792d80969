//! The window laws: how the window grows outside slow start, and what a loss leaves of it.
//!
//! Slow start, repair of losses and timers are the sender's and the same for all.

mod cubic;
mod reno;

pub use cubic::Cubic;
pub use reno::Reno;

use crate::time::Ns;

/// A window law with its state.
#[derive(Clone, Debug)]
pub enum Law {
    /// CUBIC (RFC 9438).
    Cubic(Cubic),
    /// Reno (RFC 5681).
    Reno(Reno),
}

/// What a law may know when new data is acknowledged in congestion avoidance.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The moment of the acknowledgment.
    pub now: Ns,
    /// Segments that it newly covers.
    pub segments: u32,
    /// The window before it, in segments.
    pub window: u32,
    /// Smoothed round-trip time; zero before the first measurement.
    pub rtt: Ns,
}

impl Law {
    /// CUBIC at the start of a connection.
    pub fn cubic() -> Self {
        Self::Cubic(Cubic::default())
    }

    /// Reno at the start of a connection.
    pub fn reno() -> Self {
        Self::Reno(Reno::default())
    }

    /// The window after an acknowledgment in congestion avoidance, in segments.
    pub(super) fn window_after(&mut self, progress: &Progress) -> u32 {
        match self {
            Self::Cubic(cubic) => cubic.window_after(progress),
            Self::Reno(reno) => reno.window_after(progress),
        }
    }

    /// A loss was found, by acknowledgments or by the timer: the slow start threshold that it
    /// leaves, in segments, which is also the window to repair with.
    ///
    /// `window` is what it was and `basis` what the law multiplies: the data in flight, or the
    /// window when losses are being repaired already (RFC 5681 equation 4, RFC 9438 section 4.6).
    pub(super) fn on_loss(&mut self, window: u32, basis: u32) -> u32 {
        match self {
            Self::Cubic(cubic) => cubic.on_loss(window, basis),
            Self::Reno(reno) => reno.on_loss(basis),
        }
    }

    /// The retransmission timer expired, and slow start begins again.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Cubic(cubic) => cubic.restart(),
            Self::Reno(reno) => reno.restart(),
        }
    }
}

/// The least that a loss leaves, in segments (RFC 5681 section 3.1).
const WINDOW_MIN: u32 = 2;
