//! What lies between the two ends of a transfer, by name.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utp_sim::scenario::{LinkConfig, Loss, Queue, Rate, Reorder};
use utp_sim::time::Ns;

use crate::relay::Conditions;

/// What lies between client and server.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Impairment {
    /// Nothing: loopback.
    #[serde(rename = "none")]
    Clean,
    /// 50 ms round trip, and 1 % of all datagrams are lost.
    Loss,
    /// The same with 5 %.
    HeavyLoss,
    /// 40 ms round trip, and one datagram in ten arrives 8 ms late.
    Reordering,
    /// 10 Mbit/s with a buffer of one second, 40 ms round trip.
    SlowLink,
    /// 10 Mbit/s with a buffer of 200 ms, and nothing for 5 s after the first 1.5 s.
    Blackout,
    /// A router whose links carry 1 280 bytes, and says so.
    SmallPath,
}

impl Impairment {
    /// All of them, the order of tables.
    pub const ALL: [Self; 7] = [
        Self::Clean,
        Self::Loss,
        Self::HeavyLoss,
        Self::Reordering,
        Self::SlowLink,
        Self::Blackout,
        Self::SmallPath,
    ];

    /// One line for a person.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Clean => "loopback, nothing in between",
            Self::Loss => "50 ms round trip, 1 % of all datagrams lost",
            Self::HeavyLoss => "50 ms round trip, 5 % of all datagrams lost",
            Self::Reordering => "40 ms round trip, one datagram in ten 8 ms late",
            Self::SlowLink => "10 Mbit/s with a buffer of 1 s, 40 ms round trip",
            Self::Blackout => "10 Mbit/s, 40 ms round trip, nothing passes from 1.5 s to 6.5 s",
            Self::SmallPath => "a router between links of 1 500 bytes that forwards 1 280",
        }
    }

    /// What a transfer sends: as much as shows how the stack behaves, and takes some seconds.
    pub const fn bytes(self, quick: bool) -> u64 {
        match (self, quick) {
            (Self::Clean, false) => 64 << 20,
            (Self::Clean, true) => 8 << 20,
            (Self::SlowLink, false) => 8 << 20,
            (Self::SlowLink, true) => 2 << 20,
            // It has to last until the link is gone.
            (Self::Blackout, _) => 3 << 20,
            (Self::SmallPath, false) => 16 << 20,
            (Self::SmallPath, true) => 4 << 20,
            (Self::Loss | Self::Reordering, false) => 4 << 20,
            (Self::Loss | Self::Reordering, true) => 512 << 10,
            (Self::HeavyLoss, false) => 1 << 20,
            (Self::HeavyLoss, true) => 128 << 10,
        }
    }

    /// What a relay does for it; none where none is in between.
    pub fn conditions(self) -> Option<Conditions> {
        let delay = Ns::from_millis(20);
        let link = LinkConfig { delay, ..LinkConfig::default() };
        let slow = |buffer_ms| LinkConfig {
            rate: Rate::Constant(RATE_BPS),
            queue: Queue::Droptail {
                bytes_max: Some(RATE_BPS / 8 * buffer_ms / 1_000),
                packets_max: None,
            },
            ..link.clone()
        };
        let lossy = |ppm| LinkConfig {
            delay: Ns::from_millis(25),
            loss: Loss::Bernoulli(ppm),
            ..LinkConfig::default()
        };
        let reorder = Some(Reorder { ppm: 100_000, delay: Ns::from_millis(8) });
        match self {
            Self::Clean | Self::SmallPath => None,
            Self::Loss => Some(Conditions::symmetric(lossy(10_000))),
            Self::HeavyLoss => Some(Conditions::symmetric(lossy(50_000))),
            Self::Reordering => Some(Conditions::symmetric(LinkConfig { reorder, ..link })),
            Self::SlowLink => Some(Conditions::symmetric(slow(1_000))),
            Self::Blackout => {
                let (start, span) = (Duration::from_millis(1_500), Duration::from_secs(5));
                Some(Conditions::symmetric(slow(200)).without_link(start, span))
            }
        }
    }
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = clap::ValueEnum::to_possible_value(self).expect("none is hidden");
        f.write_str(value.get_name())
    }
}

/// What the slow links carry.
const RATE_BPS: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_last_until_the_link_is_gone_and_longer() {
        let conditions = Impairment::Blackout.conditions().expect("a relay does it");
        let (start, _) = conditions.outage.expect("it goes");
        for quick in [false, true] {
            let bits = Impairment::Blackout.bytes(quick) * 8;
            assert!(Duration::from_secs(1) * u32::try_from(bits / RATE_BPS).unwrap() > start);
        }
    }

    #[test]
    fn the_large_buffer_holds_a_second() {
        let conditions = Impairment::SlowLink.conditions().expect("a relay does it");
        let Queue::Droptail { bytes_max: Some(bytes), .. } = conditions.to_server.queue else {
            panic!("it has a limit in bytes")
        };
        assert_eq!(bytes * 8, RATE_BPS);
        // More is sent than it holds.
        assert!(Impairment::SlowLink.bytes(true) > bytes);
    }
}
