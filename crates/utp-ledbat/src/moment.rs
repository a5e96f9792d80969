//! Times that may not have come yet, in the room of one.

use utp_wire::Instant;

/// A time that has not come. An `Option` would take twice the room.
pub(crate) const NEVER: Instant = Instant::from_micros(u64::MAX);

/// Whether less than `span_us` has passed since `at`, if that was ever.
pub(crate) fn is_within(now: Instant, at: Instant, span_us: u64) -> bool {
    at != NEVER && now.saturating_since(at) < span_us
}

/// Whether a sender that its window last held back at `limited_at` still counts as limited by it:
/// for a second (libutp).
pub(crate) fn is_limited(now: Instant, limited_at: Instant) -> bool {
    is_within(now, limited_at, LIMITED_AGE_US_MAX + 1)
}

const LIMITED_AGE_US_MAX: u64 = 1_000_000;
