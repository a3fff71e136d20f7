//! Bytes and numbers.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};

use super::AutoencoderError;

/// Frames `[batch, frames, height, width, 3]` with values from -1 to 1, from bytes in row-major order.
///
/// # Errors
/// [`AutoencoderError::Pixels`] if the bytes do not fill the shape.
pub fn frames_from_pixels<B: Backend>(
    pixels: &[u8],
    shape: [usize; 5],
    device: &Device<B>,
) -> Result<Tensor<B, 5>, AutoencoderError> {
    if pixels.len() != shape.iter().product::<usize>() || shape[4] != 3 {
        return Err(AutoencoderError::Pixels { found: pixels.len(), shape });
    }
    let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 127.5 - 1.0).collect();
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}

/// Bytes in row-major order, from frames with values from -1 to 1; values beyond are cut off.
pub fn pixels_from_frames<B: Backend>(frames: &Tensor<B, 5>) -> Vec<u8> {
    let values = frames.to_data().convert::<f32>().into_vec::<f32>();
    let values = values.expect("the data were just converted");
    // A float beyond the range of a byte becomes the nearest byte.
    values.into_iter().map(|value| ((value + 1.0) * 127.5).round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).chain(0..44).collect();
        let frames =
            frames_from_pixels::<Flex>(&bytes, [2, 1, 5, 10, 3], &Default::default()).unwrap();
        assert_eq!(pixels_from_frames(&frames), bytes);
        assert_eq!(pixels_from_frames(&(frames * 10.0))[0], 0);
    }

    #[test]
    fn other_numbers_of_bytes_are_refused() {
        for (count, shape) in [(5, [1, 1, 1, 2, 3]), (8, [1, 1, 2, 2, 2])] {
            let refused = frames_from_pixels::<Flex>(&vec![0; count], shape, &Default::default());
            assert!(matches!(refused, Err(AutoencoderError::Pixels { .. })));
        }
    }
}
