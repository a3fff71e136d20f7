//! Small square pictures for walls, floors and ceilings, drawn by rule.

use rand::{Rng, RngExt};

use super::colour::{Colour, mix};

/// Texels along a side.
pub(super) const SIDE: usize = 32;

/// How two colours alternate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Plain,
    Bricks,
    Upright,
    Level,
    Checks,
    Diagonal,
    Dots,
    Diamonds,
    Panels,
}

impl Pattern {
    /// Those for walls.
    pub(super) const ALL: [Self; 9] = [
        Self::Bricks,
        Self::Upright,
        Self::Level,
        Self::Checks,
        Self::Diagonal,
        Self::Dots,
        Self::Diamonds,
        Self::Panels,
        Self::Plain,
    ];

    /// Whether the second colour is at texel (x, y), y from the top.
    fn second(self, x: usize, y: usize) -> bool {
        let square = |centre: usize, value: usize| value.abs_diff(centre) * value.abs_diff(centre);
        match self {
            Self::Plain => false,
            Self::Bricks => y % 8 == 7 || (x + (y / 8 % 2) * 8) % 16 == 15,
            Self::Upright => x % 16 < 8,
            Self::Level => y % 16 < 8,
            Self::Checks => (x / 8 + y / 8) % 2 == 1,
            Self::Diagonal => (x + y) % 16 < 8,
            Self::Dots => square(8, x % 16) + square(8, y % 16) < 20,
            Self::Diamonds => (x % 16).abs_diff(8) + (y % 16).abs_diff(8) < 6,
            Self::Panels => !(3..29).contains(&x) || !(3..29).contains(&y),
        }
    }
}

/// A square of [`SIDE`] by [`SIDE`] texels that repeats without a seam.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Texture {
    texels: Vec<Colour>,
}

impl Texture {
    /// Two colours in a pattern, each texel a little lighter or darker at random.
    pub(super) fn of(pattern: Pattern, colours: [Colour; 2], rng: &mut impl Rng) -> Self {
        let texel = |index: usize| {
            let chosen = colours[usize::from(pattern.second(index % SIDE, index / SIDE))];
            let grain: f64 = rng.random_range(-0.12..0.12);
            mix(chosen, if grain > 0.0 { [255; 3] } else { [0; 3] }, grain.abs())
        };
        Self { texels: (0..SIDE * SIDE).map(texel).collect() }
    }

    /// The same picture with a framed sign of 5 by 5 squares in its middle. Of the sign's 15 bits the lowest 5 are its
    /// left and right columns, the next 5 those beside its middle column, the highest 5 the middle.
    pub(super) fn with_sign(mut self, bits: u16, ink: Colour, paper: Colour) -> Self {
        const SQUARE: usize = 4;
        const MARGIN: usize = (SIDE - 5 * SQUARE) / 2;
        const FRAME: usize = 2;
        let inside = MARGIN..SIDE - MARGIN;
        let framed = MARGIN - FRAME..SIDE - MARGIN + FRAME;
        for (index, texel) in self.texels.iter_mut().enumerate() {
            let (x, y) = (index % SIDE, index / SIDE);
            if !framed.contains(&x) || !framed.contains(&y) {
                continue;
            }
            if !inside.contains(&x) || !inside.contains(&y) {
                *texel = [250, 250, 245];
                continue;
            }
            let (column, row) = ((x - MARGIN) / SQUARE, (y - MARGIN) / SQUARE);
            let bit = 5 * column.min(4 - column) + row;
            *texel = if bits >> bit & 1 == 1 { ink } else { paper };
        }
        self
    }

    /// The texel at `u` (from the left) and `v` (from the top); whole numbers repeat.
    pub(super) fn at(&self, u: f64, v: f64) -> Colour {
        let texel = |part: f64| ((part - part.floor()) * SIDE as f64) as usize % SIDE;
        self.texels[texel(v) * SIDE + texel(u)]
    }
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;

    fn texture(pattern: Pattern) -> Texture {
        Texture::of(pattern, [[200, 0, 0], [0, 0, 200]], &mut Seed::new(1).rng())
    }

    #[test]
    fn every_pattern_differs_from_the_others() {
        for (index, pattern) in Pattern::ALL.iter().enumerate() {
            for other in &Pattern::ALL[..index] {
                assert_ne!(texture(*pattern), texture(*other));
            }
        }
    }

    #[test]
    fn signs_are_symmetric_and_told_apart_by_their_bits() {
        let sign = |bits| texture(Pattern::Plain).with_sign(bits, [255, 255, 0], [0, 0, 0]);
        assert_ne!(sign(0b1), sign(0b10));
        let drawn = sign(0b10110_01011_10001);
        for y in 6..26 {
            for x in 6..16 {
                assert_eq!(drawn.texels[y * SIDE + x], drawn.texels[y * SIDE + SIDE - 1 - x]);
            }
        }
    }

    #[test]
    fn textures_repeat_and_take_any_place() {
        let texture = texture(Pattern::Bricks);
        for place in [0.0, 0.25, 0.99, -0.25, 1.0 - 1e-17, -1e-20] {
            assert_eq!(texture.at(place, place), texture.at(place + 3.0, place - 2.0));
        }
    }
}
