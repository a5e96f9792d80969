//! A timer of an application.

use super::host::Host;
use crate::time::Ns;
use std::future::pending;
use std::pin::Pin;
use tokio::time::Sleep;

/// Ends at a moment that can be moved.
pub(super) struct Alarm {
    host: Host,
    at: Option<Ns>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// An alarm that is not set.
    pub(super) fn new(host: &Host) -> Self {
        Self { host: host.clone(), at: None, sleep: None }
    }

    /// Sets it to `at`, which may be now.
    pub(super) fn set(&mut self, at: Ns) {
        self.at = Some(at);
        let deadline = self.host.instant(at);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
    }

    /// Sets it to `at`, or not at all, unless it is already.
    pub(super) fn follow(&mut self, at: Option<Ns>) {
        if at == self.at {
            return;
        }
        match at {
            Some(at) => self.set(at),
            None => self.clear(),
        }
    }

    /// Forgets what it was set to.
    pub(super) fn clear(&mut self) {
        (self.at, self.sleep) = (None, None);
    }

    /// Ready when its moment has come, and from then on until it is set again.
    pub(super) async fn due(&mut self) {
        match &mut self.sleep {
            Some(sleep) => sleep.await,
            None => pending().await,
        }
    }
}
