//! Events as JSON lines, one object each, without a library: names and numbers need no escapes.

use std::fmt::Write;

use utp_wire::Instant;

use super::{TraceEvent, Value};
use crate::endpoint::ConnectionHandle;

impl TraceEvent {
    /// Appends the event to `line` as one line of JSON, its end included.
    ///
    /// Every line has `t_us` (the clock of the driver, in microseconds), `connection` (a number
    /// that no other connection of the endpoint has or had) and `event` ([`TraceEvent::name`]).
    /// The fields of the event follow under the names they have here, with `type`, `seq_nr`,
    /// `ack_nr`, `wnd_size`, `timestamp_us`, `timestamp_difference_us` and `payload_bytes` for
    /// those of a packet. Numbers are integers, what is unknown is `null`, everything else is the
    /// name of a variant of an enum, or an address.
    ///
    /// ```text
    /// {"t_us":12000,"connection":1,"event":"acked","bytes":1382,"rtt_us":20000}
    /// ```
    pub fn to_json_line(&self, now: Instant, connection: ConnectionHandle, line: &mut String) {
        let (t_us, number, name) = (now.as_micros(), connection.number(), self.name());
        // Writing to a string cannot fail.
        write!(line, r#"{{"t_us":{t_us},"connection":{number},"event":"{name}""#)
            .unwrap_or_default();
        self.fields(|name, value| {
            let written = match value {
                Value::Address(address) => write!(line, r#","{name}":"{address}""#),
                Value::Name(text) => write!(line, r#","{name}":"{text:?}""#),
                Value::Null => write!(line, r#","{name}":null"#),
                Value::Number(number) => write!(line, r#","{name}":{number}"#),
            };
            written.unwrap_or_default();
        });
        line.push_str("}\n");
    }
}
