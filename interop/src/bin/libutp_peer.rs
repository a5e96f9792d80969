//! `libutp-peer`: the reference implementation behind the shim protocol.

use std::process::ExitCode;

use utp_libutp_peer::Icmp;

fn main() -> ExitCode {
    utp_libutp_peer::main("libutp-peer", Icmp::Ignored)
}
