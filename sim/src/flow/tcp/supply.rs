//! What an application gives a sender: one transfer, data without an end, or message by message.

use super::MSS;

/// The data that a sender may send, cut into segments; every message begins a segment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supply {
    /// Size of each message in bytes; without it there is always more.
    message_bytes: Option<u64>,
    messages: u64,
}

impl Supply {
    /// One transfer of `bytes`, or data without an end.
    pub const fn transfer(bytes: Option<u64>) -> Self {
        Self { message_bytes: bytes, messages: 1 }
    }

    /// Messages of `bytes` each, none of which is there yet.
    pub const fn messages(bytes: u64) -> Self {
        Self { message_bytes: Some(bytes), messages: 0 }
    }

    /// One more message is there.
    pub(super) fn add_message(&mut self) {
        self.messages += 1;
    }

    /// Payload of the segment with number `seq`, 0 when it is not there.
    pub(super) fn bytes_of(&self, seq: u32) -> u32 {
        let Some(bytes) = self.message_bytes else { return MSS };
        let segments = bytes.div_ceil(u64::from(MSS)).max(1);
        let (message, part) = (u64::from(seq) / segments, u64::from(seq) % segments);
        if message >= self.messages {
            return 0;
        }
        u32::try_from(bytes - part * u64::from(MSS)).unwrap_or(u32::MAX).min(MSS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(supply: &Supply) -> Vec<u32> {
        (0..7).map(|seq| supply.bytes_of(seq)).collect()
    }

    #[test]
    fn a_transfer_ends_with_what_is_left() {
        assert_eq!(sizes(&Supply::transfer(Some(2 * 1448 + 7))), [1448, 1448, 7, 0, 0, 0, 0]);
        assert_eq!(sizes(&Supply::transfer(Some(2 * 1448))), [1448, 1448, 0, 0, 0, 0, 0]);
        assert_eq!(sizes(&Supply::transfer(None)), [1448; 7]);
    }

    #[test]
    fn every_message_begins_a_segment() {
        let mut supply = Supply::messages(1448 + 7);
        assert_eq!(sizes(&supply), [0; 7]);
        supply.add_message();
        supply.add_message();
        assert_eq!(sizes(&supply), [1448, 7, 1448, 7, 0, 0, 0]);
    }
}
