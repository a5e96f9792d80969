//! The controllers on a link of their own: reviewed tables in `tests/golden`, claims in numbers.

mod claims;
mod golden;
mod guards;
mod model;
mod plus_plus;
mod tables;
