//! Which backend a program runs on, chosen by `--device`.

/// Runs an expression with `$backend` as the backend of `$device`; on a device that the program was not built for it is
/// a [`BadInput`](experiment::cli::Failure::BadInput) that names the remedy.
#[macro_export]
macro_rules! on_device {
    ($device:expr, $backend:ident => $body:expr) => {
        match $device {
            experiment::cli::Device::Cpu => {
                type $backend = burn::backend::Flex;
                $body
            }
            #[cfg(feature = "cuda")]
            experiment::cli::Device::Cuda => {
                type $backend = burn_cuda::Cuda;
                $body
            }
            #[cfg(not(feature = "cuda"))]
            experiment::cli::Device::Cuda => {
                Err(experiment::cli::Failure::BadInput(anyhow::anyhow!(
                    "this program was built without CUDA; build it with `--features cuda`"
                )))
            }
        }
    };
}
