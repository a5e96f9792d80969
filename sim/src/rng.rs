//! Where every random number of a run comes from: one stream per place that draws.
//!
//! All streams share the scenario's seed and differ in the stream number of the cipher, so that a
//! draw more in one place never shifts what another place sees.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

/// The family of streams that one seed gives.
///
/// ```
/// use utp_sim::rng::{Purpose, Streams};
///
/// let streams = Streams::new(7);
/// let mut loss = streams.link(0, Purpose::Loss);
/// let first = loss.below(1_000_000);
/// assert_eq!(streams.link(0, Purpose::Loss).below(1_000_000), first);
/// assert_ne!(streams.link(0, Purpose::Jitter).below(1_000_000), first);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    seed: u64,
}

/// What a link draws for: one for each of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Extra delay of a packet.
    Jitter = 0,
    /// Whether a packet is lost.
    Loss = 1,
    /// When the medium is away.
    Aggregation = 2,
    /// Whether and where a header is corrupted.
    CorruptHeader = 3,
    /// Whether and where a payload is corrupted.
    CorruptPayload = 4,
    /// Whether a packet arrives twice.
    Duplicate = 5,
    /// Which queue a flow falls into.
    FlowHash = 6,
    /// Whether the queue's management drops a packet.
    QueueDrop = 7,
    /// Whether a packet comes late.
    Reorder = 8,
}

impl Streams {
    /// The streams of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// What the link with index `link` draws for `purpose`.
    pub fn link(&self, link: usize, purpose: Purpose) -> Stream {
        self.stream(Domain::Link, (link as u64) << 8 | purpose as u64)
    }

    /// What the software of the host with index `host` asks its operating system for.
    pub fn host(&self, host: usize) -> Stream {
        self.stream(Domain::Host, host as u64)
    }

    /// The bytes that the flow with index `flow` transfers.
    pub fn payload(&self, flow: usize) -> Stream {
        self.stream(Domain::Payload, flow as u64)
    }

    /// When the flow with index `flow` starts.
    pub fn start(&self, flow: usize) -> Stream {
        self.stream(Domain::Start, flow as u64)
    }

    /// What the flow with index `flow` draws where it runs inside the network.
    pub fn flow(&self, flow: usize) -> Stream {
        self.stream(Domain::Flow, flow as u64)
    }

    fn stream(&self, domain: Domain, number: u64) -> Stream {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((domain as u64) << 56 | number);
        Stream(rng)
    }
}

/// Who draws: the highest byte of a stream number.
#[derive(Clone, Copy)]
enum Domain {
    Link = 1,
    Host = 2,
    Payload = 3,
    Start = 4,
    Flow = 5,
}

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// Uniform in `[0, bound)`; `bound` must not be 0.
    ///
    /// Values that would favour small results are drawn again, so that the result has no bias.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a range without a value was asked for");
        let surplus = (u64::MAX % bound + 1) % bound;
        loop {
            let draw = self.0.next_u64();
            if draw <= u64::MAX - surplus {
                return draw % bound;
            }
        }
    }

    /// True with a probability of `ppm` parts per million; certain outcomes draw nothing.
    pub fn chance(&mut self, ppm: u32) -> bool {
        match ppm {
            0 => false,
            1_000_000.. => true,
            _ => self.below(1_000_000) < u64::from(ppm),
        }
    }

    /// Uniform in `[least, most]`; a range of one value draws nothing.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        assert!(least <= most, "a range has its bounds in order");
        match most - least {
            0 => least,
            u64::MAX => self.0.next_u64(),
            span => least + self.below(span + 1),
        }
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(mut stream: Stream) -> [u8; 32] {
        let mut bytes = [0; 32];
        stream.fill(&mut bytes);
        bytes
    }

    #[test]
    fn every_stream_of_a_seed_differs() {
        let streams = Streams::new(1);
        let all = [
            bytes_of(streams.link(0, Purpose::Loss)),
            bytes_of(streams.link(0, Purpose::Jitter)),
            bytes_of(streams.link(0, Purpose::Aggregation)),
            bytes_of(streams.link(0, Purpose::CorruptHeader)),
            bytes_of(streams.link(0, Purpose::CorruptPayload)),
            bytes_of(streams.link(0, Purpose::Duplicate)),
            bytes_of(streams.link(0, Purpose::FlowHash)),
            bytes_of(streams.link(0, Purpose::QueueDrop)),
            bytes_of(streams.link(0, Purpose::Reorder)),
            bytes_of(streams.link(1, Purpose::Loss)),
            bytes_of(streams.host(0)),
            bytes_of(streams.host(1)),
            bytes_of(streams.payload(0)),
            bytes_of(streams.start(0)),
            bytes_of(streams.flow(0)),
            bytes_of(streams.flow(1)),
            bytes_of(Streams::new(2).payload(0)),
        ];
        for (index, left) in all.iter().enumerate() {
            for right in &all[index + 1..] {
                assert_ne!(left, right);
            }
        }
    }

    #[test]
    fn a_stream_depends_on_seed_and_place_only() {
        let streams = Streams::new(9);
        let mut other = streams.link(3, Purpose::Loss);
        let before = bytes_of(streams.host(1));
        other.below(10);
        assert_eq!(bytes_of(streams.host(1)), before);
    }

    #[test]
    fn below_is_uniform_over_a_small_range() {
        let mut stream = Streams::new(1).host(0);
        let mut counts = [0_u32; 3];
        for _ in 0..30_000 {
            counts[usize::try_from(stream.below(3)).expect("below three")] += 1;
        }
        // Five standard deviations of a binomial with p = 1/3 are 408.
        for count in counts {
            assert!(count.abs_diff(10_000) < 408, "{counts:?}");
        }
    }

    #[test]
    fn chances_are_what_was_asked_for_and_certain_ones_draw_nothing() {
        let mut stream = Streams::new(1).host(0);
        let untouched = bytes_of(stream.clone());
        assert!(!stream.chance(0) && stream.chance(1_000_000));
        assert_eq!(stream.between(7, 7), 7);
        assert_eq!(bytes_of(stream.clone()), untouched);
        let hits = (0..100_000).filter(|_| stream.chance(500_000)).count();
        // Five standard deviations of a binomial.
        assert!(hits.abs_diff(50_000) < 791, "{hits}");
        let mut draws = (0..1_000).map(|_| stream.between(3, 5));
        assert!(draws.all(|draw| (3..=5).contains(&draw)));
    }

    #[test]
    fn below_reaches_both_ends_of_the_widest_range() {
        let mut stream = Streams::new(1).host(0);
        let draws: Vec<u64> = (0..64).map(|_| stream.below(u64::MAX)).collect();
        assert!(draws.iter().any(|&draw| draw > u64::MAX / 8 * 7));
        assert!(draws.iter().any(|&draw| draw < u64::MAX / 8));
    }
}
