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

/// For each of some places, its terms.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// Those of all places, one after the other.
    terms: Vec<Term>,
    /// Of each place, where its terms end.
    ends: Vec<usize>,
}

impl Terms {
    /// Of each place in turn.
    pub(super) fn each(&self) -> impl ExactSizeIterator<Item = &[Term]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| &self.terms[std::mem::replace(&mut begin, end)..end])
    }

    /// Adds a place.
    pub(super) fn push(&mut self, terms: impl IntoIterator<Item = Term>) {
        // Goes through nested iterators as nested loops, which `extend` does not.
        terms.into_iter().for_each(|term| self.terms.push(term));
        self.ends.push(self.terms.len());
    }
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

    /// The pixels that the window shows at each stop.
    pub(super) fn shown(self) -> Terms {
        let [down, along] = self.sides().map(|(length, stops)| {
            let pairs = self.along(length, stops);
            grouped(stops, pairs.map(|[stop, tap, place]| (stop, [tap, place])))
        });
        self.terms(&down, &along, self.columns)
    }

    /// The stops at which the window shows each pixel, each with the tap at which it does.
    pub(super) fn stops_over(self) -> Terms {
        let [down, along] = self.sides().map(|(length, stops)| {
            let pairs = self.along(length, stops);
            grouped(length, pairs.map(|[stop, tap, place]| (place, [tap, stop])))
        });
        self.terms(&down, &along, self.stops()[1])
    }

    /// Rows and columns, and in how many of each the window stops.
    fn sides(self) -> [(usize, usize); 2] {
        let [down, along] = self.stops();
        [(self.rows, down), (self.columns, along)]
    }

    /// Along one side: a stop, a tap and the place of the image there.
    fn along(self, length: usize, stops: usize) -> impl Iterator<Item = [usize; 3]> {
        let pairs = (0..self.size).flat_map(move |tap| (0..stops).map(move |stop| [stop, tap]));
        pairs.filter_map(move |[stop, tap]| {
            let place = (stop * self.stride + tap).checked_sub(self.padding)?;
            (place < length).then_some([stop, tap, place])
        })
    }

    /// Of each place the terms that its row and its column have together: taps `down` and `along`, each with what is there,
    /// which is counted in rows of `width`.
    fn terms(self, down: &[Vec<[usize; 2]>], along: &[Vec<[usize; 2]>], width: usize) -> Terms {
        let mut terms = Terms::default();
        for rows in down {
            for columns in along {
                terms.push(rows.iter().flat_map(|[row_tap, row]| {
                    columns.iter().map(move |[tap, column]| Term {
                        tap: row_tap * self.size + tap,
                        pixel: row * width + column,
                    })
                }));
            }
        }
        terms
    }

    /// The pixels that it shows at each stop, with zeros beyond the image: `[pixels, width]` to `[stops, taps, width]`.
    pub(super) fn patches<B: Backend>(self, x: Tensor<B, 2>) -> Tensor<B, 3> {
        let (width, taps) = (x.dims()[1], self.taps());
        let stops = self.stops().iter().product();
        let zeros = Tensor::zeros([1, width], (&x.device(), x.dtype()));
        let mut places = vec![self.pixels() as i32; stops * taps];
        for (terms, places) in self.shown().each().zip(places.chunks_exact_mut(taps)) {
            terms.iter().for_each(|term| places[term.tap] = term.pixel as i32);
        }
        let places = TensorData::new(places, [stops * taps]);
        let places = Tensor::<B, 1, Int>::from_data(places, &x.device());
        Tensor::cat(vec![x, zeros], 0).select(0, places).reshape([stops, taps, width])
    }
}

fn grouped(
    groups: usize,
    pairs: impl Iterator<Item = (usize, [usize; 2])>,
) -> Vec<Vec<[usize; 2]>> {
    let mut grouped = vec![Vec::new(); groups];
    pairs.for_each(|(group, pair)| grouped[group].push(pair));
    grouped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_of_three_reaches_over_the_edge() {
        let windows = Windows { rows: 2, columns: 3, size: 3, stride: 1, padding: 1 };
        assert_eq!(windows.stops(), [2, 3]);
        let shown = windows.shown();
        let shown: Vec<Vec<_>> = shown
            .each()
            .map(|terms| terms.iter().map(|term| (term.tap, term.pixel)).collect())
            .collect();
        assert_eq!(shown[0], [(4, 0), (5, 1), (7, 3), (8, 4)]);
        assert_eq!(shown[4], [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
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
            let (shown, over) = (windows.shown(), windows.stops_over());
            prop_assert_eq!([shown.each().len(), over.each().len()], [down * along, rows * columns]);
            let shown: Vec<_> = (shown.each().enumerate())
                .flat_map(|(stop, terms)| terms.iter().map(move |term| (stop, term.tap, term.pixel)))
                .collect();
            prop_assert_eq!(&shown, &expected);
            let mut over: Vec<_> = (over.each().enumerate())
                .flat_map(|(pixel, terms)| terms.iter().map(move |term| (term.pixel, term.tap, pixel)))
                .collect();
            over.sort_unstable();
            prop_assert_eq!(&over, &expected);
        }
    }
}
