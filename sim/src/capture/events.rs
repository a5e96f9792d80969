//! Traces as JSON lines: every packet event of the network and every protocol event of the uTP
//! connections, in the order of time.

use crate::packet::HostId;
use crate::scenario::Scenario;
use crate::taps::ProtocolEvent;
use crate::time::Ns;
use crate::trace::{Event, Step};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use utp_wire::Instant;

/// Writes events, one JSON object a line, each with `t_ns` and `event` and, as far as it has them,
/// `host`, `flow` and `link`.
///
/// Hosts and network tell of what happens a little out of order, so that lines are held back until
/// nothing earlier can come. What happens at one moment stays in the order of being told.
#[derive(Debug)]
pub struct Events<W> {
    output: W,
    flows: Vec<String>,
    links: Vec<String>,
    /// Lines that wait, by time and by the order in which they came.
    waiting: BTreeMap<(Ns, u64), String>,
    told: u64,
}

impl<W: Write> Events<W> {
    /// Begins a trace of a run of `scenario`.
    pub fn new(output: W, scenario: &Scenario) -> Self {
        let quoted = |name: &String| serde_json::Value::from(name.as_str()).to_string();
        Self {
            output,
            flows: scenario.flows.iter().map(|flow| quoted(&flow.name)).collect(),
            links: scenario.links.iter().map(|link| quoted(&link.name)).collect(),
            waiting: BTreeMap::new(),
            told: 0,
        }
    }

    /// Adds what happened to a packet.
    ///
    /// # Errors
    ///
    /// Those of the output, here and below.
    pub fn packet(&mut self, event: &Event) -> io::Result<()> {
        let (name, reason) = match event.step {
            Step::Delivered => ("delivered", None),
            Step::Dropped(reason) => ("dropped", Some(reason.name())),
            Step::Enqueued => ("enqueued", None),
            Step::Forwarded => ("forwarded", None),
            Step::Sent => ("sent", None),
            Step::TxDone => ("tx_done", None),
            Step::TxStart => ("tx_start", None),
        };
        // The ideal way back of a flow is a link without a name.
        let link = self.links.get(usize::from(event.link)).map_or("null", |name| name);
        let mut line = format!(
            "{{\"t_ns\":{},\"event\":\"{name}\",\"link\":{link},\"flow\":{},\"packet\":{},\
             \"bytes\":{},\"queued_bytes\":{}",
            event.at.0,
            self.flow(event.flow),
            event.packet,
            event.bytes,
            event.queued_bytes,
        );
        if let Some(reason) = reason {
            write!(line, ",\"reason\":\"{reason}\"").map_err(io::Error::other)?;
        }
        line.push_str("}\n");
        self.add(event.at, line)
    }

    /// Adds what happened to a connection.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn protocol(&mut self, told: &ProtocolEvent) -> io::Result<()> {
        let host = match told.host {
            HostId::Left => "left",
            HostId::Right => "right",
        };
        let mut own = String::new();
        told.event.to_json_line(Instant::from_micros(0), told.connection, &mut own);
        // Its time is ours, to the nanosecond.
        let rest = own.split_once(',').map_or("}\n", |(_, rest)| rest);
        let (at, flow) = (told.at.0, self.flow(told.flow));
        let line = format!("{{\"t_ns\":{at},\"host\":\"{host}\",\"flow\":{flow},{rest}");
        self.add(told.at, line)
    }

    fn flow(&self, flow: u16) -> &str {
        self.flows.get(usize::from(flow)).map_or("null", |name| name)
    }

    fn add(&mut self, at: Ns, line: String) -> io::Result<()> {
        self.waiting.insert((at, self.told), line);
        self.told += 1;
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 + HOLD_BACK >= at {
                break;
            }
            self.output.write_all(entry.remove().as_bytes())?;
        }
        Ok(())
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<()> {
        for line in self.waiting.values() {
            self.output.write_all(line.as_bytes())?;
        }
        self.output.flush()
    }
}

/// A host runs ahead of the other by a millisecond at the most, and the network by two.
const HOLD_BACK: Ns = Ns::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;
    use crate::trace::DropReason;

    #[test]
    fn lines_are_json_and_in_the_order_of_time() {
        let text = include_str!("../../../scenarios/bufferbloat.toml");
        let file = parse("bufferbloat.toml".as_ref(), text).expect("valid");
        let mut output = Vec::new();
        let mut events = Events::new(&mut output, &file.variants[0]);
        let event = |us, step, link| Event {
            at: Ns::from_micros(us),
            step,
            link,
            flow: 1,
            packet: 7,
            bytes: 200,
            queued_bytes: 0,
        };
        events.packet(&event(20_000, Step::Sent, 0)).expect("memory");
        events.packet(&event(19_500, Step::Dropped(DropReason::Loss), 0)).expect("memory");
        events.packet(&event(40_000, Step::Delivered, 9)).expect("memory");
        events.finish().expect("memory");
        let lines = String::from_utf8(output).expect("UTF-8");
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines[0]["reason"], "loss");
        assert_eq!((&lines[0]["flow"], &lines[0]["link"]), (&"voice".into(), &"uplink".into()));
        assert_eq!((&lines[1]["event"], &lines[1]["t_ns"]), (&"sent".into(), &20_000_000.into()));
        assert!(lines[2]["link"].is_null());
    }
}
