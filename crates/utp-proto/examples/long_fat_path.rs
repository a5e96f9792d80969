//! One stream over a long fat path that loses a little, in virtual time: 345 ms, 100 Mbit/s, one
//! packet of 10 000.
//!
//! ```sh
//! cargo run --release -p utp-proto --example long_fat_path
//! ```
//!
//! The window is fixed, at 4 096 full packets, so that the recovery of losses is what is measured
//! and not a controller. The program prints which share of the link reached the reader, and fails
//! when that is below 80 %.

#[path = "../tests/pair/mod.rs"]
mod pair;

use std::process::ExitCode;
use std::sync::Arc;

use pair::{Draws, Fate, Link, Pair};
use utp_ledbat::FixedWindowFactory;
use utp_proto::Config;

const SECOND: u64 = 1_000_000;
const BITS_PER_SECOND: u64 = 100_000_000;
const RTT_US: u64 = 345_000;
const WINDOW_PACKETS: u64 = 4_096;
const SECONDS: u64 = 60;
const SHARE_PERCENT_MIN: u64 = 80;

fn main() -> ExitCode {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse());
    let Ok(seed) = seed else {
        eprintln!("usage: long_fat_path [SEED]");
        return ExitCode::from(2);
    };
    let mut config = Config::default();
    // The largest packets of libutp, from the start: the size is not the subject either.
    config.datagram_bytes_base_v4 = 1_402;
    config.datagram_bytes_max_v4 = 1_402;
    let packet_bytes = u64::from(config.datagram_bytes_max_v4) - 20;
    config.controller = Arc::new(FixedWindowFactory(WINDOW_PACKETS * packet_bytes));
    config.receive_buffer_bytes = 16 << 20;
    config.send_buffer_bytes = 32 << 20;
    let mut pair = Pair::with_config(seed, config);
    pair.record = false;
    pair.latency_us = RTT_US / 2;
    // A queue of one round trip, as is usual for such paths.
    let queue_bytes = BITS_PER_SECOND / 8 * RTT_US / SECOND;
    pair.links = [Some(Link::new(BITS_PER_SECOND, queue_bytes)); 2];
    let mut draws = Draws(seed);
    pair.script = Some(Box::new(move |_| match draws.next() % 10_000 {
        0 => Fate::Drop,
        _ => Fate::Deliver,
    }));

    let handle = pair.connect(u64::MAX, false);
    let mut before = 0;
    for second in 1..=SECONDS {
        pair.run_for(SECOND);
        let read = pair.only(1).read;
        if second % 10 == 0 {
            println!("{second:>3} s  {:>5.1} % of the link", share(read - before, 10));
            before = read;
        }
    }
    let read = pair.only(1).read;
    let stats = pair.endpoints[0].connection(handle).expect("it is open").stats();
    println!(
        "retransmissions {}, time-outs {}, dropped by the queue {}",
        stats.retransmissions,
        stats.timeouts,
        pair.links[0].map_or(0, |link| link.dropped),
    );
    println!("goodput {:.1} % of the link over {SECONDS} s", share(read, SECONDS));
    let enough = read * 8 * 100 >= BITS_PER_SECOND * SECONDS * SHARE_PERCENT_MIN;
    ExitCode::from(u8::from(!enough))
}

/// Per cent of what the link carries in `seconds`.
fn share(bytes: u64, seconds: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    let share = (bytes * 8) as f64 * 100.0 / (BITS_PER_SECOND * seconds) as f64;
    share
}
