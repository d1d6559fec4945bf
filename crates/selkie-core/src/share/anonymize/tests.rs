//! Tests of the anonymiser.
