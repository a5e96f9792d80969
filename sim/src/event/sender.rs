//! The application at the left end of a transfer, as a state machine: connects, writes, ends the
//! stream, looks at it every now and then. It is the counterpart of `turmoil::transfer::send`.

use super::alarm::Alarm;
use super::cx::Cx;
use super::socket::Socket;
use super::stream::{Failure, StreamId};
use super::tasks::TaskId;
use super::timers::Timers;
use crate::app::{Pace, RETRY_PAUSE, Samples, Source, Transfer, next_sample, note_failure};
use crate::packet::HostId;
use crate::time::Ns;
use std::mem;
use std::task::Poll;

/// The application.
pub(super) struct Sender {
    transfer: Transfer,
    state: State,
    stop: Alarm,
    /// Start, next sample or next connect, whichever the state waits for.
    next: Alarm,
    refill: Alarm,
    pace: Pace,
    /// The receiver has everything, which this end has not noted yet.
    pub(super) is_complete: bool,
}

enum State {
    /// For the start.
    Waits,
    Connects(StreamId),
    Sends(Box<Sending>),
    /// For a second try.
    Pauses,
    /// It has stopped, or has nothing to do.
    Rests,
}

/// A connection that was made.
struct Sending {
    stream: StreamId,
    source: Source,
    samples: Samples,
    /// The peer has everything.
    ended: bool,
    /// It has asked for statistics, and this is what comes after them.
    sampling: Option<After>,
}

/// What comes after a sample.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    Stop,
}

impl Sender {
    /// Boots at `now`.
    pub(super) fn new(
        now: Ns,
        transfer: Transfer,
        app: TaskId,
        timers: &mut Timers<TaskId>,
    ) -> Self {
        let mut next = Alarm::new(app, timers);
        next.set(now, timers, transfer.start());
        Self {
            state: State::Waits,
            stop: Alarm::new(app, timers),
            next,
            refill: Alarm::new(app, timers),
            pace: transfer.write_pace(),
            is_complete: false,
            transfer,
        }
    }

    /// One turn.
    pub(super) fn poll(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) {
        while self.step(cx, socket) == Poll::Ready(()) {}
    }

    fn step(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) -> Poll<()> {
        match &mut self.state {
            State::Waits => {
                if !self.next.is_due(cx.timers) {
                    return Poll::Pending;
                }
                if let Some(stop) = self.transfer.stop() {
                    self.stop.set(cx.now, cx.timers, stop);
                }
                self.state = self.connect(cx, socket);
                Poll::Ready(())
            }
            State::Connects(stream) => {
                let stream = *stream;
                if self.stop.is_due(cx.timers) {
                    socket.drop_stream(cx, stream);
                    self.state = State::Rests;
                    return Poll::Ready(());
                }
                match socket.poll_open(stream) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => self.state = self.begin(cx, stream),
                    Poll::Ready(Err(failure)) => {
                        socket.drop_stream(cx, stream);
                        self.fail(cx, failure);
                    }
                }
                Poll::Ready(())
            }
            State::Sends(sending) if sending.sampling.is_some() => {
                self.keep_sample(cx, socket);
                Poll::Ready(())
            }
            State::Sends(_) => self.send(cx, socket),
            State::Pauses => {
                if self.stop.is_due(cx.timers) {
                    self.state = State::Rests;
                } else if self.next.is_due(cx.timers) {
                    self.state = self.connect(cx, socket);
                } else {
                    return Poll::Pending;
                }
                Poll::Ready(())
            }
            State::Rests => Poll::Pending,
        }
    }

    /// Connects, unless there is no more time or no need.
    fn connect(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) -> State {
        let is_complete = cx.world.network.is_complete(usize::from(cx.flow));
        if is_complete || self.stop.is_due(cx.timers) {
            return State::Rests;
        }
        State::Connects(socket.connect(cx))
    }

    /// The connection is there.
    fn begin(&mut self, cx: &mut Cx<'_>, stream: StreamId) -> State {
        let record = cx.world.network.flow_record(usize::from(cx.flow));
        record.connections += 1;
        let samples = Samples::new(HostId::Left, record);
        self.next.set(cx.now, cx.timers, next_sample(cx.now, self.transfer.end()));
        let source = self.transfer.source();
        State::Sends(Box::new(Sending { stream, source, samples, ended: false, sampling: None }))
    }

    fn send(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) -> Poll<()> {
        let State::Sends(sending) = &mut self.state else { return Poll::Ready(()) };
        let (stream, allowance) = (sending.stream, self.pace.allowance(cx.now));
        self.refill.follow(cx.now, cx.timers, self.pace.wake_at());
        if self.stop.is_due(cx.timers) {
            return Self::sample(sending, After::Stop, cx, socket);
        }
        if self.next.is_due(cx.timers) || mem::take(&mut self.is_complete) {
            return Self::sample(sending, After::GoOn, cx, socket);
        }
        if self.refill.is_due(cx.timers) {
            self.refill.clear(cx.timers);
            return Poll::Ready(());
        }
        if sending.ended || allowance == 0 {
            return Poll::Pending;
        }
        let wanted = sending.source.next().len().min(allowance);
        let written = match wanted {
            0 => socket.poll_shutdown(cx, stream).map_ok(|()| 0),
            wanted => socket.poll_room(stream).map_ok(|room| room.min(wanted)),
        };
        match written {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => {
                sending.ended = true;
                Poll::Ready(())
            }
            Poll::Ready(Ok(count)) => {
                socket.write(cx, stream, sending.source.take(count));
                self.transfer.note_sent(&sending.source);
                self.pace.take(count);
                Poll::Ready(())
            }
            Poll::Ready(Err(failure)) => {
                let stats = socket.stats(cx, stream);
                let record = cx.world.network.flow_record(usize::from(cx.flow));
                sending.samples.keep(cx.now, self.transfer.clock_offset_us(cx.now), &stats, record);
                socket.drop_stream(cx, stream);
                self.fail(cx, failure);
                Poll::Ready(())
            }
        }
    }

    /// Asks for statistics and lets the driver have its turn.
    fn sample(
        sending: &mut Sending,
        after: After,
        cx: &mut Cx<'_>,
        socket: &mut dyn Socket,
    ) -> Poll<()> {
        sending.sampling = Some(after);
        socket.want_stats(cx, sending.stream);
        cx.tasks.yield_now(cx.app_task);
        Poll::Pending
    }

    /// The statistics are there.
    fn keep_sample(&mut self, cx: &mut Cx<'_>, socket: &mut dyn Socket) {
        let State::Sends(sending) = &mut self.state else { return };
        let stats = socket.stats(cx, sending.stream);
        let record = cx.world.network.flow_record(usize::from(cx.flow));
        sending.samples.keep(cx.now, self.transfer.clock_offset_us(cx.now), &stats, record);
        self.next.set(cx.now, cx.timers, next_sample(cx.now, self.transfer.end()));
        if sending.sampling.take() == Some(After::Stop) {
            // Stopping is a user's cancel: nothing more is sent, not even what waits.
            let stream = sending.stream;
            socket.abort_stream(cx, stream);
            self.state = State::Rests;
        }
    }

    /// The connection has failed.
    fn fail(&mut self, cx: &mut Cx<'_>, failure: Failure) {
        let record = cx.world.network.flow_record(usize::from(cx.flow));
        note_failure(record, cx.now, HostId::Left, &failure);
        self.next.set(cx.now, cx.timers, cx.now + RETRY_PAUSE);
        self.state = State::Pauses;
    }
}
