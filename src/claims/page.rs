//! How claims are shown.
