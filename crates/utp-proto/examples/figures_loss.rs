//! What loss, reordering, delay spikes and blackouts cost a transfer between two endpoints in
//! virtual time: `cargo run --release -p utp-proto --example figures_loss`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a table for people")]

#[path = "../tests/pair/faults.rs"]
mod faults;
#[path = "../tests/pair/mod.rs"]
mod pair;

use faults::{Outcome, Path, SECOND, run};

fn show(name: &str, path: Path) -> Outcome {
    let outcome = run(path);
    let stats = outcome.stats;
    println!(
        "{name:<44} {:>9.3} s  resent {:>5} = fast {:>5} probe {:>3} time-out {:>3}  needless {:>4}  \
         time-outs {:>3}  undone {:>3}  {}",
        outcome.took_us as f64 / 1e6,
        stats.retransmissions,
        stats.retransmissions_overtaken,
        stats.retransmissions_probe,
        stats.retransmissions_timeout,
        stats.retransmissions_spurious,
        stats.timeouts,
        stats.cuts_undone,
        if outcome.complete { "complete".to_owned() } else { format!("{:?}", outcome.closed) },
    );
    outcome
}

fn main() {
    println!("10 MiB, 20 ms round trip, loss each way (F-01)");
    for per_mille in [0, 1, 10, 50, 100, 200, 300] {
        show(&format!("loss {} %", per_mille as f64 / 10.0), Path::new(10 << 20).loss(per_mille));
    }
    println!("\n1 MB, 100 ms round trip: any one packet of the first 200 is lost (F-02)");
    let clean = show("clean", Path::new(1_000_000).latency(50_000));
    let worst = (1..=200)
        .map(|lost| (run(Path::new(1_000_000).latency(50_000).drop_packet(lost)).took_us, lost))
        .max()
        .unwrap();
    show(
        &format!("the worst: packet {}", worst.1),
        Path::new(1_000_000).latency(50_000).drop_packet(worst.1),
    );
    println!("  {:.2} round trips longer than clean", (worst.0 - clean.took_us) as f64 / 1e5);
    println!("\nbursts of losses, 2 % of the time, 10 Mbit/s, 100 ms (F-02)");
    for mean in [1, 3, 10, 50] {
        let path = Path::new(3_000_000).latency(50_000).rate(1_250_000).bursts(20, mean);
        show(&format!("{mean} packets on average"), path);
    }
    println!(
        "\nreordering: every so many packets are 3 places late (F-04), 5 MB, 20 Mbit/s, 40 ms"
    );
    let clean = show("in order", Path::new(5_000_000).latency(20_000).rate(2_500_000));
    for per_mille in [10, 100, 500] {
        let path = Path::new(5_000_000).latency(20_000).rate(2_500_000).reorder(per_mille, 3);
        let outcome = show(&format!("{} % by 3", per_mille / 10), path);
        let percent = clean.took_us as f64 * 100.0 / outcome.took_us as f64;
        println!("  {percent:.1} % of the goodput in order");
    }
    println!("\ndelay spikes at 3 s (F-07), 5 MB, 100 ms");
    for spike_us in [100_000, SECOND, 3 * SECOND, 10 * SECOND] {
        let path = Path::new(5_000_000).latency(50_000).spike(3 * SECOND, spike_us);
        show(&format!("+{} ms", spike_us / 1_000), path);
    }
    println!("\nblackouts of both ways at 3 s (F-08), 5 MB, 100 ms");
    for seconds in [1, 5, 30, 60, 300] {
        let path = Path::new(5_000_000).latency(50_000).blackout(3 * SECOND, seconds * SECOND);
        show(&format!("{seconds} s"), path);
    }
}
