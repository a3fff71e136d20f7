//! Vectors that tell where: sines and cosines, of which any shift is the same rotation everywhere.
//!
//! Places and times are learned, but begin as such waves: that a view moved by two columns is then one linear map for
//! all places, not one to be learned at each.

use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};

/// The longest wave of places and times, in tokens and frames over two pi.
const LONGEST: f64 = 32.0;

/// Sines and cosines of `x: [rows, 1]` at `width / 2` frequencies, geometric from 1 to `1 / longest` (Vaswani et al.
/// 2017), `[rows, width]`; of an odd width the last cosine is left out.
pub(crate) fn waves<B: Backend>(x: Tensor<B, 2>, width: usize, longest: f64) -> Tensor<B, 2> {
    let half = width.div_ceil(2);
    let frequency = |wave: usize| longest.powf(-(wave as f64) / half as f64);
    let frequencies = TensorData::new((0..half).map(frequency).collect(), [1, half]);
    let frequencies = Tensor::from_data(frequencies, (&x.device(), x.dtype()));
    let angles = x.matmul(frequencies);
    Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1).narrow(1, 0, width)
}

/// The first vectors of the places of a frame, row by row, `[height width, hidden]`: half of each tells the row, half the
/// column.
pub(crate) fn places<B: Backend>(
    [height, width]: [usize; 2],
    hidden: usize,
    device: &Device<B>,
) -> Param<Tensor<B, 2>> {
    let along = |position: &dyn Fn(usize) -> usize, hidden: usize| {
        let positions = (0..height * width).map(|place| position(place) as f32).collect();
        let positions = TensorData::new::<f32, _>(positions, [height * width, 1]);
        waves(Tensor::from_data(positions, device), hidden, LONGEST)
    };
    let rows = along(&|place| place / width, hidden / 2);
    let columns = along(&|place| place % width, hidden - hidden / 2);
    Param::from_tensor(Tensor::cat(vec![rows, columns], 1))
}

/// The first vectors of the frames of a window, `[frames, hidden]`.
pub(crate) fn times<B: Backend>(
    frames: usize,
    hidden: usize,
    device: &Device<B>,
) -> Param<Tensor<B, 2>> {
    places([1, frames], 2 * hidden, device).map(|both| both.narrow(1, hidden, hidden))
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use inner_outer::tensors::to_f64;

    use super::*;

    /// The inner products of the vectors of two places.
    fn alike(table: &Param<Tensor<Flex, 2>>, one: usize, other: usize) -> f64 {
        let row = |place| to_f64(&table.val().narrow(0, place, 1));
        row(one).iter().zip(row(other)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn how_alike_places_are_depends_on_how_far_apart_they_are_only() {
        let table = places::<Flex>([3, 4], 16, &Default::default());
        assert_eq!(table.dims(), [12, 16]);
        let [near, same_way] = [alike(&table, 0, 5), alike(&table, 6, 11)];
        assert!((near - same_way).abs() < 1e-5, "{near} {same_way}");
        assert!(alike(&table, 0, 1) > alike(&table, 0, 2));
        assert!(alike(&table, 0, 4) > alike(&table, 0, 8));
    }

    #[test]
    fn times_and_odd_widths_are_told_apart() {
        let table = times::<Flex>(5, 7, &Default::default());
        assert_eq!(table.dims(), [5, 7]);
        assert!(alike(&table, 0, 0) > alike(&table, 0, 1));
        assert!((alike(&table, 0, 1) - alike(&table, 3, 4)).abs() < 0.6);
    }
}
