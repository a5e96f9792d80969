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
    pub(crate) whole_bytes: bool,
    pub(crate) growth_limit: GrowthLimit,
    pub(crate) cuts: Cuts,
    pub(crate) cut_interval_us: u32,
    pub(crate) paced: bool,
    pub(crate) guards: Guards,
    pub(crate) current_filter_age: FilterAge,
}

impl Params {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            target_us: config.target_us,
            gain: config.gain,
            window_min: config.window_min,
            window_max_bytes: u32::try_from(config.window_max_bytes).unwrap_or(u32::MAX),
            whole_bytes: config.whole_bytes,
            growth_limit: config.growth_limit,
            cuts: config.cuts,
            cut_interval_us: config.cut_interval_us,
            paced: config.paced,
            guards: config.guards,
            current_filter_age: config.current_filter_age,
        }
    }

    pub(crate) fn window_max_bytes(&self) -> u64 {
        self.window_max_bytes.into()
    }

    pub(crate) fn is_guarded(&self) -> bool {
        self.guards >= Guards::Peer
    }

    pub(crate) fn is_path_guarded(&self) -> bool {
        self.guards >= Guards::PeerAndPath
    }
}
