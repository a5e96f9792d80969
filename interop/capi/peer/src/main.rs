//! `capi-peer`: our C interface behind the shim protocol.

use std::process::ExitCode;

fn main() -> ExitCode {
    utp_capi_peer::main("capi-peer")
}
