//! Devices of dfdx: opening one by number, free memory, and errors.

use dfdx::prelude::{Cpu, CpuError, HasErr};

use crate::error::{Error, Result};

/// A device of dfdx.
pub trait Hardware: HasErr + Clone + std::fmt::Debug + 'static {
    /// The device with this number.
    fn open(number: usize) -> Result<Self>;

    /// Bytes of free memory; `None` on the CPU.
    fn free(&self) -> Result<Option<usize>>;

    /// This crate's error for a failed operation.
    fn error(problem: Self::Err) -> Error;
}

impl Hardware for Cpu {
    fn open(_: usize) -> Result<Self> {
        Ok(Self::default())
    }

    fn free(&self) -> Result<Option<usize>> {
        Ok(None)
    }

    fn error(problem: CpuError) -> Error {
        match problem {
            CpuError::OutOfMemory => Error::OutOfMemory { device: "cpu".into() },
            CpuError::WrongNumElements => Error::Hardware { device: "cpu".into(), problem: problem.to_string() },
        }
    }
}

#[cfg(feature = "dfdx-cuda")]
mod cuda {
    use cudarc::cublas::sys::cublasStatus_t::CUBLAS_STATUS_ALLOC_FAILED;
    use cudarc::driver::sys::CUresult;
    use cudarc::driver::{DriverError, result};
    use dfdx::prelude::{Cuda, CudaError, Synchronize};

    use super::{Error, Hardware, Result};

    impl Hardware for Cuda {
        fn open(number: usize) -> Result<Self> {
            let missing = |DriverError(code)| Error::NoGpu { number, problem: format!("{code:?}") };
            result::init().map_err(missing)?;
            let found = result::device::get_count().map_err(missing)?;
            if usize::try_from(found).is_ok_and(|found| number >= found) {
                return Err(Error::NoGpu { number, problem: format!("there are {found}, counted from 0") });
            }
            Self::try_build(number, 0).map_err(Self::error)
        }

        fn free(&self) -> Result<Option<usize>> {
            // Freed memory is available only after the work that uses it is done.
            self.try_synchronize().map_err(Self::error)?;
            let (free, _) = result::mem_get_info().map_err(|problem| Self::error(CudaError::Driver(problem)))?;
            Ok(Some(free))
        }

        fn error(problem: CudaError) -> Error {
            let full = match &problem {
                CudaError::Driver(DriverError(code)) => *code == CUresult::CUDA_ERROR_OUT_OF_MEMORY,
                CudaError::Blas(problem) => problem.0 == CUBLAS_STATUS_ALLOC_FAILED,
                CudaError::Cpu(problem) => return dfdx::prelude::Cpu::error(*problem),
            };
            let device = "cuda".to_owned();
            if full { Error::OutOfMemory { device } } else { Error::Hardware { device, problem: problem.to_string() } }
        }
    }
}
