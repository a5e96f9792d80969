//! Owns the trace of a socket: [`TraceSink`], which writes what happens to connections as JSON
//! lines without ever holding the driver up, or tells it to a function.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use utp_proto::{ConnectionHandle, Trace, TraceEvent};
use utp_wire::Instant;

/// Where the events of a socket's connections go. See
/// [`UtpSocketBuilder::trace`](crate::UtpSocketBuilder::trace).
///
/// A sink that writes does so as one JSON object per line in the form of
/// [`TraceEvent::to_json_line`], in a thread of its own. A few thousand events wait for it; more
/// are dropped and counted. The writer is flushed whenever nothing waits, and dropped after the
/// last clone of the sink.
#[derive(Clone, Debug)]
pub struct TraceSink {
    way: Way,
    dropped: Arc<AtomicU64>,
}

/// How events leave the driver.
#[derive(Clone)]
enum Way {
    Call(Arc<Observer>),
    Queue(SyncSender<Record>),
}

type Observer = dyn Fn(Instant, ConnectionHandle, &TraceEvent) + Send + Sync;

/// An event on its way.
type Record = (Instant, ConnectionHandle, TraceEvent);

impl TraceSink {
    /// A sink that writes to a new file, or over an old one.
    ///
    /// # Errors
    ///
    /// What the operating system says about the file, or about another thread.
    pub fn to_file(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::to_writer(File::create(path)?)
    }

    /// A sink that writes to `writer` until that fails.
    ///
    /// # Errors
    ///
    /// What the operating system says about another thread.
    pub fn to_writer(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, records) = sync_channel(RECORDS_MAX);
        let thread = std::thread::Builder::new().name("utp-trace".to_owned());
        thread.spawn(move || {
            if let Err(error) = write_all(&records, writer) {
                tracing::warn!(%error, "the trace ends");
            }
        })?;
        Ok(Self { way: Way::Queue(queue), dropped: Arc::default() })
    }

    /// A sink that calls `observer` with the moment, the connection and the event, from within the
    /// driver: it must not block. No event is dropped.
    ///
    /// ```
    /// use utp_tokio::{TraceSink, UtpSocket};
    ///
    /// let sink = TraceSink::to_fn(|_now, _connection, event| println!("{event}"));
    /// let options = UtpSocket::builder().trace(sink);
    /// # drop(options);
    /// ```
    pub fn to_fn(
        observer: impl Fn(Instant, ConnectionHandle, &TraceEvent) + Send + Sync + 'static,
    ) -> Self {
        Self { way: Way::Call(Arc::new(observer)), dropped: Arc::default() }
    }

    /// Events dropped since too many waited, or since the writer had failed.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Trace for TraceSink {
    fn record(&mut self, now: Instant, connection: ConnectionHandle, event: &TraceEvent) {
        match &self.way {
            Way::Call(observer) => observer(now, connection, event),
            Way::Queue(queue) => {
                if queue.try_send((now, connection, *event)).is_err() {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call(_) => "Call",
            Self::Queue(_) => "Queue",
        })
    }
}

fn write_all(records: &Receiver<Record>, writer: impl Write) -> io::Result<()> {
    let mut writer = BufWriter::new(writer);
    let mut line = String::new();
    while let Ok(first) = records.recv() {
        let mut next = Some(first);
        while let Some((now, connection, event)) = next {
            line.clear();
            event.to_json_line(now, connection, &mut line);
            writer.write_all(line.as_bytes())?;
            next = records.try_recv().ok();
        }
        writer.flush()?;
    }
    Ok(())
}

/// Events that wait, half a megabyte: what 100 MB/s cause in some ten milliseconds.
const RECORDS_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Writes nothing until it is let go.
    struct Stuck(Option<Receiver<()>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(gate) = self.0.take() {
                gate.recv().unwrap_or_default();
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Zero;

    impl utp_proto::Entropy for Zero {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn handle() -> ConnectionHandle {
        let config = Arc::new(utp_proto::EndpointConfig::default());
        let mut endpoint = utp_proto::Endpoint::new(config, Box::new(Zero));
        let remote = ([10, 0, 0, 1], 1).into();
        endpoint.connect(Instant::from_micros(1), remote, Arc::default()).expect("there is room")
    }

    #[test]
    fn writer_that_is_stuck_costs_events_and_no_time() {
        let (open, gate) = mpsc::channel();
        let mut sink = TraceSink::to_writer(Stuck(Some(gate))).expect("a thread");
        let event = TraceEvent::MtuChanged { payload_bytes: 1_200 };
        let sent = 3 * RECORDS_MAX as u64;
        let connection = handle();
        for _ in 0..sent {
            sink.record(Instant::from_micros(1), connection, &event);
        }
        assert!(sink.dropped() > 0, "the queue is bounded");
        assert!(sink.dropped() < sent, "and some wait in it");
        drop(open);
    }
}
