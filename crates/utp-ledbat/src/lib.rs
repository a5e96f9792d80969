//! LEDBAT congestion control for uTP, sans I/O: it takes what happened and answers with a window.
//!
//! LEDBAT (RFC 6817) yields to other traffic. It measures the one-way delay of its own packets,
//! takes the smallest one of the last minutes as the delay of the empty path, and steers what is
//! above that, its own queue, to a target of 100 ms. Where a loss-based sender shares the
//! bottleneck, the queue grows past the target and LEDBAT makes room.
//!
//! [`Controller`] is what a connection drives, [`ControllerFactory`] builds one per connection, and
//! [`by_name`] finds the factories of this crate by their names.
//!
//! # Which to choose
//!
//! | name | choose it |
//! | --- | --- |
//! | `utp`: [`Config::utp`] | unless another line says better |
//! | `ledbat++`: [`LedbatPlusPlusFactory`] | to yield within a second and share evenly |
//! | `libutp`: [`Config::libutp`] | to be as most peers are, but not open to lies |
//! | `rfc6817`: [`Config::rfc6817`] | for the law of the standard, not open to lies |
//! | `libutp-strict`: [`Config::libutp_strict`] | to reproduce what is published about it |
//! | `rfc6817-strict`: [`Config::rfc6817_strict`] | to reproduce what is published about it |
//! | `loss-only`: [`LossOnlyFactory`] | to compare with TCP Reno |
//! | `cubic`: [`CubicFactory`] | to compare with TCP as it mostly is |
//! | `fixed:N`: [`FixedWindowFactory`] | in tests, on networks of your own |
//!
//! The default is the law of libutp with guards: against clocks that drift or are set, against
//! receivers that lie, against a base delay that is forgotten under the sender's own queue, and
//! against a path that becomes longer. For a packet or two lost while none wait it cuts by a
//! quarter, the others by half ([`Cuts::ByQueue`]). RFC 6817 grows half as fast. LEDBAT++ keeps a
//! queue of 60 ms instead of 100; it leaves 1 to 9 % of an empty link unused, and most of it to a
//! libutp flow. The strict forms have every known flaw and are not meant for strangers. The last
//! three fill every buffer and yield to nobody.
//!
//! None of the LEDBAT laws but `ledbat++` shares evenly with its own kind: a flow that comes later
//! measures the queue of the first as part of the path. Where the buffer of the bottleneck is
//! shorter than the target, all of them compete as TCP does.
//!
//! There is no clock, no randomness and no floating point: the same calls give the same windows on
//! every machine. No sequence of calls panics or takes the window out of `1..=window_max_bytes`.
//!
//! # Example
//!
//! Driving a controller by hand, on a path of 50 ms that is empty at first and then has a queue:
//!
//! ```
//! use utp_ledbat::{Ack, Config, Controller, DelaySample, Ledbat};
//! use utp_wire::{Instant, TimestampDiff};
//!
//! let mut now = Instant::from_micros(0);
//! let mut controller = Ledbat::new(Config::libutp(), now, 1382);
//! assert_eq!(controller.window_bytes(), 1382); // one packet
//!
//! // Sends a window of data and takes its acknowledgement one round trip later.
//! let mut round_trip = |controller: &mut Ledbat, queuing_us: u32| {
//!     let window_bytes = controller.window_bytes();
//!     controller.on_sent(now, window_bytes, window_bytes);
//!     controller.on_window_limited(now); // there is more to send than the window allows
//!     now = now.saturating_add(50_000 + u64::from(queuing_us));
//!
//!     // The clocks of the two ends are 7 s apart: only differences count.
//!     let ours = Some(TimestampDiff(7_025_000 + queuing_us));
//!     controller.on_delay_sample(now, DelaySample { ours, theirs: None });
//!     controller.on_ack(&Ack {
//!         now,
//!         bytes_acked: window_bytes,
//!         in_flight_bytes: window_bytes,
//!         rtt_us: Some(50_000 + queuing_us),
//!         delay_sampled: true,
//!     });
//! };
//!
//! // On the empty path the window grows by 3000 bytes per round trip.
//! round_trip(&mut controller, 0);
//! assert_eq!(controller.window_bytes(), 1382 + 3000);
//! round_trip(&mut controller, 0);
//! assert_eq!(controller.window_bytes(), 1382 + 2 * 3000);
//!
//! // The filter takes the smallest of three samples, so the queue shows with the third.
//! round_trip(&mut controller, 150_000);
//! round_trip(&mut controller, 150_000);
//! let before = controller.window_bytes();
//! round_trip(&mut controller, 150_000); // half as much above the target as the target
//! assert_eq!(controller.metrics().queuing_delay_us, Some(150_000));
//! assert!(!controller.metrics().slow_start);
//! assert_eq!(controller.window_bytes(), before); // slow start ends with this packet
//! round_trip(&mut controller, 150_000);
//! assert_eq!(controller.window_bytes(), before - 1500);
//! ```
//!
//! # A controller of your own
//!
//! A connection takes any [`Controller`]. This one sends what a rate allows in a round trip, and
//! halves the rate when packets are lost:
//!
//! ```
//! use utp_ledbat::{Ack, Controller, ControllerFactory, Loss};
//! use utp_wire::Instant;
//!
//! #[derive(Debug)]
//! struct Rate {
//!     bytes_per_s: u64,
//!     rtt_us: u64,
//! }
//!
//! impl Controller for Rate {
//!     fn on_ack(&mut self, ack: &Ack) {
//!         self.rtt_us = ack.rtt_us.map_or(self.rtt_us, u64::from);
//!     }
//!
//!     fn on_loss(&mut self, _loss: &Loss) {
//!         self.bytes_per_s /= 2;
//!     }
//!
//!     fn on_timeout(&mut self, _now: Instant, _in_flight_bytes: u64) {
//!         self.bytes_per_s /= 2;
//!     }
//!
//!     fn window_bytes(&self) -> u64 {
//!         // Never zero, and no overflow: the round trip may be a hostile number.
//!         (self.bytes_per_s.saturating_mul(self.rtt_us) / 1_000_000).max(1)
//!     }
//! }
//!
//! /// Bytes per second at the start.
//! #[derive(Debug)]
//! struct RateFactory(u64);
//!
//! impl ControllerFactory for RateFactory {
//!     fn name(&self) -> &str {
//!         "rate"
//!     }
//!
//!     fn build(&self, _now: Instant, _payload_bytes_max: u16) -> Box<dyn Controller> {
//!         Box::new(Rate { bytes_per_s: self.0, rtt_us: 100_000 })
//!     }
//! }
//!
//! let now = Instant::from_micros(0);
//! let mut controller = RateFactory(1_000_000).build(now, 1382);
//! assert_eq!(controller.window_bytes(), 100_000);
//! controller.on_timeout(now, 100_000);
//! assert_eq!(controller.window_bytes(), 50_000);
//! ```
//!
//! `utp_proto::Config::controller` takes the factory in an `Arc`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod base_delay;
mod config;
mod controller;
mod cubic;
mod current_delay;
mod fixed;
mod ledbat;
mod ledbat_plus_plus;
mod loss_only;
mod loss_window;
mod moment;
mod names;
mod params;
mod plateau;
mod presets;
mod round_trips;
mod skew;
mod slow_start;
mod subbytes;

pub use config::{
    BaseRollover, Config, ConfigError, Cuts, FilterAge, GrowthLimit, Guards, Size, SlowStart,
};
pub use controller::{Ack, Controller, ControllerFactory, DelaySample, Loss, Metrics};
pub use cubic::{Cubic, CubicFactory};
pub use fixed::{FixedWindow, FixedWindowFactory};
pub use ledbat::Ledbat;
pub use ledbat_plus_plus::{LedbatPlusPlus, LedbatPlusPlusFactory};
pub use loss_only::{LossOnly, LossOnlyFactory};
pub use names::{CONTROLLER_NAMES, by_name};
