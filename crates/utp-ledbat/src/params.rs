//! Owns what is kept of a configuration for the whole life of a connection: less than all of it,
//! since every connection keeps it.

use crate::config::{Config, Cuts, FilterAge, GrowthLimit, Guards, Size};

/// What the running law needs of a [`Config`].
#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) target_us: u32,
    pub(crate) gain: Size,
    pub(crate) window_min: Size,
    pub(crate) window_max_bytes: u32,
    pub(crate) growth_limit: GrowthLimit,
    pub(crate) cut_interval_us: u32,
    /// [`WHOLE_BYTES`] and so on: in one byte, since every connection has them.
    switches: u8,
    pub(crate) guards: Guards,
    pub(crate) current_filter_age: FilterAge,
}

impl Params {
    pub(crate) fn new(config: &Config) -> Self {
        let switch = |bit: u8, on: bool| if on { bit } else { 0 };
        let switches = switch(WHOLE_BYTES, config.whole_bytes)
            | switch(PACED, config.paced)
            | switch(EACH_LOSS_CUTS, config.cuts == Cuts::EachLoss)
            | switch(QUEUE_DECIDES, config.cuts == Cuts::ByQueue);
        Self {
            target_us: config.target_us,
            gain: config.gain,
            window_min: config.window_min,
            window_max_bytes: u32::try_from(config.window_max_bytes).unwrap_or(u32::MAX),
            growth_limit: config.growth_limit,
            cut_interval_us: config.cut_interval_us,
            switches,
            guards: config.guards,
            current_filter_age: config.current_filter_age,
        }
    }

    pub(crate) fn window_max_bytes(&self) -> u64 {
        self.window_max_bytes.into()
    }

    /// See [`Config::whole_bytes`].
    pub(crate) const fn whole_bytes(&self) -> bool {
        self.switches & WHOLE_BYTES != 0
    }

    /// See [`Config::paced`].
    pub(crate) const fn paced(&self) -> bool {
        self.switches & PACED != 0
    }

    /// Whether [`Config::cuts`] is [`Cuts::EachLoss`].
    pub(crate) const fn each_loss_cuts(&self) -> bool {
        self.switches & EACH_LOSS_CUTS != 0
    }

    /// Whether [`Config::cuts`] is [`Cuts::ByQueue`].
    pub(crate) const fn queue_decides(&self) -> bool {
        self.switches & QUEUE_DECIDES != 0
    }

    pub(crate) fn is_guarded(&self) -> bool {
        self.guards >= Guards::Peer
    }

    pub(crate) fn is_path_guarded(&self) -> bool {
        self.guards >= Guards::PeerAndPath
    }
}

const WHOLE_BYTES: u8 = 1;
const PACED: u8 = 2;
const EACH_LOSS_CUTS: u8 = 4;
const QUEUE_DECIDES: u8 = 8;
