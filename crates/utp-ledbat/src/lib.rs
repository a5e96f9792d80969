//! LEDBAT congestion control for uTP, sans I/O: it takes what happened and answers with a window.
//!
//! LEDBAT (RFC 6817) yields to other traffic. It measures the one-way delay of its own packets,
//! takes the smallest one of the last minutes as the delay of the empty path, and steers what is
//! above that, its own queue, to a target of 100 ms. Where a loss-based sender shares the
//! bottleneck, the queue grows past the target and LEDBAT makes room.
//!
//! * [`Controller`] is what a connection drives, [`ControllerFactory`] builds one per connection.
//! * [`Ledbat`] is the controller; [`Config::utp`] is the default, [`Config::libutp`] the law that
//!   nearly all peers run, [`Config::rfc6817`] the one of the standard.
//! * [`LedbatPlusPlus`] is its successor in drafts of the IRTF.
//! * [`LossOnly`] and [`Cubic`] are what TCP does, to compare with.
//! * [`by_name`] finds each of them by its name.
//! * [`FixedWindow`] never changes its window; it is for tests.
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
mod presets;
mod round_trips;
mod skew;
mod slow_start;
mod subbytes;

pub use config::{
    BaseRollover, Config, ConfigError, FilterAge, GrowthLimit, Guards, Size, SlowStart,
};
pub use controller::{Ack, Controller, ControllerFactory, DelaySample, Loss, Metrics};
pub use cubic::{Cubic, CubicFactory};
pub use fixed::{FixedWindow, FixedWindowFactory};
pub use ledbat::Ledbat;
pub use ledbat_plus_plus::{LedbatPlusPlus, LedbatPlusPlusFactory};
pub use loss_only::{LossOnly, LossOnlyFactory};
pub use names::{CONTROLLER_NAMES, by_name};
