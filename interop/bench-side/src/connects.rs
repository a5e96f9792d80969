//! Connections that carry a word each way and close: how many a second.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::timeout;
use utp_shim::cpu_seconds;

use crate::hello::{open, welcome};
use crate::run::listening;
use crate::stream::spent;
use crate::{Args, Outcome, Stack};

/// Takes connections until one says that it is the last.
pub(crate) async fn accept<S: Stack>(sockets: &[Rc<S>]) -> io::Result<Outcome> {
    listening(sockets)?;
    let (last, mut ended) = oneshot::channel();
    let last = Rc::new(RefCell::new(Some(last)));
    let mut cpu_before = None;
    let start = Instant::now();
    loop {
        let mut stream = tokio::select! {
            _ = &mut ended => break,
            accepted = sockets[0].accept() => accepted?,
        };
        cpu_before = cpu_before.or_else(cpu_seconds);
        let last = Rc::clone(&last);
        spawn_local(async move {
            match welcome::<S>(&mut stream).await {
                Ok(LAST) => drop(last.take().map(|last| last.send(()))),
                // What becomes of it the other side knows.
                _ => close(stream).await,
            }
        });
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Outcome { seconds, cpu_s: spent(cpu_before), ..Outcome::default() })
}

/// Opens connections, as many at once as there are streams, and closes each behind its back.
pub(crate) async fn connect<S: Stack>(sockets: &[Rc<S>], args: &Args) -> io::Result<Outcome> {
    let (start, cpu_before) = (Instant::now(), cpu_seconds());
    let begun = Rc::new(Cell::new(0));
    let mut lines = JoinSet::new();
    for _ in 0..args.streams {
        let (socket, args, begun) = (Rc::clone(&sockets[0]), args.clone(), Rc::clone(&begun));
        lines.spawn_local(async move {
            let mut times_us = Vec::new();
            while u64::from(begun.get()) < args.amount && start.elapsed() < args.seconds {
                let number: u32 = begun.replace(begun.get() + 1);
                let began = Instant::now();
                let stream = open(&*socket, args.to[0], number).await?;
                times_us.push(began.elapsed().as_secs_f64() * 1e6);
                spawn_local(close(stream));
            }
            Ok::<_, io::Error>(times_us)
        });
    }
    let mut times_us = Vec::new();
    while let Some(line) = lines.join_next().await {
        times_us.extend(line??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let outcome = Outcome { seconds, cpu_s: spent(cpu_before), ..Outcome::default() };
    // The acceptor may be gone before its word is back.
    drop(timeout(CLOSE_PATIENCE, open(&*sockets[0], args.to[0], LAST)).await);
    Ok(outcome.with_times(times_us))
}

/// Ends both directions.
async fn close<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut stream: T) {
    let both = async {
        stream.shutdown().await?;
        while stream.read(&mut [0]).await? > 0 {}
        Ok::<_, io::Error>(())
    };
    drop(timeout(CLOSE_PATIENCE, both).await);
}

/// The number of the last connection.
const LAST: u32 = u32::MAX;

/// How long a stream is waited for when it closes.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
