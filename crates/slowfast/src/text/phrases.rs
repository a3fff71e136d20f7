//! The phrases of a batch of clips, one for each frame.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{NO_ACTION, PADDING, TextError};

/// Tokens of one phrase for each frame, `[batch, frames, words]`: the action that led to the frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Phrases {
    tokens: Vec<u32>,
    shape: [usize; 3],
}

/// What a file says.
#[derive(Deserialize)]
struct Unchecked {
    tokens: Vec<u32>,
    shape: [usize; 3],
}

impl TryFrom<Unchecked> for Phrases {
    type Error = TextError;

    fn try_from(Unchecked { tokens, shape }: Unchecked) -> Result<Self, TextError> {
        Self::new(tokens, shape)
    }
}

impl Phrases {
    /// Tokens in row-major order.
    ///
    /// # Errors
    /// [`TextError::Shape`] if they do not fill `[batch, frames, words]`.
    pub fn new(tokens: Vec<u32>, shape: [usize; 3]) -> Result<Self, TextError> {
        let size = shape.iter().try_fold(1_usize, |size, side| size.checked_mul(*side));
        match size == Some(tokens.len()) {
            true => Ok(Self { tokens, shape }),
            false => Err(TextError::Shape { found: tokens.len(), shape }),
        }
    }

    /// The same phrase for every frame, as in the paper, whose chunks have one action each.
    pub fn repeated(phrase: &[u32], batch: usize, frames: usize) -> Self {
        Self { tokens: phrase.repeat(batch * frames), shape: [batch, frames, phrase.len()] }
    }

    /// No action for any frame.
    pub fn none([batch, frames, words]: [usize; 3]) -> Self {
        let mut phrase = vec![PADDING; words];
        phrase.iter_mut().take(1).for_each(|first| *first = NO_ACTION);
        Self::repeated(&phrase, batch, frames)
    }

    /// `[batch, frames, words]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The tokens in row-major order.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The phrases of `count` frames from frame `start` on.
    ///
    /// # Panics
    /// If there are fewer frames.
    pub fn narrow(&self, start: usize, count: usize) -> Self {
        let [batch, frames, words] = self.shape;
        assert!(start + count <= frames, "{start} + {count} of {frames} frames");
        let clips = self.tokens.chunks(frames * words);
        let part = clips.flat_map(|clip| &clip[start * words..(start + count) * words]);
        Self { tokens: part.copied().collect(), shape: [batch, count, words] }
    }

    /// Checks that [`Self::followed_by`] can join these and `after`.
    ///
    /// # Errors
    /// [`TextError::Unlike`] if the numbers of clips or of words differ.
    pub fn check_before(&self, after: &Self) -> Result<(), TextError> {
        let ([batch, _, words], [others, _, other_words]) = (self.shape, after.shape);
        match (batch, words) == (others, other_words) {
            true => Ok(()),
            false => Err(TextError::Unlike { first: self.shape, second: after.shape }),
        }
    }

    /// These frames and then those of `after`, clip by clip.
    ///
    /// # Panics
    /// If the numbers of clips or of words differ.
    pub fn followed_by(&self, after: &Self) -> Self {
        let ([batch, first, words], [others, second, other_words]) = (self.shape, after.shape);
        assert_eq!((batch, words), (others, other_words), "clips and words of a phrase");
        let part = |of: &Self, frames: usize, clip: usize| {
            of.tokens[clip * frames * words..(clip + 1) * frames * words].to_vec()
        };
        let clip = |clip: usize| [part(self, first, clip), part(after, second, clip)].concat();
        Self { tokens: (0..batch).flat_map(clip).collect(), shape: [batch, first + second, words] }
    }

    /// The phrases without those of the clips that `dropped` names.
    ///
    /// # Panics
    /// If there is not one answer for each clip.
    pub fn without(mut self, dropped: &[bool]) -> Self {
        let [batch, frames, words] = self.shape;
        assert_eq!(batch, dropped.len(), "one answer for each clip");
        let nothing = Self::none([1, frames, words]).tokens;
        let clips = self.tokens.chunks_mut((frames * words).max(1)).zip(dropped);
        clips.filter(|(_, dropped)| **dropped).for_each(|(clip, _)| clip.copy_from_slice(&nothing));
        self
    }

    /// The phrases with that of the first frame of `next` for the first frame of every clip that has no action. They stay as they are
    /// if either has no frame.
    ///
    /// # Panics
    /// If the numbers of clips or of words differ.
    pub fn beginning_with(mut self, next: &Self) -> Self {
        let ([batch, frames, words], [others, coming, other_words]) = (self.shape, next.shape);
        assert_eq!((batch, words), (others, other_words), "clips and words of a phrase");
        if frames * words == 0 || coming == 0 {
            return self;
        }
        let nothing = Self::none([1, 1, words]).tokens;
        let clips = self.tokens.chunks_mut(frames * words).map(|clip| &mut clip[..words]);
        for (first, told) in clips.zip(next.tokens.chunks(coming * words)) {
            if *first == *nothing {
                first.copy_from_slice(&told[..words]);
            }
        }
        self
    }

    /// The clips of every array, one below the other.
    ///
    /// # Panics
    /// If there are none, or the numbers of frames or of words differ.
    pub fn stacked(parts: &[Self]) -> Self {
        let [_, frames, words] = parts[0].shape;
        assert!(parts.iter().all(|part| part.shape[1..] == [frames, words]), "frames and words");
        let batch = parts.iter().map(|part| part.shape[0]).sum();
        let tokens = parts.iter().flat_map(|part| part.tokens.clone()).collect();
        Self { tokens, shape: [batch, frames, words] }
    }

    /// The tokens as a tensor, `[batch, frames, words]`.
    pub fn to_tensor<B: Backend>(&self, device: &Device<B>) -> Tensor<B, 3, Int> {
        let tokens: Vec<i32> = self.tokens.iter().map(|&token| token as i32).collect();
        Tensor::from_data(TensorData::new(tokens, self.shape), device)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shapes_are_checked() {
        let refused = Phrases::new(vec![0; 5], [1, 2, 3]).unwrap_err();
        assert_eq!(refused, TextError::Shape { found: 5, shape: [1, 2, 3] });
    }

    #[test]
    fn only_like_phrases_follow_each_other() {
        let phrases = |shape| Phrases::none(shape);
        phrases([2, 1, 3]).check_before(&phrases([2, 5, 3])).unwrap();
        for other in [[1, 1, 3], [2, 1, 4]] {
            let refused = phrases([2, 1, 3]).check_before(&phrases(other)).unwrap_err();
            assert_eq!(refused, TextError::Unlike { first: [2, 1, 3], second: other });
        }
    }

    #[test]
    fn no_action_is_told_once_a_phrase() {
        assert_eq!(Phrases::none([1, 2, 3]).tokens(), [1, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn dropping_leaves_the_others() {
        let phrases = Phrases::new(vec![2, 3, 4, 5], [2, 1, 2]).unwrap();
        assert_eq!(phrases.without(&[false, true]).tokens(), [2, 3, NO_ACTION, PADDING]);
    }

    proptest! {
        #[test]
        fn cutting_and_joining_gives_the_same_again(
            tokens in prop::collection::vec(0u32..9, 24),
            cut in 0usize..=3,
        ) {
            let phrases = Phrases::new(tokens, [4, 3, 2]).unwrap();
            let joined = phrases.narrow(0, cut).followed_by(&phrases.narrow(cut, 3 - cut));
            prop_assert_eq!(&joined, &phrases);
            prop_assert_eq!(Phrases::stacked(&[joined.clone(), phrases]).narrow(0, 3).shape(), [8, 3, 2]);
        }
    }
}
