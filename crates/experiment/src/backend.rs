//! Which backend a program runs on, chosen by `--device`.
//!
//! This crate knows no tensors: the macro is expanded in programs that depend on Burn, and on `burn-cuda` where they have the
//! feature `cuda`.

/// Runs an expression with `$backend` as the backend of `$device`; on a device that the program was not built for it is
/// a [`BadInput`](crate::cli::Failure::BadInput) that names the remedy.
#[macro_export]
macro_rules! on_device {
    ($device:expr, $backend:ident => $body:expr) => {
        match $device {
            $crate::cli::Device::Cpu => {
                type $backend = burn::backend::Flex;
                $body
            }
            #[cfg(feature = "cuda")]
            $crate::cli::Device::Cuda => {
                type $backend = burn_cuda::Cuda;
                $body
            }
            #[cfg(not(feature = "cuda"))]
            $crate::cli::Device::Cuda => Err($crate::cli::Failure::BadInput(anyhow::anyhow!(
                "this program was built without CUDA; build it with `--features cuda`"
            ))),
        }
    };
}
