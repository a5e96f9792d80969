//! The uTP simulation lab: scenarios, a network model, flows, metrics and reports.
//!
//! A scenario file says which links there are, which flows cross them and what must hold. The
//! engine turns it into a [`record::Record`] of integers in virtual time; everything after that,
//! from tables to plots, is a pure function of the file and the record.

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
pub mod record;
pub mod report;
pub mod results;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod taps;
pub mod time;
pub mod trace;
pub mod turmoil;
