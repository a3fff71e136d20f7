//! Means over parts of an image, composed from operations that can be differentiated twice.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Means of squares of 2x2 pixels, `[batch, channels, height, width]` to `[batch, channels, height/2, width/2]`; a last odd
/// row or column is left out.
pub(super) fn halve<B: Backend>(images: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, channels, height, width] = images.dims();
    let (rows, columns) = (height / 2, width / 2);
    let even = match (height % 2, width % 2) {
        (0, 0) => images,
        _ => images.slice([0..batch, 0..channels, 0..2 * rows, 0..2 * columns]),
    };
    // Rows first: their pixels lie side by side in memory.
    let pairs = even.reshape([batch * channels * rows, 2, columns, 2]);
    (pairs.sum_dim(1).sum_dim(3) * 0.25).reshape([batch, channels, rows, columns])
}

/// Means of whole images: `[batch, channels, height, width]` to `[batch, channels]`.
pub(super) fn mean<B: Backend>(images: Tensor<B, 4>) -> Tensor<B, 2> {
    let [batch, channels, height, width] = images.dims();
    let pixels = height * width;
    let sums = images.reshape([batch * channels, pixels]).sum_dim(1);
    sums.reshape([batch, channels]) * (1.0 / pixels as f64)
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::tensors::to_f64;

    use super::*;

    #[test]
    fn squares_and_images_are_averaged() {
        let device = Default::default();
        let image = Tensor::<Flex, 4>::from_data(
            [[[[1.0, 2.0, 9.0], [3.0, 4.0, 9.0], [9.0, 9.0, 9.0]]]],
            &device,
        );
        let image = Tensor::cat(vec![image.clone(), image * 2.0], 1);
        let halved = halve(image.clone());
        assert_eq!((halved.dims(), to_f64(&halved)), ([1, 2, 1, 1], vec![2.5, 5.0]));
        let mean = to_f64(&mean(image));
        assert!((mean[0] - 55.0 / 9.0).abs() < 1e-5 && (mean[1] - 110.0 / 9.0).abs() < 1e-5);
        let wide =
            Tensor::<Flex, 4>::from_data([[[[1.0, 2.0, 3.0, 5.0], [3.0, 4.0, 5.0, 7.0]]]], &device);
        assert_eq!(to_f64(&halve(wide)), [2.5, 5.0]);
    }
}
