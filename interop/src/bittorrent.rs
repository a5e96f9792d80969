//! A BitTorrent client of the least kind, which shows that this stack works with a real one.
//!
//! It fetches one file from a session of libtorrent that has nothing but uTP, checks the hash of
//! every piece, and then seeds it to a second session. It speaks the part of BEP-3 that this takes
//! and nothing else: no extension, one peer, the whole file in memory.
//!
//! - A `metainfo` is what a torrent says; `message` is how peers speak.
//! - `peer` fetches from a peer and serves one, over any stream.
//! - `session` runs libtorrent through `interop/peers/libtorrent/peer.py`.
//! - [`Libtorrent`] is the command.

mod command;
mod message;
mod metainfo;
mod peer;
mod session;

pub use self::command::{Leg, Libtorrent, Part, Report};
