//! The uTP simulation lab: scenarios, a network model, flows, metrics and reports.
//!
//! A scenario file says which links there are, which flows cross them and what must hold. The
//! engine turns it into a [`record::Record`] of integers in virtual time; everything after that,
//! from tables to plots, is a pure function of the file and the record.
//!
//! # As a library
//!
//! A scenario can be made in code, too, with a congestion controller of one's own in it:
//! `examples/own_controller.rs` tries one against those that there are, and writes plots and a page
//! to `target/own-controller`.
//!
//! ```sh
//! cargo run --release -p utp-sim --example own_controller
//! ```
//!
//! [`scenario::parse`] or a [`scenario::Scenario`] says what to run, [`scenario::Controller::new`]
//! takes any [`utp_ledbat::ControllerFactory`], [`run::run`] runs it, and [`report::Report`] makes
//! the files. [`taps::Taps`] see every packet, datagram and protocol event, and [`capture`] writes
//! them for Wireshark and as JSON lines.

mod app;
pub mod capture;
pub mod cli;
mod clock;
pub mod event;
pub mod expect;
pub mod flow;
pub mod link;
pub mod metrics;
pub mod network;
pub mod packet;
mod pool;
pub mod record;
pub mod report;
mod results;
pub mod rng;
pub mod run;
pub mod scenario;
mod script;
pub mod taps;
pub mod time;
pub mod trace;
pub mod turmoil;
