//! Colours by hue, without the rounding of a platform's own functions.

/// Red, green and blue, 0 to 255 each.
pub(super) type Colour = [u8; 3];

/// The colour of a hue in turns around the colour circle (any number; red at whole ones), a saturation and a
/// brightness of 0 to 1.
pub(super) fn colour(hue: f64, saturation: f64, brightness: f64) -> Colour {
    let sector = (hue - hue.floor()) * 6.0;
    // How much of a primary is left at a distance of so many sectors from it.
    let channel = |primary: f64| {
        let distance = (sector - primary).abs();
        let distance = distance.min(6.0 - distance);
        let full = (2.0 - distance).clamp(0.0, 1.0);
        let value = brightness * (1.0 - saturation * (1.0 - full));
        (value * 255.0 + 0.5) as u8
    };
    [channel(0.0), channel(2.0), channel(4.0)]
}

/// The colour that is `share` (0 to 1) of the way from `from` to `to`.
pub(super) fn mix(from: Colour, to: Colour, share: f64) -> Colour {
    std::array::from_fn(|channel| {
        let (from, to) = (f64::from(from[channel]), f64::from(to[channel]));
        (from + (to - from) * share + 0.5) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_lie_a_third_of_the_circle_apart() {
        assert_eq!(colour(0.0, 1.0, 1.0), [255, 0, 0]);
        assert_eq!(colour(1.0 / 3.0, 1.0, 1.0), [0, 255, 0]);
        assert_eq!(colour(-1.0 / 3.0, 1.0, 1.0), [0, 0, 255]);
        assert_eq!(colour(1.0 / 6.0, 1.0, 1.0), [255, 255, 0]);
    }

    #[test]
    fn without_saturation_all_hues_are_grey() {
        for hue in [0.0, 0.3, 0.9] {
            assert_eq!(colour(hue, 0.0, 0.5), [128; 3]);
        }
    }

    #[test]
    fn mixing_goes_from_one_colour_to_the_other() {
        let (from, to) = ([0, 100, 255], [255, 100, 0]);
        assert_eq!(mix(from, to, 0.0), from);
        assert_eq!(mix(from, to, 1.0), to);
        assert_eq!(mix(from, to, 0.5), [128, 100, 128]);
    }
}
