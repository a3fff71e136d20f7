//! Where a small window that goes over an image stops, and which pixels it then shows.

use std::ops::Range;

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

/// So many terms, of which each has the tap and the pixel after those of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: Term,
    pub(super) length: usize,
}

impl Run {
    /// Where what its taps have lies, of all taps' of which each has so `many`.
    pub(super) fn taps(self, many: usize) -> Range<usize> {
        self.first.tap * many..(self.first.tap + self.length) * many
    }

    /// Where what its pixels have lies, of all pixels' of which each has so `many`.
    pub(super) fn pixels(self, many: usize) -> Range<usize> {
        self.first.pixel * many..(self.first.pixel + self.length) * many
    }

    /// One after the other.
    pub(super) fn terms(self) -> impl Iterator<Item = Term> {
        let Term { tap, pixel } = self.first;
        (0..self.length).map(move |further| Term { tap: tap + further, pixel: pixel + further })
    }

    fn is_followed_by(self, Term { tap, pixel }: Term) -> bool {
        let Self { first, length } = self;
        (first.tap + length, first.pixel + length) == (tap, pixel)
    }
}

/// For each of some places, its terms, in runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// Those of all places, one after the other.
    runs: Vec<Run>,
    /// Of each place, where its runs end.
    ends: Vec<usize>,
}

impl Terms {
    /// Of each place in turn.
    pub(super) fn each(&self) -> impl ExactSizeIterator<Item = &[Run]> {
        let mut begin = 0;
        self.ends.iter().map(move |&end| &self.runs[std::mem::replace(&mut begin, end)..end])
    }

    /// Adds a place.
    pub(super) fn push(&mut self, terms: impl IntoIterator<Item = Term>) {
        let begin = self.runs.len();
        // Goes through nested iterators as nested loops, which `extend` does not.
        terms.into_iter().for_each(|term| match self.runs[begin..].last_mut() {
            Some(run) if run.is_followed_by(term) => run.length += 1,
            _ => self.runs.push(Run { first: term, length: 1 }),
        });
        self.ends.push(self.runs.len());
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
        self.over(|stop, _| stop)
    }

    /// The same with the last stop counted as the first. From a tap to the next the window goes a stride back, so that with a
    /// stride of one these are runs.
    pub(super) fn stops_over_from_the_last(self) -> Terms {
        self.over(|stop, stops| stops - 1 - stop)
    }

    /// Each stop with the number that it gets among the `stops` of its side.
    fn over(self, number: fn(usize, usize) -> usize) -> Terms {
        let [down, along] = self.sides().map(|(length, stops)| {
            let pairs = self.along(length, stops);
            let pairs = pairs.map(|[stop, tap, place]| (place, [tap, number(stop, stops)]));
            grouped(length, pairs)
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
        for (runs, places) in self.shown().each().zip(places.chunks_exact_mut(taps)) {
            for term in runs.iter().flat_map(|run| run.terms()) {
                places[term.tap] = term.pixel as i32;
            }
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
        let run = |&Run { first: Term { tap, pixel }, length }: &Run| (tap, pixel, length);
        let shown: Vec<Vec<_>> = shown.each().map(|runs| runs.iter().map(run).collect()).collect();
        assert_eq!(shown[0], [(4, 0, 2), (7, 3, 2)]);
        // The window is as wide as the image, so that the next row of both goes on where this one ends.
        assert_eq!(shown[4], [(0, 0, 6)]);
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
            let all = |terms: &Terms| -> Vec<_> {
                let each = terms.each().enumerate();
                each.flat_map(|(place, runs)| runs.iter().flat_map(|run| run.terms()).map(move |term| (place, term)))
                    .collect()
            };
            let shown = windows.shown();
            prop_assert_eq!(shown.each().len(), down * along);
            let shown: Vec<_> = all(&shown).into_iter().map(|(stop, term)| (stop, term.tap, term.pixel)).collect();
            prop_assert_eq!(&shown, &expected);
            let (forwards, from_the_last) = (windows.stops_over(), windows.stops_over_from_the_last());
            prop_assert_eq!([forwards.each().len(), from_the_last.each().len()], [rows * columns; 2]);
            let last = down * along - 1;
            let from_the_last = all(&from_the_last).into_iter().map(|(pixel, term)| (last - term.pixel, term.tap, pixel));
            let forwards = all(&forwards).into_iter().map(|(pixel, term)| (term.pixel, term.tap, pixel));
            for mut over in [forwards.collect::<Vec<_>>(), from_the_last.collect()] {
                over.sort_unstable();
                prop_assert_eq!(&over, &expected);
            }
        }
    }
}
