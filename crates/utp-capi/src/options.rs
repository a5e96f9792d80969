//! The options of contexts and sockets.

use std::ffi::c_int;

use crate::context::Context;
use crate::dispatch::Wants;
use crate::handles::Id;
use crate::types::option::{LOG_DEBUG, LOG_MTU, LOG_NORMAL, RCVBUF, SNDBUF, TARGET_DELAY};

/// What a context is set to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) log: LogOptions,
    /// For sockets that are made from now on.
    pub(crate) socket: SocketOptions,
}

/// What is logged.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogOptions {
    pub(crate) normal: bool,
    pub(crate) mtu: bool,
    pub(crate) debug: bool,
}

/// What a socket is set to, as the program has said it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    sndbuf: c_int,
    rcvbuf: c_int,
    target_delay_us: c_int,
}

impl Default for Options {
    fn default() -> Self {
        let socket = SocketOptions { sndbuf: 1 << 20, rcvbuf: 1 << 20, target_delay_us: 100_000 };
        Self { log: LogOptions::default(), socket }
    }
}

impl Options {
    /// Says whether there is such an option and such a value.
    fn set(&mut self, option: c_int, value: c_int) -> bool {
        let flag = match option {
            LOG_NORMAL => &mut self.log.normal,
            LOG_MTU => &mut self.log.mtu,
            LOG_DEBUG => &mut self.log.debug,
            _ => return self.socket.set(option, value),
        };
        *flag = value != 0;
        true
    }

    fn get(&self, option: c_int) -> Option<c_int> {
        match option {
            LOG_NORMAL => Some(self.log.normal.into()),
            LOG_MTU => Some(self.log.mtu.into()),
            LOG_DEBUG => Some(self.log.debug.into()),
            _ => self.socket.get(option),
        }
    }
}

impl SocketOptions {
    fn set(&mut self, option: c_int, value: c_int) -> bool {
        match option {
            SNDBUF if value >= 1 => self.sndbuf = value,
            RCVBUF if value >= 1 => self.rcvbuf = value,
            TARGET_DELAY => self.target_delay_us = value,
            _ => return false,
        }
        true
    }

    const fn get(&self, option: c_int) -> Option<c_int> {
        match option {
            SNDBUF => Some(self.sndbuf),
            RCVBUF => Some(self.rcvbuf),
            TARGET_DELAY => Some(self.target_delay_us),
            _ => None,
        }
    }

    pub(crate) const fn send_buffer(&self) -> u32 {
        self.sndbuf.unsigned_abs()
    }

    pub(crate) const fn receive_buffer(&self) -> u32 {
        self.rcvbuf.unsigned_abs()
    }

    /// The target in microseconds, which the law moves into what is allowed. None at all means the
    /// usual one.
    pub(crate) const fn target_us(&self) -> u32 {
        if self.target_delay_us > 0 { self.target_delay_us.unsigned_abs() } else { 100_000 }
    }
}

impl Context {
    pub(crate) fn set_option(&self, option: c_int, value: c_int) -> c_int {
        let Some(mut state) = self.lock() else { return FAILURE };
        if !state.options.set(option, value) {
            return FAILURE;
        }
        state.set_log();
        0
    }

    pub(crate) fn option(&self, option: c_int) -> c_int {
        self.lock().and_then(|state| state.options.get(option)).unwrap_or(FAILURE)
    }

    pub(crate) fn set_socket_option(&self, id: Id, option: c_int, value: c_int) -> c_int {
        let Some(now) = self.enter() else { return FAILURE };
        {
            let Some(mut state) = self.lock() else { return FAILURE };
            let Some(socket) = state.sockets.get_mut(id) else { return FAILURE };
            if !socket.options.set(option, value) {
                return FAILURE;
            }
            state.apply_options(id);
        }
        self.drain(now, Wants::SEND);
        0
    }

    pub(crate) fn socket_option(&self, id: Id, option: c_int) -> c_int {
        let Some(state) = self.lock() else { return FAILURE };
        state.sockets.get(id).and_then(|socket| socket.options.get(option)).unwrap_or(FAILURE)
    }
}

const FAILURE: c_int = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_keep_what_they_are_set_to_and_refuse_the_rest() {
        let mut options = Options::default();
        for option in [LOG_NORMAL, LOG_MTU, LOG_DEBUG] {
            assert_eq!(options.get(option), Some(0));
            assert!(options.set(option, 7));
            assert_eq!(options.get(option), Some(1));
        }
        assert!(options.set(SNDBUF, 12_345) && options.set(RCVBUF, 1));
        assert!(!options.set(SNDBUF, 0) && !options.set(RCVBUF, -1) && !options.set(22, 1));
        assert!(options.set(TARGET_DELAY, -5));
        assert_eq!((options.get(SNDBUF), options.get(TARGET_DELAY)), (Some(12_345), Some(-5)));
        assert_eq!((options.socket.target_us(), options.get(0)), (100_000, None));
    }
}
