//! How a case calls the shim.

use std::fmt;

use crate::harness::Ability;

/// Arguments of a shim, but for the address, which the runner knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) mode: Mode,
    pub(crate) role: String,
    /// Further options, each a word.
    pub(crate) options: Vec<String>,
    /// Listen on every address of the machine and not only on the loopback one.
    pub(crate) everywhere: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Connect,
    Listen,
}

impl Call {
    /// The implementation accepts connections, and plays `role` on each.
    pub(crate) fn listen(role: impl Into<String>) -> Self {
        Self { mode: Mode::Listen, role: role.into(), options: vec![], everywhere: false }
    }

    /// The implementation connects to the runner, and plays `role`.
    pub(crate) fn connect(role: impl Into<String>) -> Self {
        Self { mode: Mode::Connect, ..Self::listen(role) }
    }

    /// Limits the receive buffer of a stream.
    pub(crate) fn rcvbuf(self, bytes: u64) -> Self {
        self.option("rcvbuf", bytes)
    }

    /// Limits the send buffer of a stream.
    pub(crate) fn sndbuf(self, bytes: u64) -> Self {
        self.option("sndbuf", bytes)
    }

    /// Opens this many connections, `parallel` at a time.
    pub(crate) fn count(self, count: u32, parallel: u32) -> Self {
        self.option("count", count).option("parallel", parallel)
    }

    /// Listens on every address and not only on the loopback one.
    pub(crate) const fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }

    /// Adds an option that takes a value.
    pub(crate) fn option(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.options.extend([format!("--{name}"), value.to_string()]);
        self
    }

    /// Adds an option that takes none.
    pub(crate) fn flag(mut self, name: &str) -> Self {
        self.options.push(format!("--{name}"));
        self
    }

    /// What the implementation has to be able to do.
    pub(crate) fn needs(&self) -> Vec<Ability> {
        let mode = match self.mode {
            Mode::Connect => Ability::Connect,
            Mode::Listen => Ability::Listen,
        };
        let role = self.role.split(':').next().and_then(Ability::of_role);
        let options = self.options.iter().filter_map(|option| Ability::of_option(option));
        [mode].into_iter().chain(role).chain(options).collect()
    }
}
