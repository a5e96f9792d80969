//! Requests from the right host that the left one answers, one after the other, as a page with
//! many small parts is fetched. What is measured is the time from a request to its whole answer.
//!
//! Both directions are those of one TCP Reno connection that is established already. A segment
//! of one direction acknowledges what came in the other, which needs no packet of its own.

use super::Context;
use super::tcp::{Ack, Direction, Law, Segment, Supply};
use crate::packet::HostId;
use crate::time::Ns;

/// Client at the right host and server at the left one.
#[derive(Debug)]
pub struct RequestResponse {
    requests: Direction,
    responses: Direction,
    /// Payload of a request, and of them all that the server has.
    request_bytes: u64,
    requested_bytes: u64,
    /// Payload of a response, and of them all that the client has.
    response_bytes: u64,
    answered_bytes: u64,
    think: Ns,
    stop: Ns,
    /// When the next request leaves; `None` while one is being answered.
    next_request: Option<Ns>,
    asked_at: Ns,
}

impl RequestResponse {
    /// A client that asks for the first time at `start`, waits for `think` after each response, and
    /// asks nothing from `stop` on.
    ///
    /// # Panics
    ///
    /// When requests or responses are empty.
    pub fn new(
        [request_bytes, response_bytes]: [u64; 2],
        think: Ns,
        start: Ns,
        stop: Option<Ns>,
    ) -> Self {
        assert!(request_bytes > 0 && response_bytes > 0, "an empty message never arrives");
        let direction = |from, bytes| Direction::new(from, Law::reno(), Supply::messages(bytes));
        Self {
            requests: direction(HostId::Right, request_bytes),
            responses: direction(HostId::Left, response_bytes),
            request_bytes,
            requested_bytes: 0,
            response_bytes,
            answered_bytes: 0,
            think,
            stop: stop.unwrap_or(Ns(u64::MAX)),
            next_request: Some(start),
            asked_at: start,
        }
    }

    pub(super) fn deadline(&self) -> Option<Ns> {
        let next_request = self.next_request.filter(|&at| at < self.stop);
        let timers = [next_request, self.requests.poll_timeout(), self.responses.poll_timeout()];
        timers.into_iter().flatten().min()
    }

    pub(super) fn handle_timer(&mut self, context: &mut Context<'_>) {
        if self.next_request.is_some_and(|at| at <= context.now && at < self.stop) {
            self.next_request = None;
            self.asked_at = context.now;
            self.requests.sender.add_message(context.now);
            // The request tells how much of the response has arrived.
            self.responses.receiver.acknowledge_with_data();
        }
        self.requests.handle_timeout(context.now);
        self.responses.handle_timeout(context.now);
        self.flush(context);
    }

    /// A segment arrives at the host `to`.
    pub(super) fn handle_segment(
        &mut self,
        context: &mut Context<'_>,
        to: HostId,
        segment: Segment,
    ) {
        match to {
            HostId::Left => self.on_request(context, segment),
            HostId::Right => self.on_response(context, segment),
        }
        let duplicates = [&self.requests, &self.responses].map(|way| way.receiver.duplicates());
        context.record.spurious_retransmissions = duplicates.iter().sum();
        self.flush(context);
    }

    /// An acknowledgment arrives at the host `to`.
    pub(super) fn handle_ack(&mut self, context: &mut Context<'_>, to: HostId, ack: &Ack) {
        match to {
            HostId::Left => self.responses.handle_ack(context.now, ack),
            HostId::Right => self.requests.handle_ack(context.now, ack),
        }
        self.flush(context);
    }

    pub(super) fn sample(&self, context: &mut Context<'_>) {
        if !self.responses.sender.is_done() {
            self.responses.sample(context);
        }
    }

    fn on_request(&mut self, context: &mut Context<'_>, segment: Segment) {
        let bytes = self.requests.handle_segment(context.now, segment);
        self.requested_bytes += bytes;
        if bytes > 0 && self.requested_bytes.is_multiple_of(self.request_bytes) {
            // Nobody asks again before the whole response is there.
            self.responses.sender.acknowledge_all(context.now);
            self.responses.sender.add_message(context.now);
            self.requests.receiver.acknowledge_with_data();
        }
    }

    fn on_response(&mut self, context: &mut Context<'_>, segment: Segment) {
        let bytes = self.responses.handle_segment(context.now, segment);
        if bytes == 0 {
            return;
        }
        // Nobody answers before the whole request is there.
        self.requests.sender.acknowledge_all(context.now);
        context.record.deliver(context.now, bytes);
        self.answered_bytes += bytes;
        if self.answered_bytes.is_multiple_of(self.response_bytes) {
            let took = context.now - self.asked_at;
            context.record.response_us.push((context.now, took.as_micros_u32()));
            self.next_request = Some(context.now + self.think);
        }
    }

    fn flush(&mut self, context: &mut Context<'_>) {
        self.requests.flush(context);
        self.responses.flush(context);
        let senders = [&self.requests.sender, &self.responses.sender];
        let record = &mut *context.record;
        record.retransmissions = senders.iter().map(|sender| sender.retransmissions()).sum();
        record.timeouts = senders.iter().map(|sender| sender.timeouts()).sum();
    }
}
