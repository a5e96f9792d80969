//! Managed queues with flows that react to drops.

use super::*;

fn managed(queue: Queue) -> LinkConfig {
    LinkConfig { queue, ..link(10_000_000, Ns::from_millis(25), 0) }
}

const CODEL: Queue = Queue::Codel {
    target: Ns::from_millis(5),
    interval: Ns::from_millis(100),
    bytes_max: Some(600_000),
};

const FQ_CODEL: Queue = Queue::FqCodel {
    target: Ns::from_millis(5),
    interval: Ns::from_millis(100),
    quantum: 1_514,
    flows: 1_024,
    packets_max: 400,
};

const PIE: Queue = Queue::Pie {
    target: Ns::from_millis(15),
    update: Ns::from_millis(15),
    burst: Ns::from_millis(150),
    bytes_max: Some(600_000),
};

/// Utilisation in per cent and mean waiting time in microseconds, from 20 s on.
fn steady(record: &Record) -> (u64, u64) {
    let busy = &record.links[0].busy_ns[200..];
    let utilisation = busy.iter().sum::<u64>() * 100 / (busy.len() as u64 * BUCKET.0);
    let waits = &record.links[0].queue_delay_us[2_000..];
    (utilisation, waits.iter().copied().map(u64::from).sum::<u64>() / waits.len() as u64)
}

#[test]
fn managed_queues_keep_the_delay_of_reno_near_their_targets() {
    // Without management it would be 480 ms.
    for (queue, utilisation_min, mean_us) in
        [(CODEL, 80, 1_000..8_000), (FQ_CODEL, 80, 1_000..8_000), (PIE, 90, 8_000..20_000)]
    {
        let tcp = flow("tcp", FlowKind::Reno { bytes: None });
        let record = run_alone(&scenario(managed(queue), vec![tcp]));
        let (utilisation, mean) = steady(&record);
        assert!(utilisation >= utilisation_min, "{queue:?}: {utilisation} %");
        assert!(mean_us.contains(&mean), "{queue:?}: {mean} us");
        let link = &record.links[0];
        assert!(link.drops["aqm"] > 10, "{:?}", link.drops);
        assert_eq!(link.drops.values().sum::<u64>(), link.dropped_packets);
    }
}

#[test]
fn a_call_beside_reno_waits_for_a_packet_in_fq_codel() {
    let call = FlowKind::Cbr { rate_bps: 64_000, interval: Ns::from_millis(20) };
    let flows = vec![flow("voice", call), flow("tcp", FlowKind::Reno { bytes: None })];
    let record = run_alone(&scenario(managed(FQ_CODEL), flows));
    let voice = &record.flows[0].one_way_delay_us;
    assert_eq!(voice.len(), 5_999, "none is lost");
    // 25.15 ms alone, and the rest of at most two packets of 1.2 ms: the one being sent, and one
    // of a turn that has begun.
    assert!(voice.iter().all(|&(_, us)| us <= 25_150 + 2_400), "{:?}", voice.iter().max());
}

#[test]
fn fq_codel_gives_flows_of_any_window_their_share() {
    let endless = FlowKind::Reno { bytes: None };
    let flood = FlowKind::Cbr { rate_bps: 20_000_000, interval: Ns::from_micros(500) };
    let flows = vec![flow("a", endless.clone()), flow("b", endless), flow("flood", flood)];
    let mut scenario = scenario(managed(FQ_CODEL), flows);
    scenario.duration = Ns::from_secs(60);
    let record = run_alone(&scenario);
    let all: u64 = record.flows.iter().flat_map(|flow| &flow.delivered_bytes[200..]).sum();
    for flow in &record.flows {
        let percent = flow.delivered_bytes[200..].iter().sum::<u64>() * 100 / all;
        assert!((25..=42).contains(&percent), "{}: {percent} %", flow.name);
    }
}
