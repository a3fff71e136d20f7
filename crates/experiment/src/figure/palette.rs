//! Colours.

use plotters::style::{BLACK, RGBColor, WHITE};

/// Titles and numbers.
pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
/// Axis names, axes and markers.
pub(super) const GREY: RGBColor = RGBColor(95, 95, 95);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(228, 228, 228);

/// The palette of Okabe and Ito (2008) without its yellow, which is too faint on white.
const SERIES: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

/// The colour of series number `index`, and how often the palette was used up before it.
pub(super) fn series(index: usize) -> (RGBColor, usize) {
    (SERIES[index % SERIES.len()], index / SERIES.len())
}

/// From blue through near-white to red, which stay apart in every common kind of colour blindness.
const DIVERGING: [(f64, f64, f64); 5] = [
    (33.0, 102.0, 172.0),
    (146.0, 197.0, 222.0),
    (247.0, 247.0, 247.0),
    (244.0, 165.0, 130.0),
    (178.0, 24.0, 43.0),
];

/// The colour of `position` between -1 (blue) and 1 (red).
pub(super) fn diverging(position: f64) -> RGBColor {
    let last = DIVERGING.len() - 1;
    let place = (position.clamp(-1.0, 1.0) + 1.0) / 2.0 * last as f64;
    let below = (place.floor() as usize).min(last - 1);
    let share = place - below as f64;
    let (from, to) = (DIVERGING[below], DIVERGING[below + 1]);
    let mix = |from: f64, to: f64| (from + share * (to - from)).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Black or white, whichever can be read better on `background`.
pub(super) fn text_on(background: RGBColor) -> RGBColor {
    if contrast(background, BLACK) >= contrast(background, WHITE) { BLACK } else { WHITE }
}

/// The contrast ratio of WCAG 2, from 1 to 21.
fn contrast(left: RGBColor, right: RGBColor) -> f64 {
    let (left, right) = (luminance(left), luminance(right));
    (left.max(right) + 0.05) / (left.min(right) + 0.05)
}

/// The relative luminance of an sRGB colour, from 0 to 1.
fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
    let linear = |channel: u8| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_read_on_every_cell() {
        for step in -100..=100 {
            let background = diverging(f64::from(step) / 100.0);
            assert!(contrast(background, text_on(background)) > 4.5, "{background:?}");
        }
    }

    #[test]
    fn the_diverging_colours_have_the_right_ends_and_centre() {
        assert_eq!(diverging(-2.0), RGBColor(33, 102, 172));
        assert_eq!(diverging(0.0), RGBColor(247, 247, 247));
        assert_eq!(diverging(1.0), RGBColor(178, 24, 43));
    }

    #[test]
    fn series_past_the_palette_are_told_apart() {
        assert_eq!(series(0), (RGBColor(0, 114, 178), 0));
        assert_eq!(series(7), (RGBColor(0, 114, 178), 1));
    }
}
