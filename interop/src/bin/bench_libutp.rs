//! `bench-libutp`: a side of a benchmark on libutp.
//!
//! By default it is well tuned: sockets with 4 MiB of buffer, and SYN numbers with which its fast
//! retransmit works. `os-buffers` and `syn-above` take that away.

use utp_interop::bench::Libutp;

fn main() {
    utp_bench_side::main::<Libutp>(Libutp::OPTIONS);
}
