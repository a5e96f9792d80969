//! What is told of a capture: text for people, JSON for programs, a line for each packet.

mod json;
mod packet;
mod text;

pub use self::json::Summary;
pub use self::packet::PacketLine;
pub use self::text::Text;

/// What a report is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The name of the file.
    pub file: &'a str,
    /// How it is written.
    pub format: &'a str,
    /// Only this flow, counted from 1.
    pub only: Option<usize>,
}

impl Subject<'_> {
    /// Whether a flow is to be told of.
    pub fn includes(&self, number: usize) -> bool {
        self.only.is_none_or(|only| only == number)
    }
}

/// The sides as reports call them, the one that opens the connection first.
const SIDES: [(crate::flow::Role, &str); 2] =
    [(crate::flow::Role::Initiator, "initiator"), (crate::flow::Role::Acceptor, "acceptor")];

/// A span in seconds, zero when it would be negative.
fn seconds(from_ns: u64, to_ns: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown to people, 2^53 ns are 104 days")]
    let nanos = to_ns.saturating_sub(from_ns) as f64;
    nanos / 1e9
}
