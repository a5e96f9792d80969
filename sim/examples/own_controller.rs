//! A congestion controller of one's own, tried against the built-in ones.
//!
//! ```sh
//! cargo run --release -p utp-sim --example own_controller
//! ```

use utp_ledbat::{Ack, Controller, Loss};
use utp_sim::report::{Paint, Report, table};
use utp_sim::run::run_file;
use utp_sim::scenario::{Controller as Choice, parse};
use utp_wire::Instant;

/// Grows by three packets a round trip, and falls to three quarters with a loss.
#[derive(Debug)]
struct Eager(u64);

impl Controller for Eager {
    fn on_ack(&mut self, ack: &Ack) {
        self.0 = (self.0 + 3 * 1_400 * ack.bytes_acked / self.0).min(4 << 20);
    }
    fn on_loss(&mut self, _: &Loss) {
        self.0 = (self.0 * 3 / 4).max(3_000);
    }
    fn on_timeout(&mut self, _: Instant, _: u64) {
        self.0 = 3_000;
    }
    fn window_bytes(&self) -> u64 {
        self.0
    }
}

/// A bulk transfer next to a voice call.
const SCENARIO: &str = r#"
summary = "A controller of one's own and three others on 10 Mbit/s, next to a voice call."
duration = "30s"
engine = "event"
link.uplink = { rate = "10mbit", delay = "25ms", queue = { kind = "droptail", bytes_max = "250kB" } }
flow = [{ name = "bulk", kind = "utp", via = "uplink" },
        { name = "voice", kind = "cbr", via = "uplink", rate = "64kbit" }]
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let own = Choice::from_fn("eager", |_, _| Eager(3_000));
    let others = ["utp", "rfc6817", "ledbat++"].into_iter().filter_map(Choice::named);
    let file = parse("own-controller.toml".as_ref(), SCENARIO)?;
    let file = file.with_controllers([own].into_iter().chain(others));
    let records = run_file(&file)?;
    let report = Report::new(&file, &records);
    print!("{}", table(report, Paint::Plain));
    println!("open {}", report.write(FOLDER)?.display());
    Ok(())
}

/// Where the plots go.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/own-controller");

#[test]
fn it_compares_four_controllers() {
    main().expect("it runs");
    let page = std::fs::read_to_string(format!("{FOLDER}/report.html")).expect("it was written");
    for name in ["eager", "utp", "rfc6817", "ledbat++"] {
        assert!(page.contains(name), "{name}");
    }
}
