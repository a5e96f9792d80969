//! The functions that a program has given, and how they are called.
#![expect(unsafe_code, reason = "they are functions of C")]

use std::ffi::{CStr, c_int};
use std::net::SocketAddr;
use std::ptr;

use crate::address::RawAddress;
use crate::context::Context;
use crate::handles::Id;
use crate::types::{
    CALLBACKS, Callback, CallbackArguments, Detail, ErrorCode, Extra, Name, Overhead, StateChange,
};

/// The callbacks of a context.
#[derive(Debug, Default)]
pub(crate) struct Callbacks([Option<Callback>; CALLBACKS]);

impl Callbacks {
    /// Sets or clears a callback. A number that is none does nothing.
    pub(crate) fn set(&mut self, number: c_int, callback: Option<Callback>) {
        if let Some(slot) = usize::try_from(number).ok().and_then(|place| self.0.get_mut(place)) {
            *slot = callback;
        }
    }

    pub(crate) const fn get(&self, name: Name) -> Option<Callback> {
        self.0[name as usize]
    }

    pub(crate) const fn has(&self, name: Name) -> bool {
        self.get(name).is_some()
    }
}

/// A callback that is about to be called. No lock is held by then: it may call anything.
pub(crate) struct Call {
    callback: Callback,
    arguments: CallbackArguments,
}

impl Call {
    pub(crate) fn new(context: &Context, name: Name, callback: Callback) -> Self {
        let arguments = CallbackArguments {
            context: context.id().context_handle(),
            socket: ptr::null_mut(),
            len: 0,
            flags: 0,
            callback_type: name as c_int,
            buf: ptr::null(),
            detail: Detail { address: ptr::null() },
            extra: Extra { address_len: 0 },
        };
        Self { callback, arguments }
    }

    pub(crate) fn of(mut self, socket: Id) -> Self {
        self.arguments.socket = socket.socket_handle();
        self
    }

    pub(crate) fn with_state(mut self, state: StateChange) -> Self {
        self.arguments.detail = Detail { number: state as c_int };
        self
    }

    pub(crate) fn with_error(mut self, error: ErrorCode) -> Self {
        self.arguments.detail = Detail { number: error as c_int };
        self
    }

    pub(crate) fn with_sample(mut self, sample_ms: u32) -> Self {
        self.arguments.detail = Detail { number: c_int::try_from(sample_ms).unwrap_or(c_int::MAX) };
        self
    }

    pub(crate) fn with_packet(mut self, sent: bool, len: usize, kind: Overhead) -> Self {
        self.arguments.detail = Detail { number: sent.into() };
        self.arguments.extra = Extra { kind: kind as c_int };
        self.arguments.len = len;
        self
    }

    /// Calls it without more.
    pub(crate) fn run(mut self) -> u64 {
        // SAFETY: a callback takes arguments that are valid until it returns, and these are. It was
        // given as a function of this type.
        unsafe { (self.callback)(&raw mut self.arguments) }
    }

    /// Calls it about an address.
    pub(crate) fn run_with_address(mut self, address: SocketAddr) -> u64 {
        let address = RawAddress::new(address);
        self.arguments.detail = Detail { address: address.as_ptr() };
        self.arguments.extra = Extra { address_len: address.len() };
        self.run()
    }

    /// Calls it about bytes.
    pub(crate) fn run_with_bytes(mut self, bytes: &[u8]) -> u64 {
        self.arguments.buf = bytes.as_ptr();
        self.arguments.len = bytes.len();
        self.run()
    }

    /// Calls it about a text.
    pub(crate) fn run_with_text(mut self, text: &CStr) -> u64 {
        self.arguments.buf = text.as_ptr().cast();
        self.arguments.len = text.count_bytes();
        self.run()
    }

    /// Calls it about bytes for an address.
    pub(crate) fn run_with_datagram(mut self, bytes: &[u8], to: &RawAddress, flags: u32) -> u64 {
        self.arguments.detail = Detail { address: to.as_ptr() };
        self.arguments.extra = Extra { address_len: to.len() };
        self.arguments.flags = flags;
        self.run_with_bytes(bytes)
    }
}

impl Context {
    /// A callback of this name, if there is one and the context has not ended.
    pub(crate) fn callback(&self, name: Name) -> Option<Call> {
        let callback = self.lock()?.callbacks.get(name)?;
        Some(Call::new(self, name, callback))
    }

    /// The same about a socket, if that exists: whatever was called before may have ended it.
    pub(crate) fn callback_of(&self, name: Name, socket: Id) -> Option<Call> {
        let state = self.lock()?;
        state.sockets.get(socket).filter(|socket| !socket.flags.told_last)?;
        Some(Call::new(self, name, state.callbacks.get(name)?).of(socket))
    }
}
