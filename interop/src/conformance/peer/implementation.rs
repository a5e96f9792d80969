//! The implementation under test: it is started, told what to do, and ended.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::shim::Shim;
use super::socket::PeerSocket;
use super::{Call, Mode, Peer, QUIT_PATIENCE};
use crate::conformance::stop::{CaseResult, Stop};
use crate::conformance::trace::{COMMAND, Trace};
use crate::harness::{Ability, Family};
use crate::shim::Event;

impl Peer {
    /// Starts the implementation. One that listens is ready when this returns; one that connects
    /// has been started, and connects to the first socket.
    #[track_caller]
    pub(crate) fn start(&mut self, call: &Call) -> CaseResult {
        let remote = self.sockets[0].as_ref().map(PeerSocket::address);
        self.start_towards(call, remote.unwrap_or_else(|| self.family.loopback()))
    }

    /// Starts the implementation; one that connects connects to `to`.
    #[track_caller]
    pub(crate) fn start_towards(&mut self, call: &Call, to: SocketAddr) -> CaseResult {
        for ability in call.needs() {
            self.need(ability)?;
        }
        let mut words = match call.mode {
            Mode::Connect => vec!["connect".to_owned(), to.to_string()],
            Mode::Listen => {
                let mut address = self.family.loopback();
                if call.everywhere {
                    address = match self.family {
                        Family::V4 => (Ipv4Addr::UNSPECIFIED, 0).into(),
                        Family::V6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
                    };
                }
                vec!["listen".to_owned(), address.to_string()]
            }
        };
        words.extend(["--role".to_owned(), call.role.clone(), "--quit-on-eof".to_owned()]);
        words.extend(call.options.iter().cloned());
        self.note(COMMAND, format_args!("shim {}", words.join(" ")));
        let number = self.shims.len();
        let program = &self.target.program;
        let shim = Shim::start(program, &words, number, self.sender.clone())
            .map_err(|error| Stop::internal(program.display(), error))?;
        self.shims.push(shim);
        self.mark = Instant::now();
        if call.mode == Mode::Listen {
            let port = self.await_listening()?;
            let mut address = self.family.loopback();
            address.set_port(port);
            self.remote = Some(address);
        }
        Ok(())
    }

    #[track_caller]
    fn await_listening(&mut self) -> CaseResult<u16> {
        let until = Instant::now() + START_PATIENCE;
        loop {
            while let Some((_, event)) = self.events.pop_front() {
                if let Event::Listening { port } = event {
                    return Ok(port);
                }
            }
            if !self.pump(until)? {
                return Err(self.fail("the shim does not listen after 10 s"));
            }
            if let Some(status) = self.shims.last_mut().and_then(|shim| shim.wait(Duration::ZERO)) {
                self.take_status(status)?;
                return Err(self.fail("the shim left before it listened"));
            }
        }
    }

    /// Sends a command to the shim that was started last.
    pub(crate) fn command(&mut self, command: &str) -> CaseResult {
        if let Some(ability) = command.split_whitespace().next().and_then(Ability::of_command) {
            self.need(ability)?;
        }
        self.note(COMMAND, command);
        let shim = self.shims.last_mut();
        let shim = shim.ok_or_else(|| Stop::Internal("a command without a shim".into()))?;
        shim.command(command);
        self.mark = Instant::now();
        Ok(())
    }

    /// Ends the shim that was started last, as a crash of its machine would.
    pub(crate) fn kill_shim(&mut self) {
        self.note(COMMAND, "(the process is killed)");
        if let Some(shim) = self.shims.last_mut() {
            shim.kill();
        }
        self.mark = Instant::now();
    }

    /// Whether the shim that was started last will say nothing more.
    pub(crate) fn shim_has_left(&mut self) -> bool {
        self.shims.last_mut().is_some_and(|shim| shim.wait(Duration::ZERO).is_some())
    }

    /// Ends the run. Returns how the implementation crashed, if it did, whether the shims left when
    /// they were told to, and the trace.
    pub(crate) fn finish(mut self) -> (Option<String>, bool, Trace) {
        let left = self.shims.iter_mut().all(|shim| shim.leave(QUIT_PATIENCE));
        let crash = self.shims.iter().find_map(Shim::crash);
        (crash, left, self.trace)
    }
}

/// How long a shim may take to start on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(10);
