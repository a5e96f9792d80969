//! What many cases do with a connection: open it, push bytes, pull bytes.

use std::collections::BTreeMap;
use std::iter;
use std::time::{Duration, Instant};

use super::Peer;
use crate::conformance::flow::Flow;
use crate::conformance::packet::Packet;
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;

impl Peer {
    /// Connects to the implementation with a SYN of this id and number, on the first socket.
    ///
    /// Some stacks tell their application about a connection only with its first DATA.
    #[track_caller]
    pub(crate) fn open(&mut self, id: u16, syn_seq: u16) -> CaseResult<Flow> {
        self.open_on(0, id, syn_seq)
    }

    /// Connects to the implementation from a socket.
    #[track_caller]
    pub(crate) fn open_on(&mut self, socket: usize, id: u16, syn_seq: u16) -> CaseResult<Flow> {
        let mut flow = Flow { socket, ..Flow::initiator(id, syn_seq) };
        self.send_on(socket, &flow.syn())?;
        let want = Want::state().id(id).ack(syn_seq).on(socket);
        let syn_ack = self.eventually(&want, HANDSHAKE)?;
        // The number of a SYN-ACK is that of the first DATA.
        flow.ack = syn_ack.seq.wrapping_sub(1);
        Ok(flow)
    }

    /// Lets the implementation, which connects, connect. The first DATA of the peer has the number
    /// `seq`.
    #[track_caller]
    pub(crate) fn answer(&mut self, seq: u16) -> CaseResult<Flow> {
        let syn = self.expect(&Want::syn(), START)?;
        let flow = Flow { socket: syn.socket, ..Flow::acceptor(&syn, seq) };
        self.send_on(flow.socket, &flow.state())?;
        Ok(flow)
    }

    /// Sends `len` bytes in packets of `packet_len`, as [`push_sizes`](Self::push_sizes) does.
    #[track_caller]
    pub(crate) fn push(
        &mut self,
        flow: &mut Flow,
        len: u64,
        packet_len: usize,
        within: Duration,
    ) -> CaseResult {
        let mut left = len;
        let sizes = iter::from_fn(|| {
            let size = usize::try_from(left).map_or(packet_len, |left| left.min(packet_len));
            left -= size as u64;
            (size > 0).then_some(size)
        });
        self.push_sizes(flow, sizes, within)
    }

    /// Sends packets with payloads of these sizes, keeping a few in flight, until all are acked.
    /// What is not acked within a second is sent again. Bytes that come meanwhile are acked with
    /// what is sent next, and stay with the flow.
    #[track_caller]
    pub(crate) fn push_sizes(
        &mut self,
        flow: &mut Flow,
        sizes: impl IntoIterator<Item = usize>,
        within: Duration,
    ) -> CaseResult {
        let until = Instant::now() + within;
        let mut sizes = sizes.into_iter().peekable();
        let mut in_flight = BTreeMap::new();
        let mut sent: u64 = 0;
        let mut acked: u64 = 0;
        let first = flow.seq;
        let mut last_progress = Instant::now();
        while sizes.peek().is_some() || !in_flight.is_empty() {
            while in_flight.len() < IN_FLIGHT
                && let Some(size) = sizes.next()
            {
                let packet = flow.data(size);
                self.send_on(flow.socket, &packet)?;
                in_flight.insert(sent, packet);
                sent += 1;
            }
            let patience = (last_progress + RESEND).min(until);
            match self.next_packet(flow.socket, patience)? {
                // Other connections may use the socket, too.
                Some(seen) if seen.id != flow.recv_id => {}
                Some(seen) => {
                    flow.hear(&seen);
                    // Numbers wrap; what an ack is ahead of the last one does not.
                    let base = first.wrapping_add(low_16(acked)).wrapping_sub(1);
                    let ahead = u64::from(seen.ack.wrapping_sub(base));
                    if (1..=in_flight.len() as u64).contains(&ahead) {
                        acked += ahead;
                        in_flight = in_flight.split_off(&acked);
                        last_progress = Instant::now();
                    }
                }
                None if Instant::now() >= until => {
                    let missing = in_flight.len();
                    return Err(self.fail(format!("{missing} packets were not acked in time")));
                }
                None => {
                    if let Some(packet) = in_flight.values().next().cloned() {
                        self.send_on(flow.socket, &packet)?;
                    }
                    last_progress = Instant::now();
                }
            }
        }
        Ok(())
    }

    /// Receives `len` bytes of the stream from the implementation, acking each packet. Returns
    /// them in order, fewer if the stream ends before; what came beyond them stays with the flow.
    #[track_caller]
    pub(crate) fn pull(
        &mut self,
        flow: &mut Flow,
        len: usize,
        within: Duration,
    ) -> CaseResult<Vec<u8>> {
        let until = Instant::now() + within;
        while flow.received.len() < len && !flow.ended {
            let Some(seen) = self.next_packet(flow.socket, until)? else {
                let found = flow.received.len();
                return Err(self.fail(format!("{found} of {len} bytes came in time")));
            };
            if seen.id != flow.recv_id {
                continue;
            }
            flow.hear(&seen);
            if seen.kind.is_numbered() {
                self.send_on(flow.socket, &flow.selective_state())?;
            }
        }
        let len = len.min(flow.received.len());
        Ok(flow.received.drain(..len).collect())
    }

    /// Waits until the implementation has taken everything that was sent to it, on any socket: it
    /// answers the repeat of a packet that `flow` has sent, and its socket gives in order.
    #[track_caller]
    pub(crate) fn settle(&mut self, flow: &Flow, sent: &Packet) -> CaseResult {
        let want = Want::state().id(flow.recv_id).on(flow.socket);
        for _ in 0..SETTLE_TRIES {
            self.send_unseen(flow.socket, &self.stamped(sent).encode())?;
            let until = Instant::now() + SETTLE;
            while let Some(seen) = self.next_packet(flow.socket, until)? {
                if want.matches(&seen) {
                    return Ok(());
                }
            }
        }
        Err(self.fail("the repeat of an old packet is not answered"))
    }
}

fn low_16(number: u64) -> u16 {
    u16::try_from(number & 0xffff).expect("masked")
}

/// How long an answer to a SYN may take.
const HANDSHAKE: Duration = Duration::from_millis(500);

/// How long the first packet of a new process may take.
const START: Duration = Duration::from_secs(10);

/// Packets that the peer keeps in flight: what every receive buffer holds.
const IN_FLIGHT: usize = 32;

const RESEND: Duration = Duration::from_secs(1);

/// How long the answer to a repeat is waited for, and how often: the kernel may drop one.
const SETTLE: Duration = Duration::from_secs(1);
const SETTLE_TRIES: u32 = 5;
