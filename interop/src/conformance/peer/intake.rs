//! What arrives while a case waits: datagrams and events are taken down in their order.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use super::{Input, Peer, QUIT_PATIENCE, Seen, SocketText};
use crate::conformance::packet::{HEADER_LEN, Packet, hex_start};
use crate::conformance::stop::{CaseResult, Stop};
use crate::conformance::trace::{EVENT, RECEIVED};
use crate::shim::EXIT_UNIMPLEMENTED;

impl Peer {
    /// Waits for the next thing to come; false when nothing came until then.
    #[track_caller]
    pub(super) fn pump(&mut self, until: Instant) -> CaseResult<bool> {
        let wait = until.min(self.deadline).saturating_duration_since(Instant::now());
        let input = match self.inbox.recv_timeout(wait) {
            Ok(input) => input,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the peer holds a sender"),
            Err(RecvTimeoutError::Timeout) if Instant::now() < self.deadline => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {
                return Err(self.fail("the case has reached its time limit"));
            }
        };
        match input {
            Input::Datagram { socket, at, from, bytes } => {
                self.take_datagram(socket, at, from, &bytes)
            }
            Input::Event { shim, at, event } => {
                let text = serde_json::to_string(&event).unwrap_or_default();
                self.note_at(at, EVENT, text);
                // What one that was replaced still says is only for the trace.
                if shim + 1 == self.shims.len() {
                    self.heard.push(event.clone());
                    self.events.push_back((at, event));
                }
                Ok(true)
            }
            Input::Gone { shim, at } => self.take_end(shim, at),
        }
    }

    #[track_caller]
    fn take_datagram(
        &mut self,
        socket: usize,
        at: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> CaseResult<bool> {
        let Some(packet) = Packet::decode(bytes) else {
            let text = format!("{} ({} bytes)", hex_start(bytes), bytes.len());
            let number = self.note_at(at, RECEIVED, text);
            self.trace.mark(number);
            let why = if bytes.len() < HEADER_LEN { "it is too short" } else { "its extensions" };
            return Err(self.fail(format!("what came is no packet of uTP: {why}")));
        };
        let trace_number = self.note_at(at, RECEIVED, SocketText(socket, &packet));
        self.last_delay_us = self.clock.stamp_us(at).wrapping_sub(packet.stamp_us.unwrap_or(0));
        if self.remote.is_none() {
            self.remote = Some(from);
        }
        self.packets.push_back(Seen { at, socket, from, size: bytes.len(), packet, trace_number });
        Ok(true)
    }

    fn take_end(&mut self, number: usize, at: Instant) -> CaseResult<bool> {
        let shim = &mut self.shims[number];
        let status = shim.wait(QUIT_PATIENCE);
        let text = status.map_or_else(|| "closed its output".into(), |status| status.to_string());
        self.note_at(at, EVENT, format_args!("(the shim left: {text})"));
        status.map_or(Ok(()), |status| self.take_status(status))?;
        Ok(true)
    }

    /// Leaves the case out when a shim has ended because it cannot do what was asked.
    pub(super) fn take_status(&self, status: ExitStatus) -> CaseResult {
        match status.code() {
            Some(code) if code == i32::from(EXIT_UNIMPLEMENTED) => {
                Err(Stop::Skip(format!("{} says it cannot do this", self.target.name)))
            }
            _ => Ok(()),
        }
    }
}
