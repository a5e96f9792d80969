//! The application at the right end of a transfer, as a state machine: accepts, reads, checks what
//! has arrived. It is the counterpart of `turmoil::transfer::receive`.

use super::alarm::Alarm;
use super::cx::Cx;
use super::socket::Socket;
use super::stream::StreamId;
use super::tasks::TaskId;
use super::timers::Timers;
use crate::app::{CHUNK_MAX, Pace, Samples, Sink, Transfer, next_sample, note_failure};
use crate::packet::HostId;
use crate::time::Ns;
use bytes::Bytes;
use std::task::Poll;

/// The application.
pub(super) struct Receiver {
    transfer: Transfer,
    /// The newest stream; those before it are gone.
    reading: Option<Reading>,
    sample: Alarm,
    refill: Alarm,
    pace: Pace,
}

/// A stream that was accepted.
struct Reading {
    stream: StreamId,
    sink: Sink,
    samples: Samples,
    /// Its end has not come yet.
    is_open: bool,
    /// It has asked for statistics, and this is what comes after them.
    sampling: Option<After>,
}

/// What comes after a sample.
#[derive(Clone, Copy)]
enum After {
    /// The transfer is noted as complete since then, whole or not.
    Complete(Ns, bool),
    GoOn,
}

impl Receiver {
    pub(super) fn new(transfer: Transfer, app: TaskId, timers: &mut Timers<TaskId>) -> Self {
        Self {
            reading: None,
            sample: Alarm::new(app, timers),
            refill: Alarm::new(app, timers),
            pace: transfer.read_pace(),
            transfer,
        }
    }

    /// One turn.
    pub(super) fn poll(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) {
        while self.step(cx, socket) == Poll::Ready(()) {}
    }

    fn step(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) -> Poll<()> {
        let Some(reading) = &mut self.reading else { return self.accept(cx, socket) };
        if reading.sampling.is_some() {
            self.keep_sample(cx, socket);
            return Poll::Ready(());
        }
        if reading.is_open {
            let allowance = self.pace.allowance(cx.now);
            self.refill.follow(cx.now, cx.timers, self.pace.wake_at());
            if self.sample.is_due(cx.timers) {
                return Self::sample(reading, After::GoOn, cx, socket);
            }
            if self.refill.is_due(cx.timers) {
                self.refill.clear(cx.timers);
                return Poll::Ready(());
            }
            if allowance > 0 {
                let read = socket.poll_read(cx, reading.stream, allowance.min(CHUNK_MAX));
                match read {
                    Poll::Pending => {}
                    Poll::Ready(Ok(Some(chunk))) => return self.take(cx, socket, &chunk),
                    Poll::Ready(Ok(None)) => {
                        let complete = reading.sink.is_complete();
                        return self.end(cx, socket, (!complete).then_some(&ENDED_EARLY));
                    }
                    Poll::Ready(Err(failure)) => return self.end(cx, socket, Some(&failure)),
                }
            }
        }
        self.accept(cx, socket)
    }

    /// Takes the next stream; it takes the place of the one before.
    fn accept(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) -> Poll<()> {
        let Some(stream) = socket.accept() else { return Poll::Pending };
        if let Some(old) = self.reading.take() {
            socket.drop_stream(cx, old.stream);
        }
        let record = cx.world.network.flow_record(usize::from(cx.flow));
        self.reading = Some(Reading {
            stream,
            sink: Sink::new(self.transfer.bytes()),
            samples: Samples::new(HostId::Right, record),
            is_open: true,
            sampling: None,
        });
        self.sample.set(cx.now, cx.timers, next_sample(cx.now, self.transfer.end()));
        Poll::Ready(())
    }

    fn take(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket, chunk: &Bytes) -> Poll<()> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(()) };
        self.pace.take(chunk.len());
        let record = cx.world.network.flow_record(usize::from(cx.flow));
        record.deliver(cx.now, chunk.len() as u64);
        reading.sink.take(chunk);
        if !reading.sink.is_complete() {
            return Poll::Ready(());
        }
        let same = self.transfer.is_same(reading.sink.digest());
        Self::sample(reading, After::Complete(cx.now, same), cx, socket)
    }

    /// The stream is at its end, or has failed.
    fn end(
        &mut self,
        cx: &mut Cx<'_>,
        socket: &mut dyn Socket,
        failure: Option<&dyn std::fmt::Display>,
    ) -> Poll<()> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(()) };
        reading.is_open = false;
        let stats = socket.stats(cx, reading.stream);
        let record = cx.world.network.flow_record(usize::from(cx.flow));
        reading.samples.keep(cx.now, self.transfer.clock_offset_us(cx.now), &stats, record);
        // A sender that stops leaves a reset behind.
        if let Some(failure) = failure
            && !self.transfer.is_stopped(cx.now)
        {
            note_failure(record, cx.now, HostId::Right, &failure);
        }
        Poll::Ready(())
    }

    /// Asks for statistics and lets the driver have its turn.
    fn sample(
        reading: &mut Reading,
        after: After,
        cx: &mut Cx<'_>,
        socket: &mut dyn Socket,
    ) -> Poll<()> {
        reading.sampling = Some(after);
        socket.want_stats(cx, reading.stream);
        cx.tasks.yield_now(cx.app_task);
        Poll::Pending
    }

    /// The statistics are there.
    fn keep_sample(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) {
        let Some(reading) = &mut self.reading else { return };
        let stats = socket.stats(cx, reading.stream);
        let record = cx.world.network.flow_record(usize::from(cx.flow));
        reading.samples.keep(cx.now, self.transfer.clock_offset_us(cx.now), &stats, record);
        self.sample.set(cx.now, cx.timers, next_sample(cx.now, self.transfer.end()));
        if let Some(After::Complete(at, same)) = reading.sampling.take() {
            record.completed_at = Some(at);
            record.sha256_ok = Some(same);
            cx.world.completed.push(cx.flow);
        }
    }
}

/// What is noted of a stream that ends before all has arrived.
const ENDED_EARLY: &str = "the stream ended too early";
