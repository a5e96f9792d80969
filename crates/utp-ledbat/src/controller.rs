//! The interface between a connection and its congestion controller: the [`Controller`] trait, the
//! facts a connection reports to it, and the [`ControllerFactory`] that builds one per connection.
//!
//! Nothing here decides anything; the laws live in [`Ledbat`](crate::Ledbat) and
//! [`FixedWindow`](crate::FixedWindow).

use alloc::boxed::Box;
use core::fmt;

use utp_wire::{Instant, TimestampDiff};

/// Decides how many payload bytes of one connection may be in flight.
///
/// A connection owns one boxed controller and reports what happens to it; the controller answers
/// with [`window_bytes`](Self::window_bytes). All byte counts are payload bytes, without headers.
/// Times come from the driver and never run backwards within a connection; a controller must stay
/// sound when they do.
///
/// Every number below `now` may come from a hostile peer. A controller must not panic on any of
/// them and must keep its window above zero.
pub trait Controller: fmt::Debug + Send {
    /// Notes that `bytes` of payload were sent, first time or again.
    ///
    /// `in_flight_bytes` is the payload in flight after the send.
    fn on_sent(&mut self, now: Instant, bytes: u64, in_flight_bytes: u64) {
        let _ = (now, bytes, in_flight_bytes);
    }

    /// Notes that data was waiting and only this controller's window held it back.
    ///
    /// A sender that is limited by its application or by the peer's window must not call this: its
    /// window says nothing about the path and must not grow.
    fn on_window_limited(&mut self, now: Instant) {
        let _ = now;
    }

    /// Takes the delays that an accepted packet carried.
    ///
    /// Called for every accepted packet, before [`on_ack`](Self::on_ack) for the same packet.
    fn on_delay_sample(&mut self, now: Instant, sample: DelaySample) {
        let _ = (now, sample);
    }

    /// Takes one received packet's worth of newly acknowledged payload.
    ///
    /// Called once per received packet that newly acknowledges at least one payload byte.
    fn on_ack(&mut self, ack: &Ack);

    /// Takes the losses that one received packet revealed.
    ///
    /// Called at most once per round trip: never for packets that were all sent before the last
    /// call, or before the last time-out (RFC 5681 section 4.3, RFC 6817 section 2.4.2).
    fn on_loss(&mut self, loss: &Loss);

    /// Takes the losses that one received packet revealed of what was sent before the last
    /// [`on_loss`](Self::on_loss) or time-out, which has answered them. Only a law that spaces its
    /// cuts itself, or that goes by how much is lost, need care.
    fn on_more_loss(&mut self, loss: &Loss) {
        let _ = loss;
    }

    /// Takes back the last [`on_loss`](Self::on_loss), or the last [`on_timeout`](Self::on_timeout)
    /// and those right before it: every packet that was held to be lost has arrived (RFC 3522,
    /// RFC 5682). A controller that cut its window puts it back.
    fn on_spurious_loss(&mut self, now: Instant) {
        let _ = now;
    }

    /// Takes the expiry of the retransmission timer.
    ///
    /// `in_flight_bytes` is the payload in flight before the timer marked it for retransmission.
    /// Zero means that nothing was in flight for a whole time-out: the window was below one packet
    /// and could not send, or the connection was idle.
    fn on_timeout(&mut self, now: Instant, in_flight_bytes: u64);

    /// Notes that nothing is outstanding and nothing has been sent for a while: what is only of use
    /// while data flows may be forgotten.
    ///
    /// Called before each keepalive of an idle connection.
    fn on_idle(&mut self) {}

    /// Takes a new maximum payload of a packet, in bytes. A law that counts in bytes need not care.
    fn on_mtu_update(&mut self, payload_bytes_max: u16) {
        let _ = payload_bytes_max;
    }

    /// Steers for another queuing delay from now on, in microseconds, moved into the range that is
    /// allowed. A law without a target takes no notice.
    fn set_target(&mut self, target_us: u32) {
        let _ = target_us;
    }

    /// Whether the connection should spread its packets over the round trip, as it does by default.
    ///
    /// Not so where the window is no measure of the path, and a test wants whatever fits into it to
    /// go at once.
    fn is_paced(&self) -> bool {
        true
    }

    /// The payload bytes that may be in flight; at least 1.
    fn window_bytes(&self) -> u64;

    /// A snapshot of the controller's state for statistics and plots; without more to tell, its
    /// window.
    fn metrics(&self) -> Metrics {
        Metrics { window_bytes: self.window_bytes(), ..Metrics::default() }
    }
}

/// The one-way delays a received packet carried.
///
/// The two clocks are not synchronised: only differences between samples of the same direction
/// mean anything. A field is `None` where the packet had no usable value, see
/// [`TimestampDiff::is_sample`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelaySample {
    /// The delay of our packets, as the peer measured it (`timestamp_difference_microseconds`).
    pub ours: Option<TimestampDiff>,
    /// The delay of the peer's packets, as measured on the packet just received.
    pub theirs: Option<TimestampDiff>,
}

/// The acknowledgements of one received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// When the packet was received.
    pub now: Instant,
    /// Payload bytes acknowledged for the first time, cumulatively or selectively.
    pub bytes_acked: u64,
    /// Payload bytes in flight before this acknowledgement.
    pub in_flight_bytes: u64,
    /// The smallest round-trip time among the newly acknowledged packets, each counted from its
    /// last transmission, in microseconds.
    pub rtt_us: Option<u32>,
    /// Whether the packet carried a usable [`DelaySample::ours`].
    pub delay_sampled: bool,
}

/// The losses one received packet revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When the loss was detected.
    pub now: Instant,
    /// Payload bytes declared lost.
    pub bytes_lost: u64,
    /// Payload bytes in flight when the loss was detected, the lost ones included.
    pub in_flight_bytes: u64,
    /// The smoothed round-trip time in microseconds, once there is one.
    pub srtt_us: Option<u32>,
}

/// A snapshot of a controller for statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The congestion window in payload bytes.
    pub window_bytes: u64,
    /// The slow-start threshold in payload bytes; `None` where the law has no slow start.
    pub ssthresh_bytes: Option<u64>,
    /// The base delay of our packets in microseconds. It contains the offset between the two
    /// clocks and is meaningful only as a difference. `None` where the law measures round trips.
    pub base_delay_us: Option<u32>,
    /// The controller's estimate of the queuing delay our packets meet, in microseconds.
    pub queuing_delay_us: Option<u32>,
    /// Whether the controller is in slow start.
    pub slow_start: bool,
}

/// Builds a controller for each new connection.
///
/// ```
/// use utp_ledbat::{Config, ControllerFactory};
/// use utp_wire::Instant;
///
/// let factory: &dyn ControllerFactory = &Config::libutp();
/// let controller = factory.build(Instant::from_micros(0), 1382);
/// assert_eq!(factory.name(), "libutp");
/// assert_eq!(controller.window_bytes(), 1382);
/// ```
pub trait ControllerFactory: fmt::Debug + Send + Sync {
    /// A short name for logs and results, such as `libutp`.
    fn name(&self) -> &str;

    /// Builds the controller of a connection that starts at `now` and whose packets carry at most
    /// `payload_bytes_max` bytes of payload.
    fn build(&self, now: Instant, payload_bytes_max: u16) -> Box<dyn Controller>;

    /// The queueing delay in microseconds that its controllers steer for, to mark in plots; `None`
    /// where the law has none.
    fn target_us(&self) -> Option<u32> {
        None
    }

    /// The same law with another target, in microseconds; `None` where the law has none that could
    /// be changed, or where it allows no such target.
    fn with_target_us(&self, target_us: u32) -> Option<Box<dyn ControllerFactory>> {
        let _ = target_us;
        None
    }
}
