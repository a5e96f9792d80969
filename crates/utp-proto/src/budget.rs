//! The memory of an endpoint: one ledger for the bytes in all send and receive buffers and in the
//! queues before them, and what a connection may take of it.
//!
//! A connection that changes settles its account, so that the ledger is the sum of all at the end
//! of every call. It is exact and costs an addition, whatever the number of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{
    MEMORY_FLOOR_BYTES, UNSENT_BYTES_COUNTED, UNSENT_BYTES_FLOOR, UNSENT_BYTES_SHARED,
};

/// The ledger. Atomic since queues in front of the endpoint are filled on other threads.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    max: usize,
    /// Bytes of those that were written and that no packet holds.
    unsent: AtomicUsize,
}

impl Budget {
    pub(crate) const fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max, unsent: AtomicUsize::new(0) }
    }

    /// Bytes in all buffers.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes left.
    pub(crate) fn free(&self) -> usize {
        self.max.saturating_sub(self.used())
    }

    /// Little is left: nothing more should be asked for.
    pub(crate) fn is_tight(&self) -> bool {
        self.free() < self.max / 8
    }
}

/// What one connection has of the budget. Without a budget there is no limit.
#[derive(Debug, Default)]
pub(crate) struct Account {
    budget: Option<Arc<Budget>>,
    /// 4 GiB are all that one may count: less memory for each of many.
    charged: u32,
    /// Of those, bytes that no packet holds, as far as they count.
    unsent: u32,
}

impl Account {
    /// Joins a budget.
    pub(crate) fn join(&mut self, budget: &Arc<Budget>) {
        debug_assert!(self.budget.is_none(), "a connection has one endpoint");
        budget.used.fetch_add(self.charged as usize, Ordering::Relaxed);
        budget.unsent.fetch_add(self.unsent as usize, Ordering::Relaxed);
        self.budget = Some(Arc::clone(budget));
    }

    /// The connection holds `bytes` now, of which no packet holds `unsent`.
    pub(crate) fn settle(&mut self, bytes: usize, unsent: usize) {
        let unsent = unsent.min(UNSENT_BYTES_COUNTED);
        let [bytes, unsent] = [bytes, unsent].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        if let Some(budget) = &self.budget {
            change(&budget.used, self.charged, bytes);
            change(&budget.unsent, self.unsent, unsent);
        }
        (self.charged, self.unsent) = (bytes, unsent);
    }

    /// Bytes that one writer may have waiting for their first packet: what all of them leave of
    /// what they share, so that the more have much to send, the less each has waiting. It only
    /// has to keep the connection busy until its writer runs again. No limit as long as there is
    /// plenty: who sets a larger buffer gets it.
    pub(crate) fn unsent_max(&self) -> usize {
        let Some(budget) = &self.budget else { return usize::MAX };
        let unsent = budget.unsent.load(Ordering::Relaxed);
        match UNSENT_BYTES_SHARED.saturating_sub(unsent) {
            UNSENT_BYTES_COUNTED.. => usize::MAX,
            left => left.max(UNSENT_BYTES_FLOOR),
        }
    }

    /// Bytes that a direction may take on which holds `held`. A few are granted whatever the others
    /// hold, so that every stream goes on, if slowly.
    pub(crate) fn room(&self, held: usize) -> usize {
        let Some(budget) = &self.budget else { return usize::MAX };
        budget.free().max((MEMORY_FLOOR_BYTES as usize).saturating_sub(held))
    }

    /// Half of the budget is used: no buffer should grow.
    pub(crate) fn is_busy(&self) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.free() < budget.max / 2)
    }

    /// Little of the budget is left.
    pub(crate) fn is_tight(&self) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.is_tight())
    }
}

/// What was counted as `before` is `after` now.
fn change(sum: &AtomicUsize, before: u32, after: u32) {
    if before != after {
        // Wrapping, as the sum of the two is what counts.
        sum.fetch_add((after as usize).wrapping_sub(before as usize), Ordering::Relaxed);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.settle(0, 0);
    }
}

/// What a driver holds for one stream before its connection takes it, charged to the endpoint's
/// [`memory_max_bytes`](crate::EndpointConfig::memory_max_bytes): a queue for each of many streams
/// is much memory, too.
///
/// [`Endpoint::queue_account`](crate::Endpoint::queue_account) opens one; the default belongs to no
/// endpoint and has no limit. What it holds is given back when it is dropped. It may be used on any
/// thread.
#[derive(Debug, Default)]
pub struct QueueAccount(Account);

impl QueueAccount {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        let mut account = Account::default();
        account.join(budget);
        Self(account)
    }

    /// The queue holds `bytes` now.
    pub fn settle(&mut self, bytes: usize) {
        self.0.settle(bytes, bytes);
    }

    /// Bytes that a queue which holds `held` may take on. A few are granted whatever others hold,
    /// so that a stream goes on.
    pub fn room(&self, held: usize) -> usize {
        self.0.room(held)
    }

    /// Bytes that it is of use to have in the queue, which is less when many have much to send:
    /// fresh memory for what only waits longer costs more time than it saves.
    pub fn worth_queueing(&self) -> usize {
        self.0.unsent_max()
    }
}
