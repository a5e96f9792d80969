//! Every key of a scenario file reaches the model, and what contradicts itself is refused.

mod changes;
mod flows;
mod links;
mod sweep;

use utp_sim::packet::HostId;
use utp_sim::scenario::{
    Aggregation, Change, Controller, Engine, FlowEvent, FlowKind, HostConfig, HostEvent, Jitter,
    Lie, LinkConfig, LinkState, Loss, Mtu, Policer, Queue, QuicController, Rate, Reorder, Scenario,
    Stack, Timers, UtpFlow, What, parse,
};
use utp_sim::time::Ns;

const MS: fn(u64) -> Ns = Ns::from_millis;

/// A file with these keys in its link, its flow, and at its end.
fn text(link: &str, flow: &str, rest: &str) -> String {
    format!(
        "summary = \"Keys.\"\nduration = \"60s\"\nengine = \"event\"\n\
         [link.up]\nrate = \"10mbit\"\ndelay = \"25ms\"\n{link}\n\
         [link.down]\ndelay = \"5ms\"\n\
         [[flow]]\nname = \"bulk\"\nkind = \"utp\"\nvia = \"up\"\n{flow}\n{rest}"
    )
}

fn base(text: &str) -> Scenario {
    let mut file = parse("k.toml".as_ref(), text).unwrap_or_else(|error| panic!("{error}"));
    file.variants.remove(0)
}

fn message(text: &str) -> String {
    parse("k.toml".as_ref(), text).expect_err("refused").to_string()
}

fn link(keys: &str) -> LinkConfig {
    base(&text(keys, "", "")).links[0].config.clone()
}

fn utp(keys: &str) -> UtpFlow {
    match &base(&text("", keys, "")).flows[0].kind {
        FlowKind::Utp(utp) => utp.clone(),
        other => panic!("{other:?}"),
    }
}

/// The kind of a flow that is not utp.
fn kind(keys: &str) -> FlowKind {
    let flow = format!("[[flow]]\nname = \"other\"\nvia = \"up\"\n{keys}\n");
    base(&text("", "", &flow)).flows[1].kind.clone()
}

fn changes(rest: &str) -> Vec<Change> {
    base(&text("", "", rest)).changes
}
