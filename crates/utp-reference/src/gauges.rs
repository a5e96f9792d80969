//! What can be read off the library's log: it has no other way to look into a connection.

/// What a connection that sends shows of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Congestion window, in bytes of payload.
    pub window_bytes: u32,
    /// Smoothed round-trip time, in milliseconds.
    pub rtt_ms: u32,
    /// The smallest delay to the peer that counts, in microseconds between the two clocks.
    pub base_delay_us: u32,
    /// Delay to the peer beyond that, in milliseconds.
    pub queuing_delay_ms: u32,
    /// Expiries of the retransmission timer.
    pub timeouts: u32,
}

impl Gauges {
    /// The gauges after a line of the log, which says something of them or not.
    ///
    /// The line of an ack names many values, the first of them `actual_delay`.
    pub(super) fn after(mut self, line: &str) -> Self {
        if line.contains("Packet timeout.") {
            self.timeouts += 1;
        }
        let value = |name: &str| {
            let (_, rest) = line.split_once(name)?;
            let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        };
        if line.contains(" actual_delay:") {
            self.window_bytes = value(" max_window:").unwrap_or(self.window_bytes);
            self.rtt_ms = value(" rtt:").unwrap_or(self.rtt_ms);
            self.base_delay_us = value(" delay_base:").unwrap_or(self.base_delay_us);
            self.queuing_delay_ms = value(" our_delay:").unwrap_or(self.queuing_delay_ms);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_ack_sets_what_it_names_and_other_lines_count_timeouts() {
        let ack = "0x1 10.0.0.1:1 00007 actual_delay:900 our_delay:30 their_delay:0 off_target:70 \
                   max_window:4146 delay_base:870 delay_sum:30 rtt:50 wnduser:1048576";
        let gauges = Gauges::default().after(ack);
        let expected = Gauges {
            window_bytes: 4_146,
            rtt_ms: 50,
            base_delay_us: 870,
            queuing_delay_ms: 30,
            timeouts: 0,
        };
        assert_eq!(gauges, expected);
        let timeout = "0x1 10.0.0.1:1 00007 Packet timeout. Resend. seq_nr:1. max_window:1382";
        assert_eq!(gauges.after(timeout), Gauges { timeouts: 1, ..expected });
    }
}
