//! The one place that knows every controller by its name, for scenario files and command lines.

use alloc::boxed::Box;

use crate::config::Config;
use crate::controller::ControllerFactory;
use crate::cubic::CubicFactory;
use crate::fixed::FixedWindowFactory;
use crate::ledbat_plus_plus::LedbatPlusPlusFactory;
use crate::loss_only::LossOnlyFactory;

/// Every name that [`by_name`] knows, the default first. `fixed:N` stands for a constant window of
/// any number of bytes and is not among them.
pub const CONTROLLER_NAMES: [&str; 8] = [
    "utp",
    "libutp",
    "libutp-strict",
    "rfc6817",
    "rfc6817-strict",
    "ledbat++",
    "loss-only",
    "cubic",
];

/// The controller of that name: one of [`CONTROLLER_NAMES`], or `fixed:N` for a constant window of
/// N bytes, at least one. `None` for any other name.
///
/// ```
/// use utp_ledbat::{CONTROLLER_NAMES, by_name};
/// use utp_wire::Instant;
///
/// for name in CONTROLLER_NAMES {
///     assert_eq!(by_name(name).map(|factory| factory.name().to_owned()), Some(name.to_owned()));
/// }
/// let fixed = by_name("fixed:6000").ok_or("no such controller")?;
/// assert_eq!(fixed.build(Instant::from_micros(0), 1382).window_bytes(), 6_000);
/// assert!(by_name("vegas").is_none());
/// # Ok::<(), &str>(())
/// ```
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn ControllerFactory>> {
    Some(match name {
        "utp" => Box::new(Config::utp()),
        "libutp" => Box::new(Config::libutp()),
        "libutp-strict" => Box::new(Config::libutp_strict()),
        "rfc6817" => Box::new(Config::rfc6817()),
        "rfc6817-strict" => Box::new(Config::rfc6817_strict()),
        "ledbat++" => Box::new(LedbatPlusPlusFactory),
        "loss-only" => Box::new(LossOnlyFactory),
        "cubic" => Box::new(CubicFactory),
        _ => Box::new(FixedWindowFactory(fixed_bytes(name)?)),
    })
}

/// The N of `fixed:N`.
fn fixed_bytes(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("fixed:")?;
    // The parser would take a sign.
    let bytes = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use utp_wire::Instant;

    use super::*;

    #[test]
    fn every_name_gives_the_controller_that_has_it() {
        for name in CONTROLLER_NAMES {
            let factory = by_name(name).expect("listed");
            assert_eq!(factory.name(), name);
            assert!(factory.build(Instant::from_micros(0), 1_382).window_bytes() > 0);
        }
    }

    #[test]
    fn a_fixed_window_needs_a_number_of_bytes() {
        let fixed = by_name("fixed:18446744073709551615").expect("the largest number");
        assert_eq!(fixed.build(Instant::from_micros(0), 1_382).window_bytes(), u64::MAX);
        for name in [
            "fixed", "fixed:", "fixed:0", "fixed:+1", "fixed:-1", "fixed: 1", "fixed:1k", "UTP", "",
        ] {
            assert!(by_name(name).is_none(), "{name}");
        }
        assert!(by_name("fixed:18446744073709551616").is_none());
    }
}
