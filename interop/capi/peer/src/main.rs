//! `capi-peer`: our C interface behind the shim protocol.

use std::process::ExitCode;

use utp_capi_peer::Icmp;

fn main() -> ExitCode {
    utp_capi_peer::main("capi-peer", Icmp::Heard)
}
