//! A congestion controller of one's own, tried against the built-in ones.
//!
//! ```sh
//! cargo run --release -p utp-sim --example own_controller
//! ```

use std::path::Path;
use std::sync::Arc;
use utp_ledbat::{Ack, Controller, ControllerFactory, Loss, Metrics};
use utp_sim::report::{Paint, Report, table, write_all};
use utp_sim::scenario::{Controller as Choice, FlowKind, UtpFlow, parse};
use utp_wire::Instant;

/// Grows by a byte for every byte that arrives, and falls to three quarters with every loss.
#[derive(Debug)]
struct Eager(u64);

impl Controller for Eager {
    fn on_ack(&mut self, ack: &Ack) {
        self.0 = (self.0 + ack.bytes_acked).min(4 << 20);
    }
    fn on_loss(&mut self, _: &Loss) {
        self.0 = (self.0 * 3 / 4).max(3_000);
    }
    fn on_timeout(&mut self, _: Instant, _: u64) {
        self.0 = 3_000;
    }
    fn on_mtu_update(&mut self, _: u16) {}
    fn window_bytes(&self) -> u64 {
        self.0
    }
    fn metrics(&self) -> Metrics {
        Metrics { window_bytes: self.0, ..Metrics::default() }
    }
}

#[derive(Debug)]
struct EagerFactory;

impl ControllerFactory for EagerFactory {
    fn name(&self) -> &str {
        "eager"
    }
    fn build(&self, _: Instant, _: u16) -> Box<dyn Controller> {
        Box::new(Eager(3_000))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut file = parse("own-controller.toml".as_ref(), SCENARIO)?;
    let base = file.variants.remove(0);
    let own = Choice::new(Arc::new(EagerFactory));
    let named = ["utp", "rfc6817", "ledbat++"].into_iter().filter_map(Choice::named);
    for controller in [own].into_iter().chain(named) {
        let mut scenario = base.clone();
        scenario.variant = controller.name().to_owned();
        scenario.flows[0].kind = FlowKind::Utp(UtpFlow::new(controller));
        file.variants.push(scenario);
    }
    let run = |scenario| utp_sim::run::run(scenario, &|_| {});
    let records = file.variants.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    let report = Report::new(&file, &records);
    print!("{}", table(report, Paint::Plain));
    let folder = Path::new("target/own-controller");
    write_all(folder, &report.files()?)?;
    println!("open {}", folder.join("report.html").display());
    Ok(())
}

const SCENARIO: &str = r#"
summary  = "A controller of one's own and three others on 10 Mbit/s, next to a voice call."
duration = "60s"
engine   = "event"
[link.uplink]
rate  = "10mbit"
delay = "25ms"
queue = { kind = "droptail", bytes_max = "250kB" }
[[flow]]
name = "bulk"
kind = "utp"
via  = "uplink"
[[flow]]
name = "voice"
kind = "cbr"
via  = "uplink"
rate = "64kbit"
"#;
