//! Both presets on a clean link: reviewed tables in `tests/golden`, and claims in numbers.

mod claims;
mod golden;
mod model;
mod tables;
