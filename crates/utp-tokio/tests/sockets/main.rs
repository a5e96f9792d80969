//! Sockets and streams, over the loopback interface and over a network in memory.
#![expect(clippy::unwrap_used, reason = "tests")]

mod allocations;
mod batches;
mod budget;
mod cancel;
mod chaos;
mod faults;
mod faulty;
mod hostile;
mod lifecycle;
mod memory;
mod observe;
mod reasons;
mod routes;
mod shares;
mod support;
mod timing;
mod transfer;
