//! Transfers between uTP implementations over real UDP, and the conformance suite.
//!
//! Every implementation stands behind a *shim*: a process of its own that listens or connects,
//! plays a small role on the stream, takes commands on standard input and reports events as JSON
//! lines on standard output. The harness starts two shims, joins them directly or through an
//! impairment relay, and judges what the receiving one reports.
//!
//! - [`shim`] is the protocol and the roles, a crate of its own that all shims share.
//! - [`utp_peer`] is the shim of ours, through the tokio adapter.
//! - [`relay`] delays, drops and rate-limits datagrams between two real sockets.
//! - [`conformance`] plays a scripted peer against one implementation, case by case.
//! - [`bittorrent`] is a client of the least kind, for transfers with libtorrent.
//! - [`mod@bench`] measures implementations side by side.
//! - [`harness`] plans the transfers, runs them and writes the results.

pub mod bench;
pub mod bittorrent;
pub mod conformance;
pub mod harness;
pub mod relay;
pub mod utp_peer;

pub use utp_shim as shim;
