//! ICMP messages that the program has got about datagrams of ours.

use std::net::SocketAddr;

use utp_proto::IcmpError;
use utp_wire::HEADER_LEN;

use crate::context::{Context, Life};
use crate::dispatch::Wants;

impl Context {
    /// Takes a message that quotes `quoted` of what was sent to `to`. Says whether it was sent by
    /// a socket of ours.
    pub(crate) fn process_icmp(
        &self,
        error: IcmpError,
        quoted: &[u8],
        to: Option<SocketAddr>,
    ) -> bool {
        let Some(mut header) = quoted.first_chunk::<HEADER_LEN>().copied() else { return false };
        // A quotation may end within an extension: only the header is sure to be there.
        header[FIRST_EXTENSION] = 0;
        let (Some(to), Some(now)) = (to, self.enter()) else { return false };
        {
            let Some(mut state) = self.lock().filter(|state| state.life == Life::Open) else {
                return false;
            };
            let Some(endpoint) = &mut state.endpoint else { return false };
            if endpoint.connection_that_sent(to, &header).is_none() {
                return false;
            }
            endpoint.handle_icmp(now, to, error, &header);
        }
        self.drain(now, Wants::TELL);
        true
    }
}

/// Where a header says what follows it (BEP-29).
const FIRST_EXTENSION: usize = 1;
