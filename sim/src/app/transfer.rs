//! A flow of kind `utp`, as both of its ends know it.

use super::{Pace, Source};
use crate::clock::HostClock;
use crate::packet::HostId;
use crate::record::{FlowError, FlowRecord};
use crate::rng::Streams;
use crate::scenario::{Controller, FlowEvent, FlowKind, Scenario, Stack, What};
use crate::time::Ns;
use bytes::Bytes;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use utp_proto::Config;

/// One transfer; clones are the same transfer.
#[derive(Clone, Debug)]
pub(crate) struct Transfer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    flow: u16,
    name: String,
    controller: Controller,
    /// Of the left host and of the right one.
    stacks: [Stack; 2],
    bytes: Option<u64>,
    start: Ns,
    stop: Option<Ns>,
    end: Ns,
    streams: Streams,
    clocks: Arc<[HostClock; 2]>,
    /// What transfers without an end repeat.
    block: Bytes,
    write: Pace,
    read: Pace,
    /// Digest of all that was sent on the newest connection, known once all was written.
    digest: Mutex<Option<[u8; 32]>>,
}

impl Transfer {
    /// All flows of kind `utp` of a scenario.
    pub(crate) fn all(scenario: &Scenario) -> Vec<Self> {
        let streams = Streams::new(scenario.seed);
        let clocks =
            HostId::ALL.map(|host| HostClock::new(scenario, host, &mut streams.host(host.index())));
        let clocks = Arc::new(clocks);
        let block = Source::block(&mut streams.payload(0));
        let numbered = (0_u16..).zip(&scenario.flows);
        let transfers = numbered.filter_map(|(flow, spec)| {
            let FlowKind::Utp(utp) = &spec.kind else { return None };
            let events = |wanted: fn(FlowEvent) -> Option<Option<u64>>| {
                let mut rates = Vec::new();
                for change in &scenario.changes {
                    match change.what {
                        What::Flow { flow: of, event } if of == usize::from(flow) => {
                            rates.extend(wanted(event).map(|rate| (change.at, rate)));
                        }
                        _ => {}
                    }
                }
                rates
            };
            let writes = events(|event| match event {
                FlowEvent::WriteRate(rate) => Some(rate),
                _ => None,
            });
            let reads = events(|event| match event {
                FlowEvent::ReadRate(rate) => Some(rate),
                _ => None,
            });
            Some(Self(Arc::new(Inner {
                flow,
                name: spec.name.clone(),
                controller: utp.controller.clone(),
                stacks: utp.stacks(),
                bytes: utp.bytes,
                start: scenario.start_of(usize::from(flow)),
                stop: spec.stop,
                end: scenario.duration,
                streams,
                clocks: Arc::clone(&clocks),
                block: block.clone(),
                write: Pace::new(utp.write_rate_bps, writes),
                read: Pace::new(utp.read_rate_bps, reads),
                digest: Mutex::new(None),
            })))
        });
        transfers.collect()
    }

    /// Index of the flow.
    pub(crate) fn flow(&self) -> u16 {
        self.0.flow
    }

    /// Name of the flow.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Which implementation runs at `host`.
    pub(crate) fn stack(&self, host: HostId) -> Stack {
        self.0.stacks[host.index()]
    }

    /// Size, if it has one.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.0.bytes
    }

    /// When the sender connects first.
    pub(crate) fn start(&self) -> Ns {
        self.0.start
    }

    /// When the sender gives up, if it does.
    pub(crate) fn stop(&self) -> Option<Ns> {
        self.0.stop
    }

    /// Whether the sender has given up by `now`.
    pub(crate) fn is_stopped(&self, now: Ns) -> bool {
        self.0.stop.is_some_and(|stop| now >= stop)
    }

    /// When the run ends at the latest.
    pub(crate) fn end(&self) -> Ns {
        self.0.end
    }

    /// What the receiver's clock shows more than the sender's at `at`, in microseconds.
    pub(crate) fn clock_offset_us(&self, at: Ns) -> u32 {
        let [left, right] = self.0.clocks.each_ref().map(|clock| clock.stamp(at).0);
        right.wrapping_sub(left)
    }

    /// What connections are made with.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.controller = self.0.controller.factory();
        config
    }

    /// What the sender of a new connection has to say.
    pub(crate) fn source(&self) -> Source {
        *self.digest() = None;
        let stream = self.0.streams.payload(usize::from(self.0.flow));
        Source::new(self.0.bytes, stream, &self.0.block)
    }

    /// How fast the sender writes.
    pub(crate) fn write_pace(&self) -> Pace {
        self.0.write.clone()
    }

    /// How fast the receiver reads.
    pub(crate) fn read_pace(&self) -> Pace {
        self.0.read.clone()
    }

    /// Notes what was sent, once that is all.
    pub(crate) fn note_sent(&self, source: &Source) {
        *self.digest() = source.digest();
    }

    /// Whether what has arrived is what was sent.
    pub(crate) fn is_same(&self, arrived: [u8; 32]) -> bool {
        *self.digest() == Some(arrived)
    }

    fn digest(&self) -> MutexGuard<'_, Option<[u8; 32]>> {
        self.0.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that a connection failed at `host`.
pub(crate) fn note_failure(
    record: &mut FlowRecord,
    at: Ns,
    host: HostId,
    error: &dyn fmt::Display,
) {
    record.failures += u64::from(host == HostId::Left);
    record.errors.push(FlowError { at, host, text: error.to_string() });
}
