//! Binary-reward arithmetic, small enough to enumerate.
