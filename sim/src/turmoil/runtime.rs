//! The runtime of a simulated host: utp-tokio's door to time, tasks and randomness.

use super::host::Host;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::Sleep;
use utp_proto::Instant;
use utp_tokio::runtime::{Runtime, Timer};

/// Virtual time with the granularity of tokio's timers, tasks that the pump counts, and the host's
/// stream of random bytes.
#[derive(Debug)]
pub struct SimRuntime {
    host: Host,
}

impl SimRuntime {
    /// The runtime of `host`.
    pub const fn new(host: Host) -> Self {
        Self { host }
    }
}

impl Runtime for SimRuntime {
    fn now(&self) -> Instant {
        self.host.clock().now(self.host.now())
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        Box::pin(SimTimer { host: self.host.clone(), sleep: None })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.host.spawn(future);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.host.fill_random(bytes);
    }
}

/// tokio's timer, which ends on whole milliseconds as it does in production.
struct SimTimer {
    host: Host,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer for SimTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        let deadline = self.host.instant(self.host.clock().when(at));
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }
}

impl fmt::Debug for SimTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTimer").field("sleep", &self.sleep).finish_non_exhaustive()
    }
}
