//! `libutp-peer`: the reference implementation behind the shim protocol.

use std::process::ExitCode;

fn main() -> ExitCode {
    utp_libutp_peer::main("libutp-peer")
}
