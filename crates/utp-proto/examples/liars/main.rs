//! What receivers that lie get of a link of 10 Mbit/s and what queue they make, in virtual time.
//!
//! ```sh
//! cargo run --release -p utp-proto --example liars
//! ```
//!
//! One host sends to two others through one queue; the second of them may lie. The acks come back
//! after the 25 ms of an empty path. Early acks are those of a liar that guesses perfectly: they
//! name what was sent, whether it arrives or not. One line for each style, with what it is sent
//! from its first packet on; the program fails when that is more than twice what an honest receiver
//! is sent, or when a queue of more than twice the target lasts for longer than a twentieth of the
//! time.

mod network;

use std::process::ExitCode;

use network::{Acks, EMPTY_PATH, JITTER_US, Outcome, Report, SECOND, Setting, run};

/// How a style is called, and what it does.
type Style = (&'static str, Acks, Report);

/// Receivers that acknowledge what they have not got.
const OPTIMISTS: [Style; 10] = [
    ("honest", Acks::Honest, Report::Honest),
    ("each ack tenfold", Acks::Tenfold, Report::Honest),
    ("acks all in flight on arrival", Acks::AllInFlight, EMPTY_PATH),
    ("acks 1 ms after sending", Acks::After(1_000), EMPTY_PATH),
    ("acks 25 ms after sending", Acks::After(25_000), EMPTY_PATH),
    ("acks 30 ms after sending", Acks::After(30_000), EMPTY_PATH),
    ("acks one empty round trip after", Acks::After(50_000), EMPTY_PATH),
    ("hides losses and delay", Acks::HidingLosses, EMPTY_PATH),
    ("honest for 10 s, then after 1 ms", Acks::Late(1_000), EMPTY_PATH),
    ("honest for 10 s, then after 50 ms", Acks::Late(50_000), EMPTY_PATH),
];

/// Receivers that report another delay than they measure.
const MISREPORTERS: [Style; 7] = [
    ("honest", Acks::Honest, Report::Honest),
    ("constant", Acks::Honest, Report::Constant(25_000, 0)),
    ("constant, jitter", Acks::Honest, Report::Constant(25_000, JITTER_US)),
    ("zero", Acks::Honest, Report::Constant(0, 0)),
    ("zero, jitter", Acks::Honest, Report::Constant(0, JITTER_US)),
    ("half of the change", Acks::Honest, Report::Scaled(50)),
    ("a tenth of the change", Acks::Honest, Report::Scaled(10)),
];

const QUEUES_US: [u64; 2] = [250_000, 1_000_000];

fn main() -> ExitCode {
    let mut missed = 0;
    for queue_us in QUEUES_US {
        println!("shared with an honest stream, queue of {} ms", queue_us / 1_000);
        let setting = |acks, report| Setting {
            acks,
            report,
            shared: true,
            queue_us,
            warm_up_us: 0,
            measured_us: 30 * SECOND,
        };
        let honest = run(setting(Acks::Honest, Report::Honest)).sent[1];
        for (name, acks, report) in OPTIMISTS {
            let outcome = run(setting(acks, report));
            let times = hundredths(outcome.sent[1], honest);
            let good = times <= 2.0;
            missed += u32::from(!good);
            print_line(name, &outcome, &format!(", {times:>7.2} x honest"), good);
        }
    }
    for (queue_us, shared) in QUEUES_US.into_iter().flat_map(|us| [(us, false), (us, true)]) {
        let company = if shared { "shared with an honest stream" } else { "alone" };
        println!("{company}, queue of {} ms", queue_us / 1_000);
        for (name, acks, report) in MISREPORTERS {
            let (warm_up_us, measured_us) = (10 * SECOND, 50 * SECOND);
            let outcome = run(Setting { acks, report, shared, queue_us, warm_up_us, measured_us });
            let good = outcome.queue_p95_us <= 200_000;
            missed += u32::from(!good);
            print_line(name, &outcome, "", good);
        }
    }
    println!("{missed} missed");
    ExitCode::from(u8::from(missed > 0))
}

fn print_line(name: &str, outcome: &Outcome, times: &str, good: bool) {
    let mbit = |bits| hundredths(bits, 1_000_000);
    let found_out = match outcome.found_out_after {
        Some(packets) => format!("found out after {packets} packets"),
        None => "taken for honest".into(),
    };
    println!(
        "  {name:<33} sent {:>7.2} Mbit/s, carried {:>5.2}, left {:>5.2}{times}; \
         queue p50 {:>3} ms, p95 {:>3} ms; {found_out}: {}",
        mbit(outcome.sent[1]),
        mbit(outcome.carried[1]),
        mbit(outcome.carried[0]),
        outcome.queue_p50_us / 1_000,
        outcome.queue_p95_us / 1_000,
        if good { "ok" } else { "MISSED" },
    );
}

fn hundredths(bits: u64, of: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    let hundredths = (bits * 100 / of.max(1)) as f64;
    hundredths / 100.0
}
