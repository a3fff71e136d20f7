//! Where a small window that goes over an image stops, and which pixels it then shows.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

/// A square window on an image whose pixels are counted row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Rows of the image.
    pub rows: usize,
    /// Columns of the image.
    pub columns: usize,
    /// Rows and columns of the window, at least 1.
    pub size: usize,
    /// Rows or columns from a stop to the next, at least 1.
    pub stride: usize,
    /// Rows and columns of nothing around the image, on every side.
    pub padding: usize,
}

/// A place in the window, a tap, and the pixel there, both counted row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    pub(super) tap: usize,
    pub(super) pixel: usize,
}

impl Windows {
    /// Pixels of the image.
    pub fn pixels(self) -> usize {
        self.rows * self.columns
    }

    /// Places in the window.
    pub fn taps(self) -> usize {
        self.size * self.size
    }

    /// In how many rows and columns the window stops.
    ///
    /// # Panics
    /// If the image and what is around it are smaller than the window, or the window has no size or no stride.
    pub fn stops(self) -> [usize; 2] {
        assert!(self.size > 0 && self.stride > 0, "{self:?} shows nothing or stays where it is");
        [self.rows, self.columns].map(|length| {
            // Sides that a file names may be anything.
            let room = (length.saturating_add(2 * self.padding)).checked_sub(self.size);
            room.expect("the window is larger than the image and what is around it") / self.stride
                + 1
        })
    }

    /// The pixels that the window shows at a stop, counted row by row.
    pub(super) fn shown(self, stop: usize) -> impl Iterator<Item = Term> {
        let columns = self.stops()[1];
        let top_left = [stop / columns, stop % columns].map(|step| step * self.stride);
        let [down, along] =
            [(top_left[0], self.rows), (top_left[1], self.columns)].map(|(first, length)| {
                self.padding.saturating_sub(first)
                    ..self.size.min((length + self.padding).saturating_sub(first))
            });
        down.flat_map(move |row| {
            let from = (top_left[0] + row - self.padding) * self.columns + top_left[1];
            along.clone().map(move |column| Term {
                tap: row * self.size + column,
                pixel: from + column - self.padding,
            })
        })
    }

    /// The pixels that it shows at each stop, with zeros beyond the image: `[pixels, width]` to `[stops, taps, width]`.
    pub(super) fn patches<B: Backend>(self, x: Tensor<B, 2>) -> Tensor<B, 3> {
        let (width, taps) = (x.dims()[1], self.taps());
        let stops = self.stops().iter().product();
        let zeros = Tensor::zeros([1, width], (&x.device(), x.dtype()));
        let mut places = vec![self.pixels() as i32; stops * taps];
        for (stop, places) in places.chunks_exact_mut(taps).enumerate() {
            self.shown(stop).for_each(|term| places[term.tap] = term.pixel as i32);
        }
        let places = TensorData::new(places, [stops * taps]);
        let places = Tensor::<B, 1, Int>::from_data(places, &x.device());
        Tensor::cat(vec![x, zeros], 0).select(0, places).reshape([stops, taps, width])
    }

    /// The stops at which the window shows a pixel, each with the tap at which it does.
    pub(super) fn stops_over(self, pixel: usize) -> impl Iterator<Item = Term> {
        let [rows, columns] = self.stops();
        // Along one side: where the window begins is a stop if it is a multiple of the stride.
        let stop = move |place: usize, tap: usize, stops: usize| {
            let begin = (place + self.padding).checked_sub(tap)?;
            let stop = begin / self.stride;
            (begin.is_multiple_of(self.stride) && stop < stops).then_some(stop)
        };
        let [row, column] = [pixel / self.columns, pixel % self.columns];
        (0..self.size).filter_map(move |down| Some((down, stop(row, down, rows)?))).flat_map(
            move |(down, stop_row)| {
                (0..self.size).filter_map(move |along| {
                    let stop_column = stop(column, along, columns)?;
                    Some(Term {
                        tap: down * self.size + along,
                        pixel: stop_row * columns + stop_column,
                    })
                })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_of_three_reaches_over_the_edge() {
        let windows = Windows { rows: 2, columns: 3, size: 3, stride: 1, padding: 1 };
        assert_eq!(windows.stops(), [2, 3]);
        let shown: Vec<_> = windows.shown(0).map(|term| (term.tap, term.pixel)).collect();
        assert_eq!(shown, [(4, 0), (5, 1), (7, 3), (8, 4)]);
        let shown: Vec<_> = windows.shown(4).map(|term| (term.tap, term.pixel)).collect();
        assert_eq!(shown, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
    }

    #[test]
    #[should_panic(expected = "the window is larger than the image")]
    fn a_window_fits() {
        Windows { rows: 2, columns: 9, size: 5, stride: 1, padding: 1 }.stops();
    }

    #[test]
    #[should_panic(expected = "shows nothing or stays where it is")]
    fn a_window_moves() {
        Windows { rows: 2, columns: 2, size: 1, stride: 0, padding: 0 }.stops();
    }

    proptest! {
        /// Every pixel that is shown lies at its tap of the stop, all of them are shown, and both directions agree.
        #[test]
        fn both_directions_are_the_same_pairs(
            rows in 1..8_usize, columns in 1..8_usize, size in 1..6_usize, stride in 1..4_usize, padding in 0..3_usize,
        ) {
            prop_assume!(rows.min(columns) + 2 * padding >= size);
            let windows = Windows { rows, columns, size, stride, padding };
            let [down, along] = windows.stops();
            let mut expected = Vec::new();
            for (stop, tap) in (0..down * along).flat_map(|stop| (0..size * size).map(move |tap| (stop, tap))) {
                let row = (stop / along * stride + tap / size).checked_sub(padding).filter(|row| *row < rows);
                let column = (stop % along * stride + tap % size).checked_sub(padding).filter(|column| *column < columns);
                expected.extend(row.zip(column).map(|(row, column)| (stop, tap, row * columns + column)));
            }
            let shown: Vec<_> = (0..down * along)
                .flat_map(|stop| windows.shown(stop).map(move |term| (stop, term.tap, term.pixel)))
                .collect();
            prop_assert_eq!(&shown, &expected);
            let mut over: Vec<_> = (0..rows * columns)
                .flat_map(|pixel| windows.stops_over(pixel).map(move |term| (term.pixel, term.tap, pixel)))
                .collect();
            over.sort_unstable();
            prop_assert_eq!(&over, &expected);
        }
    }
}
