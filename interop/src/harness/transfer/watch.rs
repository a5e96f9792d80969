//! What both sides of a transfer tell while it runs, and the verdict on what arrived.

use super::{Received, Transfer};
use crate::shim::Event;

/// What is known of a transfer while it runs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) connected: bool,
    pub(super) client_closed: bool,
    pub(super) server_closed: bool,
    /// Length, digest and time that the sink reported.
    data: Option<(u64, String, Option<f64>)>,
    pub(super) result: Option<Result<Received, String>>,
}

impl Watch {
    /// Takes the next event of a side, or its end.
    pub(super) fn handle(&mut self, transfer: &Transfer, event: Option<Event>, from_client: bool) {
        let side = if from_client { "client" } else { "server" };
        let from_sink = transfer.is_sink(from_client);
        match event {
            Some(Event::Connected { .. }) => self.connected |= from_client,
            Some(Event::Closed { .. }) if from_client => self.client_closed = true,
            Some(Event::Closed { .. }) => self.server_closed = true,
            Some(Event::Data { n, sha256, seconds, .. }) if from_sink => {
                self.data = Some((n, sha256, seconds));
            }
            Some(Event::Eof { .. }) if from_sink => {
                self.result = Some(transfer.judge(self.data.take()));
            }
            Some(Event::Error { kind, detail, .. }) => {
                let got = self.data.as_ref().map_or(String::new(), |(n, ..)| {
                    format!(" after {n} of {} bytes", transfer.bytes)
                });
                self.result = Some(Err(format!("{side}: {kind:?}{got} ({detail})")));
            }
            None => self.result = Some(Err(format!("the {side} left before its time"))),
            Some(_) => {}
        }
    }
}

impl Transfer {
    fn judge(&self, data: Option<(u64, String, Option<f64>)>) -> Result<Received, String> {
        let (bytes, sha256, seconds) = data.ok_or("the receiving side reported no data")?;
        if bytes != self.bytes {
            return Err(format!("{bytes} bytes arrived instead of {}", self.bytes));
        }
        if sha256 != self.sha256 {
            return Err(format!("SHA-256 {sha256} arrived instead of {}", self.sha256));
        }
        let seconds = seconds.ok_or("the receiving side reported no time")?;
        Ok(Received { seconds })
    }
}
