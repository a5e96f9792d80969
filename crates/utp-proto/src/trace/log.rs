//! Where a connection notes its events until the endpoint hands them on.

use utp_wire::Instant;

use super::{Trace, TraceEvent};
use crate::endpoint::ConnectionHandle;

/// The notes of one connection; nothing at all unless somebody wants them.
#[derive(Debug, Default)]
pub(crate) struct TraceLog(Option<Box<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    /// Emptied after every step, each of which adds a few for every packet that it handles.
    events: Vec<TraceEvent>,
}

/// Whose notes, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) now: Instant,
    pub(crate) connection: ConnectionHandle,
}

impl TraceLog {
    /// Starts or ends the taking of notes.
    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        if enabled != self.0.is_some() {
            self.0 = enabled.then(Box::default);
        }
    }

    /// Notes an event, which is made only if somebody wants it.
    #[inline]
    pub(crate) fn record(&mut self, event: impl FnOnce() -> TraceEvent) {
        if let Some(notes) = &mut self.0 {
            notes.events.push(event());
        }
    }

    /// Hands everything on.
    #[inline]
    pub(crate) fn flush(&mut self, subject: Subject, trace: &mut Option<Box<dyn Trace>>) {
        if let Some(notes) = &mut self.0 {
            for event in notes.events.drain(..) {
                emit(subject, &event);
                if let Some(trace) = trace {
                    trace.record(subject.now, subject.connection, &event);
                }
            }
        }
    }
}

/// Whether the `tracing` of the process wants events.
#[cfg(feature = "tracing")]
pub(crate) fn is_wanted_by_process() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

#[cfg(not(feature = "tracing"))]
pub(crate) const fn is_wanted_by_process() -> bool {
    false
}

#[cfg(feature = "tracing")]
fn emit(subject: Subject, event: &TraceEvent) {
    let (t_us, connection) = (subject.now.as_micros(), subject.connection.number());
    if super::is_notable(event) {
        tracing::debug!(t_us, connection, "{event}");
    } else {
        tracing::trace!(t_us, connection, "{event}");
    }
}

#[cfg(not(feature = "tracing"))]
const fn emit(_subject: Subject, _event: &TraceEvent) {}
