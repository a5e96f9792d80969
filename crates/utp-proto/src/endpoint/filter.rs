//! Who may connect: the hook that is asked about every SYN before anything is kept or sent.

use std::net::{IpAddr, SocketAddr};

use utp_wire::ConnectionId;

/// A SYN, as a [`SynFilter`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SynInfo {
    /// Who wants to connect. Not proved: the address may be forged.
    pub remote: SocketAddr,
    /// The address of this host that was called, if the driver could tell.
    pub local_ip: Option<IpAddr>,
    /// The connection id of the SYN, on which the initiator receives.
    pub id: ConnectionId,
}

/// What to do about a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it.
    Answer,
    /// Say nothing, as if nobody were there.
    Ignore,
    /// Answer with a reset, within the limits for resets.
    Refuse,
}

/// Judges SYNs, for instance by a list of addresses. Closures do.
///
/// It is asked for each SYN, repeated ones included, and must be quick: a flood asks it too.
pub trait SynFilter: Send + Sync {
    /// What to do about `syn`.
    fn judge(&self, syn: &SynInfo) -> Verdict;
}

impl<F: Fn(&SynInfo) -> Verdict + Send + Sync> SynFilter for F {
    fn judge(&self, syn: &SynInfo) -> Verdict {
        self(syn)
    }
}
