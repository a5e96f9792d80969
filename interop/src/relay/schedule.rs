//! Datagrams that wait for their time, and the thread that sends them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A datagram to send at a time.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) at: Instant,
    pub(super) socket: Arc<UdpSocket>,
    pub(super) to: SocketAddr,
    pub(super) bytes: Box<[u8]>,
}

/// The waiting datagrams.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    queue: Mutex<Queue>,
    earlier: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// Soonest first; among equals the one that came first.
    times: BinaryHeap<Reverse<(Instant, u64, Entry)>>,
    pushed: u64,
    stopped: bool,
}

/// A delivery takes no part in the order.
#[derive(Debug)]
struct Entry(Delivery);

impl Schedule {
    pub(super) fn push(&self, delivery: Delivery) {
        let mut queue = self.lock();
        let soonest = queue.times.peek().is_none_or(|Reverse((at, ..))| delivery.at < *at);
        queue.pushed += 1;
        let entry = Reverse((delivery.at, queue.pushed, Entry(delivery)));
        queue.times.push(entry);
        drop(queue);
        if soonest {
            self.earlier.notify_one();
        }
    }

    /// Ends [`run`](Self::run); what still waits is not sent.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.earlier.notify_one();
    }

    /// Sends each datagram at its time, until [`stop`](Self::stop).
    pub(super) fn run(&self) {
        let mut queue = self.lock();
        while !queue.stopped {
            let now = Instant::now();
            let next = queue.times.peek().map(|Reverse((at, ..))| *at);
            queue = match next {
                None => self.earlier.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(at) if at > now => {
                    let waited = self.earlier.wait_timeout(queue, at - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let due = queue.times.pop();
                    drop(queue);
                    if let Some(Reverse((_, _, Entry(delivery)))) = due {
                        // A datagram that cannot be sent is a lost one.
                        drop(delivery.socket.send_to(&delivery.bytes, delivery.to));
                    }
                    self.lock()
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Entry {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
