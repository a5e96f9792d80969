//! Tests of the skew corrections.
