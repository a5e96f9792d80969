//! Files that other programs read: packet captures and traces, written while a scenario runs.

mod events;
mod pcap;

pub use events::Events;
pub use pcap::Pcap;
