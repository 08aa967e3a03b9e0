//! Models move between threads, though a handle of CUDA does not say that it may.

use crate::real::Real;
use crate::transformer::{Ops, Transformer};

// SAFETY: on the CPU every field is `Send` by itself. On a GPU the one field that is not is the stream in dfdx's
// `Cuda`, a pointer to an object of the CUDA driver. The driver may be called from any thread, and cudarc binds the
// context to the calling thread before each call that needs it. `Ops` cannot be implemented outside this crate, so
// there is no third case.
unsafe impl<E: Real, O: Ops<E>> Send for Transformer<E, O> {}
