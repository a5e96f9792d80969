//! Exponentially distributed spans of time in integers: the same on every machine, which the
//! logarithm of a floating-point library is not.

use crate::rng::Stream;
use crate::time::Ns;

/// An exponentially distributed span with this mean.
pub(super) fn draw(random: &mut Stream, mean: Ns) -> Ns {
    scaled(mean, random.below(u64::MAX) + 1)
}

/// The mean times -ln(numerator / 2^64), which is exponentially distributed when the numerator is
/// uniform.
fn scaled(mean: Ns, numerator: u64) -> Ns {
    let logarithm = (64 << FRACTION) - log2(numerator);
    let nats = (u128::from(logarithm) * LN_2) >> 64;
    Ns(u64::try_from((u128::from(mean.0) * nats) >> FRACTION).unwrap_or(u64::MAX))
}

/// The logarithm to base 2 of a positive number, with [`FRACTION`] bits after the point.
///
/// Squaring a number between 1 and 2 doubles its logarithm: each time it passes 2, the next bit
/// of the logarithm is 1.
fn log2(value: u64) -> u64 {
    let whole = value.ilog2();
    let mut logarithm = u64::from(whole);
    // The point is 63 bits from the right.
    let mut mantissa = value << (63 - whole);
    for _ in 0..FRACTION {
        let square = u128::from(mantissa) * u128::from(mantissa);
        let bit = square >> 127;
        logarithm = logarithm << 1 | u64::from(bit == 1);
        let shift = if bit == 1 { 64 } else { 63 };
        mantissa = u64::try_from(square >> shift).expect("it is below 2 with 63 bits after it");
    }
    logarithm
}

/// Bits after the point: more than a draw of a minute has nanoseconds.
const FRACTION: u32 = 48;

/// The natural logarithm of 2, with 64 bits after the point.
const LN_2: u128 = 0xB172_17F7_D1CF_79AB;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;

    #[test]
    fn powers_of_two_give_multiples_of_the_natural_logarithm_of_two() {
        let mean = Ns::from_secs(1_000);
        for power in 0..64_u32 {
            let expected = (64 - u64::from(power)) * 693_147_180_559 + (64 - u64::from(power));
            let drawn = scaled(mean, 1 << power).0;
            assert!(drawn.abs_diff(expected) <= 64, "2^{power}: {drawn}, {expected}");
        }
    }

    #[test]
    fn other_arguments_agree_with_the_floating_point_logarithm() {
        for tenth in 1..10_u64 {
            let numerator = u64::MAX / 10 * tenth;
            let expected = -((tenth as f64) / 10.0).ln() * 1e12;
            let drawn = scaled(Ns::from_secs(1_000), numerator).0 as f64;
            assert!((drawn - expected).abs() < 10.0, "{tenth}: {drawn}, {expected}");
        }
    }

    #[test]
    fn the_largest_draw_is_far_from_overflow_and_the_smallest_is_zero() {
        assert_eq!(scaled(Ns::from_secs(3_600), u64::MAX).0, 0);
        let longest = scaled(Ns::from_secs(3_600), 1);
        assert!((Ns::from_secs(3_600 * 44)..Ns::from_secs(3_600 * 45)).contains(&longest));
    }

    #[test]
    fn draws_have_the_mean_and_the_tail_of_the_distribution() {
        let mut random = Streams::new(1).flow(0);
        let mean = Ns::from_millis(500);
        let draws: Vec<Ns> = (0..100_000).map(|_| draw(&mut random, mean)).collect();
        let sum: u64 = draws.iter().map(|draw| draw.0).sum();
        // The deviation of the mean of n draws is the mean over the root of n: 1 / 316.
        assert!((sum / 100_000).abs_diff(mean.0) < mean.0 * 4 / 316, "{}", sum / 100_000);
        // One in e^3 is longer than three means: 4 979, with a deviation of 69.
        let long = draws.iter().filter(|draw| draw.0 > 3 * mean.0).count();
        assert!(long.abs_diff(4_979) < 4 * 69, "{long}");
    }
}
