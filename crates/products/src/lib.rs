//! Products of matrices that lie in slices, written where they are wanted.
//!
//! Flex's product fills fresh memory with zeros and copies it before the kernel writes, and takes whole tensors: a tenth of the
//! time of a training step. This is the same kernel on the same numbers without either.
//!
//! The kernel takes pointers. This is the one crate with unsafe code, and its functions check that all they name is there.

use burn_flex::FlexTensor;

/// Where a matrix lies in a slice: its element `(row, column)` is that of number `begin + row row_stride + column column_stride`.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The number of the first element.
    pub begin: usize,
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
    /// From a row to the next.
    pub row_stride: usize,
    /// From a column to the next.
    pub column_stride: usize,
}

impl Place {
    /// A whole slice, row by row.
    pub fn by_rows(rows: usize, columns: usize) -> Self {
        Self { begin: 0, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows as columns.
    pub fn transposed(self) -> Self {
        let Self { begin, rows, columns, row_stride, column_stride } = self;
        Self {
            begin,
            rows: columns,
            columns: rows,
            row_stride: column_stride,
            column_stride: row_stride,
        }
    }

    /// The number of the last element. Checked, for what is safe here rests on it, and who names a place may name any.
    fn last(self) -> usize {
        assert!(self.rows > 0 && self.columns > 0, "an empty matrix");
        let down = (self.rows - 1).checked_mul(self.row_stride);
        let along = (self.columns - 1).checked_mul(self.column_stride);
        let last = down
            .zip(along)
            .and_then(|(down, along)| down.checked_add(along)?.checked_add(self.begin));
        last.unwrap_or_else(|| panic!("{self:?} is beyond all memory"))
    }
}

/// A matrix of single precision.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Where it and perhaps others lie.
    pub elements: &'a [f32],
    /// Where in them it lies.
    pub place: Place,
}

impl<'a> Matrix<'a> {
    /// The last two dimensions of a tensor of single precision, at the `leading` indices of those before them.
    ///
    /// # Panics
    /// If the tensor is flipped, of another precision, or has another number of dimensions.
    pub fn of(tensor: &'a FlexTensor, leading: &[usize]) -> Self {
        let layout = tensor.layout();
        let strides: Vec<usize> = (layout.strides().iter())
            .map(|&stride| usize::try_from(stride).expect("the tensor is not flipped"))
            .collect();
        let shape = &layout.shape()[..];
        let [rows, columns] = shape[leading.len().min(shape.len())..] else {
            panic!("at {leading:?} a tensor of {shape:?} is not a matrix")
        };
        let begin =
            leading.iter().zip(&strides).map(|(index, stride)| index * stride).sum::<usize>();
        let place = Place {
            begin: layout.start_offset() + begin,
            rows,
            columns,
            row_stride: strides[leading.len()],
            column_stride: strides[leading.len() + 1],
        };
        Self { elements: tensor.storage(), place }
    }

    /// Rows as columns.
    pub fn transposed(self) -> Self {
        Self { place: self.place.transposed(), ..self }
    }
}

/// `count` matrices `[rows, columns]`, row by row one after the other: of each the sum of the products that `factors` has for its
/// number.
///
/// # Panics
/// If a matrix is empty or does not lie in its elements, or shapes do not fit.
pub fn sums_of_products<'a, const N: usize>(
    [count, rows, columns]: [usize; 3],
    factors: impl Fn(usize) -> [(Matrix<'a>, Matrix<'a>); N],
) -> Vec<f32> {
    const { assert!(N > 0, "a sum of no products") };
    let size = rows * columns;
    let mut elements = Vec::with_capacity(count * size);
    for index in 0..count {
        let place = Place { begin: index * size, ..Place::by_rows(rows, columns) };
        assert!(place.last() < elements.capacity());
        for (number, (a, b)) in factors(index).into_iter().enumerate() {
            #[allow(unsafe_code)]
            // SAFETY: the place fits into the capacity, and what is added to has been written by the first product.
            unsafe {
                write(elements.as_mut_ptr(), place, a, b, 1.0, number > 0);
            }
        }
    }
    #[allow(unsafe_code)]
    // SAFETY: every element of every matrix has been written.
    unsafe {
        elements.set_len(count * size);
    }
    elements
}

/// Adds `a b` to the elements of `target` at `place`.
///
/// # Panics
/// Like [`sums_of_products`], or if the place does not lie in the target.
pub fn accumulate(target: &mut [f32], place: Place, a: Matrix, b: Matrix) {
    assert!(place.last() < target.len(), "{place:?} is not in {} elements", target.len());
    #[allow(unsafe_code)]
    // SAFETY: the last element, and with it every one, lies in the slice.
    unsafe {
        write(target.as_mut_ptr(), place, a, b, 1.0, true);
    }
}

/// Writes `factor a b` into the elements of `target` at `place`.
///
/// # Panics
/// Like [`accumulate`].
pub fn multiply(target: &mut [f32], place: Place, a: Matrix, b: Matrix, factor: f32) {
    assert!(place.last() < target.len(), "{place:?} is not in {} elements", target.len());
    #[allow(unsafe_code)]
    // SAFETY: the last element, and with it every one, lies in the slice.
    unsafe {
        write(target.as_mut_ptr(), place, a, b, factor, false);
    }
}

/// # Safety
/// Every element of `place` after `target` can be written, and nothing else reads or writes it meanwhile. They have been
/// initialised if the product is to be added to them; all of them are when this returns.
#[allow(unsafe_code)]
unsafe fn write(target: *mut f32, place: Place, a: Matrix, b: Matrix, factor: f32, add: bool) {
    let (rows, inner, columns) = (a.place.rows, a.place.columns, b.place.columns);
    assert_eq!((place.rows, place.columns, inner), (rows, columns, b.place.rows), "shapes differ");
    let stride = |stride: usize| stride as isize;
    let start = |matrix: Matrix| {
        assert!(
            matrix.place.last() < matrix.elements.len(),
            "{:?} is not in its elements",
            matrix.place
        );
        matrix.elements[matrix.place.begin..].as_ptr()
    };
    // SAFETY: the caller vouches for the target, and of both factors the last element lies in the slice.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            target.add(place.begin),
            stride(place.column_stride),
            stride(place.row_stride),
            add,
            start(a),
            stride(a.place.column_stride),
            stride(a.place.row_stride),
            start(b),
            stride(b.place.column_stride),
            stride(b.place.row_stride),
            1.0,
            factor,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use proptest::prelude::*;

    use super::*;

    fn numbers(count: usize, shift: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + shift) % 101) as f32 / 50.0 - 1.0).collect()
    }

    fn at(matrix: Matrix, row: usize, column: usize) -> f32 {
        let place = matrix.place;
        matrix.elements[place.begin + row * place.row_stride + column * place.column_stride]
    }

    fn sums(a: Matrix, b: Matrix) -> Vec<f32> {
        let element = |row, column| {
            (0..a.place.columns).map(|inner| at(a, row, inner) * at(b, inner, column)).sum()
        };
        (0..a.place.rows)
            .flat_map(|row| (0..b.place.columns).map(move |column| element(row, column)))
            .collect()
    }

    /// A matrix within a larger one, transposed or not.
    fn within(elements: &[f32], [rows, columns]: [usize; 2], transposed: bool) -> Matrix<'_> {
        let inside = |rows, columns| Place {
            begin: 3,
            row_stride: columns + 5,
            ..Place::by_rows(rows, columns)
        };
        let place =
            if transposed { inside(columns, rows).transposed() } else { inside(rows, columns) };
        Matrix { elements, place }
    }

    proptest! {
        #[test]
        fn products_are_sums(
            rows in 1..40_usize, inner in 1..40_usize, columns in 1..40_usize,
            turned in any::<[bool; 3]>(),
        ) {
            let (left, right) = (numbers(2_000, 1), numbers(2_000, 2));
            let a = within(&left, [rows, inner], turned[0]);
            let b = within(&right, [inner, columns], turned[1]);
            let expected = sums(a, b);
            let close = |found: f32, expected: f32| (found - expected).abs() < 1e-4;
            let (c, d) = (Matrix { elements: &right, ..a }, Matrix { elements: &left, ..b });
            let others = sums(c, d);
            let found = sums_of_products([2, rows, columns], |index| {
                [[(a, b), (c, d)], [(c, d), (c, d)]][index]
            });
            let both = expected.iter().zip(&others).map(|(first, second)| first + second);
            let all: Vec<f32> = both.chain(others.iter().map(|other| 2.0 * other)).collect();
            prop_assert_eq!(found.len(), all.len());
            prop_assert!(found.iter().zip(&all).all(|(&found, &all)| close(found, all)));

            let before = numbers(2_000, 3);
            let mut target = before.clone();
            let place = within(&before, [rows, columns], turned[2]).place;
            multiply(&mut target, place, a, b, -2.0);
            accumulate(&mut target, place, a, b);
            let mut untouched = vec![true; target.len()];
            for row in 0..rows {
                for column in 0..columns {
                    let index = place.begin + row * place.row_stride + column * place.column_stride;
                    prop_assert!(close(target[index], -expected[row * columns + column]));
                    untouched[index] = false;
                }
            }
            prop_assert!((0..target.len()).all(|i| !untouched[i] || target[i] == before[i]));
        }
    }

    #[test]
    #[should_panic(expected = "at [1] a tensor of [2, 3] is not a matrix")]
    fn a_row_is_no_matrix() {
        let rows = TensorData::new(numbers(6, 0), [2, 3]);
        Matrix::of(&FlexTensor::from_data(rows), &[1]);
    }

    #[test]
    #[should_panic(expected = "is not in its elements")]
    fn a_matrix_beyond_its_slice_is_refused() {
        let (a, b) = (numbers(11, 0), numbers(12, 0));
        let matrix =
            |elements, rows, columns| Matrix { elements, place: Place::by_rows(rows, columns) };
        sums_of_products([1, 3, 3], |_| [(matrix(&a, 3, 4), matrix(&b, 4, 3))]);
    }

    #[test]
    #[should_panic(expected = "is not in 8 elements")]
    fn a_target_beyond_its_slice_is_refused() {
        let a = numbers(9, 0);
        let matrix = Matrix { elements: &a, place: Place::by_rows(3, 3) };
        multiply(&mut [0.0; 8], Place::by_rows(3, 3), matrix, matrix, 1.0);
    }

    #[test]
    #[should_panic(expected = "is beyond all memory")]
    fn a_place_that_no_number_names_is_refused() {
        let a = numbers(4, 0);
        let matrix = Matrix { elements: &a, place: Place::by_rows(2, 2) };
        let place = Place { row_stride: usize::MAX, begin: 1, ..Place::by_rows(2, 2) };
        multiply(&mut [0.0; 4], place, matrix, matrix, 1.0);
    }

    #[test]
    #[should_panic(expected = "shapes differ")]
    fn factors_fit() {
        let a = numbers(9, 0);
        let matrix = |rows, columns| Matrix { elements: &a, place: Place::by_rows(rows, columns) };
        sums_of_products([1, 2, 3], |_| [(matrix(2, 3), matrix(2, 3))]);
    }
}
