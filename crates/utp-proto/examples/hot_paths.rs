//! What the hot paths cost, for a tool that counts instructions.
//!
//! `cargo xtask instructions` runs it under callgrind and compares with what is committed. By hand:
//!
//! ```sh
//! cargo build --release -p utp-proto --example hot_paths
//! valgrind --tool=callgrind --toggle-collect='*measured_work*' \
//!     target/release/examples/hot_paths in-order
//! ```
//!
//! It transfers 10 MB between two endpoints in virtual time and prints how many packets the chosen
//! path had to do with. Only what `measured_work` calls is of interest.

use std::hint::black_box;
use std::process::ExitCode;

#[path = "../benches/transfer/mod.rs"]
mod transfer;

use transfer::{Meter, Path, Transfer};

fn main() -> ExitCode {
    let path = match std::env::args().nth(1).as_deref() {
        Some("decode") => Path::Decode,
        Some("in-order") => Path::InOrder,
        Some("reordered") => Path::Reordered,
        Some("acks") => Path::Acks,
        Some("transmit-1") => Path::Transmit(1),
        Some("transmit-10") => Path::Transmit(10),
        Some("transmit-45") => Path::Transmit(45),
        Some("transfer") => Path::Transfer,
        _ => {
            eprintln!(
                "usage: hot_paths decode|in-order|reordered|acks|transmit-1|transmit-10|\
                 transmit-45|transfer"
            );
            return ExitCode::from(2);
        }
    };
    let mut transfer = Transfer::new(path, Marked);
    if path == Path::Transfer {
        measured_work(|| transfer.run());
    } else {
        transfer.run();
    }
    println!("{}", transfer.packets);
    ExitCode::SUCCESS
}

/// What is counted.
#[inline(never)]
fn measured_work<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// Has the work done where the tool can tell it from the rest.
struct Marked;

impl Meter for Marked {
    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        measured_work(work)
    }
}
