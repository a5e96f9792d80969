//! Carries a host through one window of virtual time, landing on every arrival exactly.
//!
//! tokio moves its paused clock in whole milliseconds. The pump moves it by hand to the nanosecond
//! of each arrival, lets the host's tasks run until they have nothing to do, and ends exactly on
//! the edge of the window, where turmoil expects the clock to be. At one moment timers run before
//! arrivals are handed over.

use super::TICK;
use super::host::Host;
use crate::time::Ns;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

/// How often tasks of a host have been polled.
#[derive(Clone, Debug, Default)]
pub(super) struct Polls(Arc<AtomicU64>);

/// A task whose polls are counted.
pub(super) struct Counted<F> {
    task: Pin<Box<F>>,
    polls: Polls,
}

impl Polls {
    pub(super) fn counted<F: Future>(&self, task: F) -> Counted<F> {
        Counted { task: Box::pin(task), polls: self.clone() }
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets every counted task run until none of them was woken any more.
    ///
    /// One yield runs what is ready up to tokio's budget only, hence the loop.
    async fn settle(&self) {
        tokio::task::yield_now().await;
        loop {
            let before = self.count();
            tokio::task::yield_now().await;
            if self.count() == before {
                return;
            }
        }
    }
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.0.fetch_add(1, Ordering::Relaxed);
        self.task.as_mut().poll(cx)
    }
}

/// Pumps `host` through one window after the other, each begun by the engine.
pub(super) async fn pump(host: Host) {
    let mut readers = Vec::new();
    let mut start = host.now();
    loop {
        host.window_begun().await;
        // Timers that are due at the start run at the start, before the clock moves on.
        host.polls().settle().await;
        let end = start + TICK;
        loop {
            let arrival = host.world().next_arrival_before(host.id(), end);
            let Some(arrival) = arrival else { break };
            move_clock(&host, arrival).await;
            // Timers that the move made due run before what arrives now.
            host.polls().settle().await;
            host.world().hand_over(host.id(), host.now(), &mut readers);
            for reader in readers.drain(..) {
                reader.wake();
            }
            host.polls().settle().await;
        }
        move_clock(&host, end).await;
        start = end;
    }
}

async fn move_clock(host: &Host, to: Ns) {
    let now = host.now();
    if to > now {
        tokio::time::advance((to - now).as_duration()).await;
    }
}
