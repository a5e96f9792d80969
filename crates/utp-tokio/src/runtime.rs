//! Owns the door to time, tasks and randomness: [`Runtime`], [`Timer`] and tokio's version of them.
//!
//! Nothing else in this crate reads a clock, starts a task or asks for entropy, so that a simulator
//! which brings its own runtime and its own
//! [`AsyncUdpSocket`](crate::transport::AsyncUdpSocket) decides about everything that happens.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use utp_wire::Instant;

/// Where a `UtpSocket` gets its time, its tasks and its randomness from.
///
/// [`TokioRuntime`] is the default. A simulator implements this to run sockets in virtual time.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// The present moment. It never goes backwards, and its origin is the runtime's choice.
    fn now(&self) -> Instant;

    /// A new timer, not armed.
    fn timer(&self) -> Pin<Box<dyn Timer>>;

    /// Runs `future` to its end as a task of its own. Called once for each socket.
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>);

    /// Fills `bytes` with random bytes that nobody outside can predict.
    ///
    /// Connection ids and first sequence numbers are drawn from them. Called once for each
    /// connection or so, never for each packet.
    fn fill_random(&self, bytes: &mut [u8]);
}

/// One alarm clock of a [`Runtime`].
pub trait Timer: fmt::Debug + Send {
    /// Arms the timer for `at`, in place of what it was armed for. A moment in the past is due at
    /// once. Wakes nobody by itself: a task that waits calls [`poll`](Self::poll) again.
    fn reset(self: Pin<&mut Self>, at: Instant);

    /// Ready when the moment has come, and from then on until the next [`reset`](Self::reset).
    ///
    /// Pending before that and when the timer was never armed; the task of `cx` is woken at the
    /// moment the timer was last armed for, or later by the timer's granularity (1 ms for tokio).
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;
}

/// The [`Runtime`] of tokio: its clock, which a test may pause, its timers and its tasks.
///
/// Entropy comes from the operating system.
///
/// ```
/// use utp_tokio::runtime::{Runtime, TokioRuntime};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let runtime = TokioRuntime::new();
/// let start = runtime.now();
/// tokio::time::sleep(std::time::Duration::from_millis(5)).await;
/// assert_eq!(runtime.now().saturating_since(start), 5_000);
/// # }
/// ```
#[derive(Debug)]
pub struct TokioRuntime {
    origin: tokio::time::Instant,
}

impl TokioRuntime {
    /// A runtime whose clock starts now.
    ///
    /// Make it inside of the tokio runtime it is for: a paused clock belongs to one of them.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

impl Default for TokioRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for TokioRuntime {
    fn now(&self) -> Instant {
        let elapsed = tokio::time::Instant::now().saturating_duration_since(self.origin);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        Instant::from_micros(ORIGIN_US.saturating_add(elapsed_us))
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        Box::pin(TokioTimer { origin: self.origin, sleep: None })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        tokio::spawn(future);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has entropy");
    }
}

/// A [`tokio::time::Sleep`], made when it is first armed.
#[derive(Debug)]
struct TokioTimer {
    origin: tokio::time::Instant,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Timer for TokioTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        let since_origin_us = at.as_micros().saturating_sub(ORIGIN_US).min(LONGEST_US);
        let deadline = self.origin + Duration::from_micros(since_origin_us);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// What the clock of tokio's runtime shows at its start: one second, so that a moment slightly
/// before the start can be told.
const ORIGIN_US: u64 = 1_000_000;

/// Timers end after 100 years at the latest: more would overflow the clock of some systems.
const LONGEST_US: u64 = 100 * 365 * 24 * 3600 * 1_000_000;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn timer_fires_at_its_moment_and_stays_ready() {
        let runtime = TokioRuntime::new();
        let mut timer = runtime.timer();
        let start = runtime.now();
        timer.as_mut().reset(start.saturating_add(20_000));
        poll_fn(|cx| timer.as_mut().poll(cx)).await;
        assert_eq!(runtime.now().saturating_since(start), 20_000);
        poll_fn(|cx| timer.as_mut().poll(cx)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn timer_moved_forward_fires_at_the_new_moment() {
        let runtime = TokioRuntime::new();
        let mut timer = runtime.timer();
        let start = runtime.now();
        timer.as_mut().reset(start.saturating_add(20_000));
        poll_fn(|cx| {
            assert!(timer.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        timer.as_mut().reset(start.saturating_add(70_000));
        poll_fn(|cx| timer.as_mut().poll(cx)).await;
        assert_eq!(runtime.now().saturating_since(start), 70_000);
    }

    #[tokio::test(start_paused = true)]
    async fn timer_that_was_never_armed_stays_pending() {
        let runtime = TokioRuntime::new();
        let mut timer = runtime.timer();
        let waited =
            tokio::time::timeout(Duration::from_secs(3600), poll_fn(|cx| timer.as_mut().poll(cx)));
        assert!(waited.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn timer_survives_the_last_moment_that_can_be_told() {
        let runtime = TokioRuntime::new();
        let mut timer = runtime.timer();
        timer.as_mut().reset(Instant::from_micros(u64::MAX));
        poll_fn(|cx| {
            assert!(timer.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn random_bytes_differ() {
        let runtime = TokioRuntime::new();
        let (mut a, mut b) = ([0; 16], [0; 16]);
        runtime.fill_random(&mut a);
        runtime.fill_random(&mut b);
        assert_ne!(a, b);
    }
}
