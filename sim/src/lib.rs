//! The uTP simulation lab: scenarios, a network model, flows, metrics and reports.
//!
//! A scenario file says which links there are, which flows cross them and what must hold. The
//! engine turns it into a [`record::Record`] of integers in virtual time; everything after that,
//! from tables to plots, is a pure function of the file and the record.
//!
//! # As a library
//!
//! A scenario can be made in code, too, with a congestion controller of one's own in it:
//! `examples/own_controller.rs` has one, tries it against those that there are, and writes plots
//! and a page to `target/own-controller`, in forty lines.
//!
//! ```sh
//! cargo run --release -p utp-sim --example own_controller
//! ```
//!
//! [`scenario::parse`] or a [`scenario::Scenario`] says what to run,
//! [`scenario::Controller::from_fn`] makes a controller known to it, [`run::run_file`] runs all
//! variants and [`run::run`] one of them, and [`report::Report`] makes the files. [`taps::Taps`]
//! see every packet, datagram and protocol event, and [`capture`] writes them for Wireshark and as
//! JSON lines.
//!
//! # Features
//!
//! `lab`, on by default, is all of that. Without it there is the network model alone, with few
//! dependencies: [`network::Network`] and [`link::Link`], what a [`scenario::Scenario`] says of
//! them, and the flows that live inside. Whoever has a clock of their own can carry real packets
//! through it.

#[cfg(feature = "lab")]
mod app;
#[cfg(feature = "lab")]
pub mod capture;
#[cfg(feature = "lab")]
pub mod cli;
#[cfg(feature = "lab")]
mod clock;
#[cfg(feature = "lab")]
pub mod event;
#[cfg(feature = "lab")]
pub mod expect;
pub mod flow;
pub mod ip;
pub mod link;
#[cfg(feature = "lab")]
pub mod metrics;
pub mod network;
pub mod packet;
#[cfg(feature = "lab")]
mod pool;
pub mod record;
#[cfg(feature = "lab")]
pub mod report;
#[cfg(feature = "lab")]
mod results;
pub mod rng;
#[cfg(feature = "lab")]
pub mod run;
pub mod scenario;
#[cfg(feature = "lab")]
mod script;
#[cfg(feature = "lab")]
pub mod taps;
pub mod time;
pub mod trace;
#[cfg(feature = "lab")]
pub mod turmoil;
