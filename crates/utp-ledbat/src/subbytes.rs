//! The unit of windows: 2^-16 byte, a "subbyte", because a single acknowledgement in a large window
//! may be worth less than a byte. Whole bytes would stop a window short of its equilibrium.

/// `bytes` in subbytes. Saturates; windows stay below 2^46.
pub(crate) const fn subbytes(bytes: u64) -> u64 {
    bytes.saturating_mul(1 << FRACTION_BITS)
}

/// `subbytes` in bytes, rounded down.
pub(crate) const fn whole_bytes(subbytes: u64) -> u64 {
    subbytes >> FRACTION_BITS
}

/// The share of `bytes` that `bytes_acked` has earned in a window of `window` subbytes, in
/// subbytes: all of it for exactly one window, less for more (libutp).
pub(crate) fn share_of(bytes: u64, bytes_acked: u64, window: u64) -> u64 {
    let window_bytes = whole_bytes(window).max(1);
    let bytes_acked = bytes_acked.max(1);
    subbytes(bytes) * window_bytes.min(bytes_acked) / window_bytes.max(bytes_acked)
}

/// Sixteen bits resolve a gain of a byte per minute, and leave 2^30 bytes of window times 2^16
/// bytes of gain within 64 bits.
const FRACTION_BITS: u32 = 16;
