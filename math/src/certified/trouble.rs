//! Why an expression has no certified value.

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Trouble {
    /// There is none: a division by zero, a logarithm of zero, a factorial of -1, infinity, a symbol without a value.
    Undefined,
    /// The balls are too wide to tell. A higher precision may help.
    Undecided,
    /// The numbers or the work exceed their bounds. No precision helps.
    TooLarge,
}
