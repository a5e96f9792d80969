//! uTP connections in a capture.
//!
//! - [`Tracker`] takes frames, tells uTP from other traffic, and finds the connection of a packet.
//! - [`Flow`] is a connection, and [`Way`] what one of its sides sent.
//! - [`Sequence`] tells packets that come again from new ones.
//! - [`Samples`] keeps as many measurements as are needed for percentiles.
//!
//! No port says that a datagram is uTP, so that this is judged: a flow counts when it begins with a
//! SYN, or when both sides send packets of version 1 whose connection ids are neighbours, as BEP-29
//! has them. Whatever was held for a flow and turns out to be none is counted as other UDP.
//!
//! What a capture can make this hold is bounded: by [`FLOWS_MAX`] flows of some kilobytes each, and
//! as many that may become one.

mod connection;
mod samples;
mod sequence;
mod table;
mod tracker;

pub use self::connection::{Close, Fin, Flow, Handshake, Role, Way};
pub use self::samples::Samples;
pub use self::sequence::{Seen, Sequence};
pub use self::table::FLOWS_MAX;
pub use self::tracker::{Counts, Findings, Observed, Tracker};
