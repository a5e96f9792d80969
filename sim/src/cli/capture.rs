//! `--pcap` and `--trace`: the files of one run, which have their names only when it is over.

use crate::capture::{Events, Pcap};
use crate::packet::HostId;
use crate::scenario::Scenario;
use crate::taps::{Captured, Taps};
use anyhow::Context;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

type Output = BufWriter<File>;

/// The captures of a run that is under way.
pub(super) struct Capture {
    inner: Arc<Mutex<Inner>>,
    /// Temporary and final names.
    names: Vec<(PathBuf, PathBuf)>,
}

struct Inner {
    hosts: Option<[Pcap<Output>; 2]>,
    events: Option<Events<Output>>,
    /// The first thing that went wrong.
    failure: Option<io::Error>,
}

impl Capture {
    /// Opens the files of one run in `folder`.
    pub(super) fn create(
        folder: &Path,
        scenario: &Scenario,
        pcap: bool,
        trace: bool,
    ) -> anyhow::Result<Self> {
        let mut names = Vec::new();
        let mut open = |end: &str| {
            let name = format!("{}{end}", scenario.variant);
            let (partial, path) = (folder.join(format!(".{name}.partial")), folder.join(name));
            let file = File::create(&partial);
            let file = file.with_context(|| format!("cannot write {}", partial.display()))?;
            names.push((partial, path));
            anyhow::Ok(BufWriter::new(file))
        };
        let hosts = match pcap {
            true => Some([Pcap::new(open("-left.pcap")?)?, Pcap::new(open("-right.pcap")?)?]),
            false => None,
        };
        let events = match trace {
            true => Some(Events::new(open(".jsonl")?, scenario)),
            false => None,
        };
        let inner = Arc::new(Mutex::new(Inner { hosts, events, failure: None }));
        Ok(Self { inner, names })
    }

    /// The sinks that fill the files.
    pub(super) fn taps(&self) -> Taps {
        let (pcap, trace) = {
            let inner = lock(&self.inner);
            (inner.hosts.is_some(), inner.events.is_some())
        };
        let mut taps = Taps::default();
        if pcap {
            let inner = Arc::clone(&self.inner);
            taps.datagrams = Some(Box::new(move |captured| lock(&inner).datagram(captured)));
        }
        if trace {
            let inner = Arc::clone(&self.inner);
            taps.packets = Some(Box::new(move |event| {
                lock(&inner).with_events(|events| events.packet(event));
            }));
            let inner = Arc::clone(&self.inner);
            taps.protocol = Some(Box::new(move |event| {
                lock(&inner).with_events(|events| events.protocol(event));
            }));
        }
        taps
    }

    /// Completes the files and gives them their names.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let mut inner = lock(&self.inner);
        if let Some(failure) = inner.failure.take() {
            return Err(failure).context("cannot write a capture");
        }
        for pcap in inner.hosts.take().into_iter().flatten() {
            pcap.finish().context("cannot write a capture")?;
        }
        if let Some(events) = inner.events.take() {
            events.finish().context("cannot write a trace")?;
        }
        for (partial, path) in &self.names {
            fs::rename(partial, path)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

impl Inner {
    fn datagram(&mut self, captured: &Captured<'_>) {
        let Some([left, right]) = &mut self.hosts else { return };
        let pcap = match captured.host {
            HostId::Left => left,
            HostId::Right => right,
        };
        if let Err(error) = pcap.write(captured) {
            self.failure.get_or_insert(error);
        }
    }

    fn with_events(&mut self, add: impl FnOnce(&mut Events<Output>) -> io::Result<()>) {
        let Some(events) = &mut self.events else { return };
        if let Err(error) = add(events) {
            self.failure.get_or_insert(error);
        }
    }
}

fn lock(inner: &Mutex<Inner>) -> std::sync::MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
