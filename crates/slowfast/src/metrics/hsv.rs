//! Hue, saturation and value of 8-bit colours, by the whole-number arithmetic of OpenCV's `COLOR_RGB2HSV`.

use std::sync::LazyLock;

/// Binary digits behind the point.
const SHIFT: u32 = 12;
const HALF: i32 = 1 << (SHIFT - 1);
/// Hues are 0 to 179, in units of two degrees.
const HUES: i32 = 180;

/// `round(numerator / divisor)` in fixed point for all divisors of a byte; 0 for the divisor 0.
fn quotients(numerator: f64) -> [i32; 256] {
    std::array::from_fn(|divisor| match divisor {
        0 => 0,
        divisor => (numerator * f64::from(1 << SHIFT) / divisor as f64).round_ties_even() as i32,
    })
}

static SATURATION: LazyLock<[i32; 256]> = LazyLock::new(|| quotients(255.0));
static HUE: LazyLock<[i32; 256]> = LazyLock::new(|| quotients(f64::from(HUES) / 6.0));

/// Hue (0 to 179), saturation and value (0 to 255) of red, green and blue.
pub(super) fn hsv([red, green, blue]: [u8; 3]) -> [u8; 3] {
    let value = red.max(green).max(blue);
    let range = value - red.min(green).min(blue);
    let [red, green, blue] = [red, green, blue].map(i32::from);
    let saturation = (i32::from(range) * SATURATION[usize::from(value)] + HALF) >> SHIFT;
    let spread = i32::from(range);
    let sixths = if i32::from(value) == red {
        green - blue
    } else if i32::from(value) == green {
        blue - red + 2 * spread
    } else {
        red - green + 4 * spread
    };
    let hue = (sixths * HUE[usize::from(range)] + HALF) >> SHIFT;
    let hue = if hue < 0 { hue + HUES } else { hue };
    [hue as u8, saturation as u8, value]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of OpenCV 5.0, `cv2.cvtColor` with `COLOR_RGB2HSV`.
    #[test]
    fn colours_are_those_of_opencv() {
        for (rgb, expected) in [
            ([255, 0, 0], [0, 255, 255]),
            ([0, 255, 0], [60, 255, 255]),
            ([0, 0, 255], [120, 255, 255]),
            ([255, 0, 255], [150, 255, 255]),
            ([255, 0, 1], [0, 255, 255]),
            ([128, 128, 128], [0, 0, 128]),
            ([0, 0, 0], [0, 0, 0]),
        ] {
            assert_eq!(hsv(rgb), expected, "{rgb:?}");
        }
    }
}
