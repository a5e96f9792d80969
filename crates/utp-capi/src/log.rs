//! Lines for the log of a program: what the core tells of its connections, put aside until nothing
//! is locked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use utp_proto::{ConnectionHandle, Instant, Trace, TraceEvent};

use crate::options::LogOptions;

/// Lines that wait, with the connections that they are about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<VecDeque<(ConnectionHandle, String)>>>);

impl Lines {
    pub(crate) fn pop(&self) -> Option<(ConnectionHandle, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn push(&self, connection: ConnectionHandle, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((connection, line));
    }
}

/// What the core tells.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) wanted: LogOptions,
    pub(crate) lines: Lines,
}

impl Trace for Log {
    fn record(&mut self, _now: Instant, connection: ConnectionHandle, event: &TraceEvent) {
        let wanted = match event {
            TraceEvent::Closed { .. }
            | TraceEvent::Opened { .. }
            | TraceEvent::StateChanged { .. }
            | TraceEvent::TimedOut { .. } => self.wanted.normal,
            TraceEvent::MtuChanged { .. } => self.wanted.mtu,
            _ => self.wanted.debug,
        };
        if wanted {
            self.lines.push(connection, event.to_string());
        }
    }
}
