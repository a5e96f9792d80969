//! The types and numbers of `utp.h`, as they lie in memory.

use std::ffi::{c_int, c_void};
use std::fmt;

/// A socket, to programs. What the pointer says is in `handles.rs`; nothing lies where it points.
#[derive(Debug)]
#[repr(C)]
pub struct UtpSocket {
    nothing: [u8; 0],
}

/// A context, to programs.
#[derive(Debug)]
#[repr(C)]
pub struct UtpContext {
    nothing: [u8; 0],
}

/// An address of the system, which only `address.rs` looks into.
#[derive(Debug)]
#[repr(C)]
pub struct SockAddr {
    nothing: [u8; 0],
}

/// The length of an address.
#[cfg(not(windows))]
pub type SockLen = u32;
/// The length of an address.
#[cfg(windows)]
pub type SockLen = c_int;

/// `struct utp_iovec`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct IoVec {
    /// Where the bytes are.
    pub base: *mut c_void,
    /// How many.
    pub len: usize,
}

/// `utp_callback_arguments`. Zero where a callback has no use for a field.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct CallbackArguments {
    /// The context.
    pub context: *mut UtpContext,
    /// The socket, if it is about one.
    pub socket: *mut UtpSocket,
    /// Of `buf`, or of a packet.
    pub len: usize,
    /// Of `UTP_SENDTO`.
    pub flags: u32,
    /// Which callback it is.
    pub callback_type: c_int,
    /// Bytes.
    pub buf: *const u8,
    /// The first anonymous union.
    pub detail: Detail,
    /// The second.
    pub extra: Extra,
}

/// What a callback is about.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Detail {
    /// Of the peer.
    pub address: *const SockAddr,
    /// Also called `send`, `sample_ms`, `error_code` and `state`.
    pub number: c_int,
}

/// What it is about besides.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Extra {
    /// Of the address.
    pub address_len: SockLen,
    /// The type of a packet.
    pub kind: c_int,
}

impl fmt::Debug for CallbackArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackArguments")
            .field("callback_type", &self.callback_type)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// `utp_callback_t`. An exception that leaves one is caught by nobody and ends the program.
pub type Callback = unsafe extern "C-unwind" fn(*mut CallbackArguments) -> u64;

/// The version of the interface.
pub(crate) const API_VERSION: c_int = 2;

/// Most elements of a vector that are looked at.
pub(crate) const IOV_MAX: usize = 1_024;

/// A flag of `UTP_SENDTO`.
pub(crate) const UDP_DONTFRAG: u32 = 2;

/// Numbers of `UTP_ON_STATE_CHANGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateChange {
    Connect = 1,
    Writable = 2,
    Eof = 3,
    Destroying = 4,
}

/// Numbers of `UTP_ON_ERROR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorCode {
    ConnRefused = 0,
    ConnReset = 1,
    TimedOut = 2,
}

/// The callbacks, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    OnFirewall = 0,
    OnAccept = 1,
    OnConnect = 2,
    OnError = 3,
    OnRead = 4,
    OnOverheadStatistics = 5,
    OnStateChange = 6,
    GetReadBufferSize = 7,
    OnDelaySample = 8,
    GetUdpMtu = 9,
    GetUdpOverhead = 10,
    GetMicroseconds = 12,
    GetRandom = 13,
    Log = 14,
    SendTo = 15,
}

/// How many there are. Number 11, milliseconds, is taken and not called: microseconds tell more.
pub(crate) const CALLBACKS: usize = 16;

/// Numbers of options.
pub(crate) mod option {
    use std::ffi::c_int;

    pub(crate) const LOG_NORMAL: c_int = 16;
    pub(crate) const LOG_MTU: c_int = 17;
    pub(crate) const LOG_DEBUG: c_int = 18;
    pub(crate) const SNDBUF: c_int = 19;
    pub(crate) const RCVBUF: c_int = 20;
    pub(crate) const TARGET_DELAY: c_int = 21;
}

/// Numbers of `utp_shutdown`.
pub(crate) mod how {
    use std::ffi::c_int;

    pub(crate) const READ: c_int = 0;
    pub(crate) const WRITE: c_int = 1;
}

/// Kinds of packets in `UTP_ON_OVERHEAD_STATISTICS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overhead {
    Connect = 1,
    Close = 2,
    Ack = 3,
    Header = 4,
    Retransmit = 5,
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn structures_lie_as_the_interface_says() {
        assert_eq!(size_of::<CallbackArguments>(), 56);
        assert_eq!(offset_of!(CallbackArguments, socket), 8);
        assert_eq!(offset_of!(CallbackArguments, len), 16);
        assert_eq!(offset_of!(CallbackArguments, flags), 24);
        assert_eq!(offset_of!(CallbackArguments, callback_type), 28);
        assert_eq!(offset_of!(CallbackArguments, buf), 32);
        assert_eq!(offset_of!(CallbackArguments, detail), 40);
        assert_eq!(offset_of!(CallbackArguments, extra), 48);
        assert_eq!(size_of::<IoVec>(), 16);
    }
}
