//! A window that never changes, for tests, scripts and measurements that must not depend on
//! congestion control. It does not react to anything: do not use it on a shared network.

use alloc::boxed::Box;

use utp_wire::Instant;

use crate::controller::{Ack, Controller, ControllerFactory, Loss};

/// A [`Controller`] whose window is constant and goes at once: nothing is paced by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindow {
    window_bytes: u64,
}

impl FixedWindow {
    /// A constant window of `window_bytes` payload bytes; zero counts as one, so that the window
    /// stays above zero as [`Controller::window_bytes`] promises.
    #[must_use]
    pub const fn new(window_bytes: u64) -> Self {
        Self { window_bytes: if window_bytes == 0 { 1 } else { window_bytes } }
    }
}

impl Controller for FixedWindow {
    fn on_ack(&mut self, _ack: &Ack) {}

    fn on_loss(&mut self, _loss: &Loss) {}

    fn on_timeout(&mut self, _now: Instant, _in_flight_bytes: u64) {}

    fn is_paced(&self) -> bool {
        false
    }

    fn window_bytes(&self) -> u64 {
        self.window_bytes
    }
}

/// Builds [`FixedWindow`] controllers of the given payload bytes.
///
/// ```
/// use utp_ledbat::{ControllerFactory, FixedWindowFactory};
/// use utp_wire::Instant;
///
/// let controller = FixedWindowFactory(6_000).build(Instant::from_micros(0), 1382);
/// assert_eq!(controller.window_bytes(), 6_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedWindowFactory(
    /// The window of every controller built, in payload bytes.
    pub u64,
);

impl ControllerFactory for FixedWindowFactory {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn build(&self, _now: Instant, _payload_bytes_max: u16) -> Box<dyn Controller> {
        Box::new(FixedWindow::new(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_window_ignores_losses_timeouts_and_acks() {
        let now = Instant::from_micros(1_000_000);
        let mut window = FixedWindow::new(5_000);
        window.on_timeout(now, 5_000);
        window.on_loss(&Loss { now, bytes_lost: 5_000, in_flight_bytes: 5_000, srtt_us: None });
        window.on_ack(&Ack {
            now,
            bytes_acked: 5_000,
            in_flight_bytes: 5_000,
            rtt_us: Some(1),
            delay_sampled: true,
        });
        assert_eq!(window.window_bytes(), 5_000);
        assert_eq!(window.metrics().window_bytes, 5_000);
    }

    #[test]
    fn a_fixed_window_of_zero_still_lets_a_byte_through() {
        assert_eq!(FixedWindow::new(0).window_bytes(), 1);
    }
}
