//! A transfer over time, at both ends, as the relay between them sees it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use utp_sim::record::QUEUE_SAMPLE_INTERVAL;
use utp_sim::time::Ns;
use utp_wire::{Packet, PacketType, TimestampDiff};

use super::Direction;
use crate::relay::{Moment, Passed, RelayRecord};

/// What was seen of a transfer at the relay.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The transfer in steps of [`STEP`], the first from the first datagram on.
    pub steps: Vec<Step>,
    /// How long what the sender sends waits at the relay, while it sends.
    pub queue_delay: Option<Percentiles>,
    /// How long it is under way above the least, as the receiver measures and tells.
    pub told_delay: Option<Percentiles>,
    /// Datagrams in a million that the relay sent on more than a millisecond late.
    pub late_ppm: u64,
}

/// A step in time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Step {
    /// Payload that the sender sent, that of packets sent again included.
    pub sent_bytes: u64,
    /// Payload that went on to the receiver.
    pub arrived_bytes: u64,
    /// The longest that something waited at the relay on the way to the receiver.
    pub queue_ms: f64,
    /// The delay of what the sender sends, above the least, as the receiver tells: the mean.
    pub data_delay_ms: Option<f64>,
    /// The delay of what the receiver sends, as the sender tells.
    pub ack_delay_ms: Option<f64>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
}

impl Percentiles {
    /// Those of some values; none of none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| values.get((values.len() * percent).div_ceil(100).max(1) - 1);
        Some(Self { p50: *at(50)?, p95: *at(95)? })
    }
}

/// Collects what passes a relay.
#[derive(Debug, Clone, Default)]
pub(super) struct Collector(Arc<Mutex<Collected>>);

/// Both ways: what the client sends first, then what the server does.
#[derive(Debug, Default)]
struct Collected {
    sent: [Vec<u64>; 2],
    arrived: [Vec<u64>; 2],
    delays: [Delays; 2],
    /// When payload went on last.
    last: [Duration; 2],
}

/// What one side told of the delay of the other side's packets.
#[derive(Debug, Default)]
struct Delays {
    origin: Option<TimestampDiff>,
    /// Step and distance from the first measurement.
    samples: Vec<(usize, i32)>,
}

impl Collector {
    /// Takes what passes.
    pub(super) fn take(&self, passed: &Passed<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(passed);
    }

    /// What was seen of a transfer in this direction.
    pub(super) fn finish(&self, direction: Direction, relay: &RelayRecord) -> Observed {
        let collected = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        collected.observed(direction, relay)
    }
}

impl Collected {
    fn take(&mut self, passed: &Passed<'_>) {
        let Ok(packet) = Packet::decode(passed.payload) else { return };
        let way = usize::from(!passed.to_server);
        let step = step_of(passed.at);
        let payload = match packet.header.packet_type {
            PacketType::Data => passed.payload.len() - packet.payload_offset,
            _ => 0,
        };
        match passed.moment {
            Moment::Entered => {
                add(&mut self.sent[way], step, payload);
                // What a side tells is about what the other one sends.
                let told = packet.header.timestamp_difference_microseconds;
                if packet.header.packet_type != PacketType::Reset && told.is_sample() {
                    self.delays[1 - way].push(step, told);
                }
            }
            Moment::Left => {
                add(&mut self.arrived[way], step, payload);
                if payload > 0 {
                    self.last[way] = passed.at;
                }
            }
        }
    }

    fn observed(&self, direction: Direction, relay: &RelayRecord) -> Observed {
        let way = usize::from(direction == Direction::ServerSends);
        let no_delay = Vec::new();
        let queue = relay.network.links.get(way).map_or(&no_delay, |link| &link.queue_delay_us);
        let steps = step_of(self.last[way]) + 1;
        let per_step = steps_of(STEP, QUEUE_SAMPLE_INTERVAL.as_duration());
        let queue = &queue[..queue.len().min(steps * per_step)];
        let mean_of = |way: usize| self.delays[way].means(steps);
        let (data, ack) = (mean_of(way), mean_of(1 - way));
        let step = |index: usize| {
            let waited = queue.chunks(per_step).nth(index).unwrap_or_default();
            Step {
                sent_bytes: self.sent[way].get(index).copied().unwrap_or(0),
                arrived_bytes: self.arrived[way].get(index).copied().unwrap_or(0),
                queue_ms: waited.iter().max().map_or(0.0, |us| f64::from(*us) / 1e3),
                data_delay_ms: data[index],
                ack_delay_ms: ack[index],
            }
        };
        let sent = relay.sent.max(1);
        Observed {
            steps: (0..steps).map(step).collect(),
            queue_delay: Percentiles::of(queue.iter().map(|us| f64::from(*us) / 1e3).collect()),
            told_delay: Percentiles::of(self.delays[way].above_least().map(|(_, ms)| ms).collect()),
            late_ppm: relay.late * 1_000_000 / sent,
        }
    }
}

impl Delays {
    fn push(&mut self, step: usize, delay: TimestampDiff) {
        let origin = *self.origin.get_or_insert(delay);
        self.samples.push((step, delay.distance_from(origin)));
    }

    /// Each delay with its step, in milliseconds above the least.
    fn above_least(&self) -> impl Iterator<Item = (usize, f64)> {
        let least = self.samples.iter().map(|(_, distance)| *distance).min().unwrap_or(0);
        let above = move |distance: i32| f64::from(distance.abs_diff(least)) / 1e3;
        self.samples.iter().map(move |&(step, distance)| (step, above(distance)))
    }

    fn means(&self, steps: usize) -> Vec<Option<f64>> {
        let mut sums = vec![(0.0, 0_u32); steps];
        for (step, ms) in self.above_least() {
            if let Some((sum, count)) = sums.get_mut(step) {
                *sum += ms;
                *count += 1;
            }
        }
        let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
        sums.into_iter().map(mean).collect()
    }
}

fn add(series: &mut Vec<u64>, step: usize, bytes: usize) {
    if series.len() <= step {
        series.resize(step + 1, 0);
    }
    series[step] += bytes as u64;
}

fn step_of(at: Duration) -> usize {
    steps_of(at, STEP)
}

fn steps_of(span: Duration, step: Duration) -> usize {
    Ns::from_duration(span).bucket(Ns::from_duration(step))
}

/// How fine the series are.
pub const STEP: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use utp_sim::record::{LinkRecord, Record};
    use utp_wire::{ConnectionId, HEADER_LEN, Header, SeqNr, Timestamp};

    use super::*;

    fn packet(packet_type: PacketType, told: u32, payload_len: usize) -> Vec<u8> {
        let header = Header {
            packet_type,
            connection_id: ConnectionId(7),
            timestamp_microseconds: Timestamp(1),
            timestamp_difference_microseconds: TimestampDiff(told),
            wnd_size: 1 << 20,
            seq_nr: SeqNr(1),
            ack_nr: SeqNr(1),
        };
        let mut datagram = vec![0; HEADER_LEN + payload_len];
        header.encode(0, datagram.first_chunk_mut().expect("a header fits"));
        datagram
    }

    #[test]
    fn both_ends_are_seen_in_steps() {
        let collector = Collector::default();
        let address = ([127, 0, 0, 1], 1).into();
        let pass = |ms: u64, moment: Moment, to_server: bool, payload: &[u8]| {
            let at = Duration::from_millis(ms);
            let (source, destination) = (address, address);
            collector.take(&Passed { at, moment, to_server, source, destination, payload });
        };
        let data = packet(PacketType::Data, 9_000, 1_000);
        pass(10, Moment::Entered, true, &data);
        pass(20, Moment::Entered, true, &data);
        pass(130, Moment::Left, true, &data);
        // The clock of the server is far behind: only what lies above the least counts.
        pass(140, Moment::Entered, false, &packet(PacketType::State, 4_000_000_000, 0));
        pass(150, Moment::Entered, false, &packet(PacketType::State, 4_000_030_000, 0));
        pass(210, Moment::Entered, false, &packet(PacketType::State, 4_000_010_000, 0));
        pass(220, Moment::Entered, false, b"d1:q4:pinge");
        pass(230, Moment::Left, true, &packet(PacketType::Data, 0, 500));

        let samples = (0..30_u32).map(|sample| sample * 1_000).collect();
        let to_server = LinkRecord { queue_delay_us: samples, ..LinkRecord::default() };
        let links = vec![to_server, LinkRecord::default()];
        let network = Record { links, ..Record::default() };
        let relay = RelayRecord { network, sent: 2, late: 1, ..RelayRecord::default() };
        let observed = collector.finish(Direction::ClientSends, &relay);
        let bytes: Vec<_> =
            observed.steps.iter().map(|step| (step.sent_bytes, step.arrived_bytes)).collect();
        assert_eq!(bytes, [(2_000, 0), (0, 1_000), (0, 500)]);
        let queue: Vec<_> = observed.steps.iter().map(|step| step.queue_ms).collect();
        assert_eq!(queue, [9.0, 19.0, 29.0]);
        let delays: Vec<_> = observed.steps.iter().map(|step| step.data_delay_ms).collect();
        assert_eq!(delays, [None, Some(15.0), Some(10.0)]);
        assert_eq!(observed.steps[0].ack_delay_ms, Some(0.0));
        assert_eq!(observed.queue_delay, Some(Percentiles { p50: 14.0, p95: 28.0 }));
        assert_eq!(observed.told_delay, Some(Percentiles { p50: 10.0, p95: 30.0 }));
        assert_eq!(observed.late_ppm, 500_000);
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(Percentiles::of(Vec::new()), None);
        assert_eq!(Percentiles::of(vec![3.0]), Some(Percentiles { p50: 3.0, p95: 3.0 }));
    }
}
