//! What the command `utp` is made of: reading captures, finding uTP in them, telling what happened.
//!
//! - [`capture`] reads the records of pcap and pcapng files, and says where a broken one breaks.
//! - [`datagram`] finds the UDP datagram in a frame of a link.
//! - [`flow`] tells uTP from other traffic and follows its connections, in bounded memory.
//! - [`report`] writes what was found, as text, as JSON, or as a line for each packet.
//!
//! The command line itself is in the binary. Nothing here reads a clock or a socket.
//!
//! # Example
//!
//! ```
//! use utp_cli::capture::Capture;
//! use utp_cli::flow::Tracker;
//!
//! // A capture in nanoseconds without a record, packets from the IP header on.
//! let file = [
//!     0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 101,
//! ];
//! let mut capture = Capture::open(&file[..])?;
//! let mut tracker = Tracker::default();
//! while let Some(frame) = capture.next_frame()? {
//!     tracker.handle(&frame);
//! }
//! assert!(tracker.finish().flows.is_empty());
//! # Ok::<(), utp_cli::capture::CaptureError>(())
//! ```

#![forbid(unsafe_code)]

pub mod capture;
pub mod datagram;
pub mod flow;
pub mod report;
