//! Attention within frames, across frames, and to the words of the action.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor};
use inner_outer::{AdaptedLinear, layers};

use super::draw::{Draw, Scale};
use super::projection::{Projections, Target};
use super::rows::Grid;

/// Which rows of a video see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// The places of one frame.
    Space,
    /// One place in all frames of a clip.
    Time,
    /// All places of all frames of a clip.
    Everywhere,
}

/// Multi-head self-attention along one axis of a video.
#[derive(Module, Debug)]
pub struct SelfAttention<B: Backend> {
    /// `[width, 3 width]`: queries, keys, values.
    pub input: AdaptedLinear<B>,
    /// `[width, width]`.
    pub output: AdaptedLinear<B>,
    /// Number of heads.
    pub heads: usize,
}

impl<B: Backend> SelfAttention<B> {
    pub(crate) fn new(width: usize, heads: usize, draw: &mut Draw<B>) -> Self {
        Self {
            input: draw.projection(width, 3 * width, Scale::Keeping),
            output: draw.projection(width, width, Scale::Keeping),
            heads,
        }
    }

    /// `[rows, width]` to the same shape.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, grid: Grid, axis: Axis) -> Tensor<B, 2> {
        let (batch, frames, places) = (grid.batch, grid.frames, grid.places());
        match axis {
            Axis::Space => self.along(x, batch * frames),
            Axis::Everywhere => self.along(x, batch),
            Axis::Time => {
                let by_places = layers::reorder_rows(x, [batch, frames, places], [0, 2, 1]);
                let mixed = self.along(by_places, batch * places);
                layers::reorder_rows(mixed, [batch, places, frames], [0, 2, 1])
            }
        }
    }

    /// Within each of `sequences` of consecutive rows.
    fn along(&self, x: Tensor<B, 2>, sequences: usize) -> Tensor<B, 2> {
        let [queries, keys, values] =
            self.input.parts(x).map(|part| layers::split_heads(part, sequences, self.heads));
        let mixed = layers::attention(queries, keys, values, None);
        self.output.forward(layers::merge_heads(mixed))
    }

    pub(crate) fn map_projections(
        self,
        target: Target,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        Self { input: change(target, self.input), output: change(target, self.output), ..self }
    }
}

/// What the frames' actions say: a vector for each word, and which are none.
#[derive(Clone, Debug)]
pub(crate) struct Words<B: Backend> {
    /// `[batch frames words, word width]`.
    pub vectors: Tensor<B, 2>,
    /// True where there is no word, `[batch frames, 1, 1, words]`.
    pub hidden: Tensor<B, 4, Bool>,
}

/// Multi-head attention of a frame's places to the words of its action.
#[derive(Module, Debug)]
pub struct CrossAttention<B: Backend> {
    /// `[width, width]`.
    pub queries: AdaptedLinear<B>,
    /// `[word width, 2 width]`: keys and values.
    pub keys_values: AdaptedLinear<B>,
    /// `[width, width]`.
    pub output: AdaptedLinear<B>,
    /// Number of heads.
    pub heads: usize,
}

impl<B: Backend> CrossAttention<B> {
    pub(crate) fn new(width: usize, word_width: usize, heads: usize, draw: &mut Draw<B>) -> Self {
        Self {
            queries: draw.projection(width, width, Scale::Keeping),
            keys_values: draw.projection(word_width, 2 * width, Scale::Keeping),
            output: draw.projection(width, width, Scale::Zero),
            heads,
        }
    }

    /// `[rows, width]` to the same shape.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, words: &Words<B>, grid: Grid) -> Tensor<B, 2> {
        let queries = layers::split_heads(self.queries.forward(x), grid.images(), self.heads);
        let [keys, values] = self
            .keys_values
            .parts(words.vectors.clone())
            .map(|part| layers::split_heads(part, grid.images(), self.heads));
        let mixed = layers::attention(queries, keys, values, Some(words.hidden.clone()));
        self.output.forward(layers::merge_heads(mixed))
    }
}

impl<B: Backend> Projections<B> for CrossAttention<B> {
    fn map_projections(
        self,
        change: &mut dyn FnMut(Target, AdaptedLinear<B>) -> AdaptedLinear<B>,
    ) -> Self {
        Self {
            queries: change(Target::Cross, self.queries),
            keys_values: change(Target::Cross, self.keys_values),
            output: change(Target::Cross, self.output),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::TensorData;
    use experiment::seed::Seed;
    use inner_outer::tensors::to_f64;
    use rand::RngExt;

    use super::*;

    const GRID: Grid = Grid { batch: 2, frames: 3, height: 2, width: 2 };

    fn video() -> Tensor<Flex, 2> {
        let mut random = Seed::new(1).rng();
        let values: Vec<f32> = (0..GRID.rows() * 4).map(|_| random.random()).collect();
        let values = TensorData::new(values, [GRID.rows(), 4]);
        Tensor::from_data(values, &Default::default())
    }

    /// Rows of the result that change when row `row` of the input does.
    fn influenced(layer: &SelfAttention<Flex>, axis: Axis, row: usize) -> Vec<usize> {
        let x = video();
        let changed =
            x.clone().slice_assign([row..row + 1, 0..4], x.clone().narrow(0, row, 1) + 1.0);
        let [before, after] = [x, changed].map(|x| to_f64(&layer.forward(x, GRID, axis)));
        (0..GRID.rows())
            .filter(|row| before[4 * row..4 * row + 4] != after[4 * row..4 * row + 4])
            .collect()
    }

    #[test]
    fn attention_stays_on_its_axis() {
        let layer = SelfAttention::new(4, 2, &mut Draw::new(&Seed::new(2), &Default::default()));
        // Row 17 is place 1 in frame 1 of clip 1.
        assert_eq!(influenced(&layer, Axis::Space, 17), [16, 17, 18, 19]);
        assert_eq!(influenced(&layer, Axis::Time, 17), [13, 17, 21]);
        assert_eq!(influenced(&layer, Axis::Everywhere, 17), (12..24).collect::<Vec<_>>());
    }

    #[test]
    fn heads_and_places_are_not_mixed_up() {
        // One frame of attention in time over one place is attention in space over one place.
        let layer = SelfAttention::new(4, 2, &mut Draw::new(&Seed::new(2), &Default::default()));
        let x = video().narrow(0, 0, 6);
        let along = |grid: Grid, axis| to_f64(&layer.forward(x.clone(), grid, axis));
        let space = Grid { batch: 1, frames: 1, height: 2, width: 3 };
        let time = Grid { batch: 1, frames: 6, height: 1, width: 1 };
        assert_eq!(along(space, Axis::Space), along(time, Axis::Time));
    }

    #[test]
    fn padding_is_not_read() {
        let device = Default::default();
        let layer = CrossAttention::new(4, 3, 2, &mut Draw::new(&Seed::new(2), &device));
        let hidden = Tensor::<Flex, 4>::from_data([[[[0.0, 1.0]]]], &device);
        let hidden = hidden.repeat_dim(0, GRID.images()).bool();
        let read = |padding: f64| {
            let vectors = Tensor::<Flex, 3>::ones([GRID.images(), 2, 3], &device);
            let last = vectors.clone().narrow(1, 1, 1) * padding;
            let vectors = Tensor::cat(vec![vectors.narrow(1, 0, 1), last], 1);
            let words =
                Words { vectors: vectors.reshape([2 * GRID.images(), 3]), hidden: hidden.clone() };
            let x = Tensor::ones([GRID.rows(), 4], &device);
            to_f64(&layer.forward(x, &words, GRID))
        };
        assert_eq!(read(1.0), read(-7.0));
    }
}
