//! A contact sheet: the first images of each class, a class a row.

use std::io::Cursor;

use image::error::{LimitError, LimitErrorKind};
use image::{ImageError, ImageFormat, Rgb, RgbImage};

use crate::data::{ImageSet, ImageShape};

/// Images of each class.
const COLUMNS: usize = 12;
/// The least length of an image's longer side on the sheet; small ones are enlarged by a whole factor.
const LEAST: usize = 56;
/// Pixels of a sheet at most: 800 MB of memory.
const MOST: usize = 1 << 28;
/// Between images.
const GAP: usize = 4;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// The sheet as PNG. Grey images are grey, of others the first three channels are red, green and blue.
///
/// # Errors
/// Those of the encoder, and one for a sheet that is too large to be drawn.
pub(super) fn contact_sheet(set: &ImageSet) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    draw(set)?.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn draw(set: &ImageSet) -> Result<RgbImage, ImageError> {
    let ImageShape { height, width, .. } = set.shape();
    let factor = LEAST.div_ceil(width.max(height).max(1));
    let [cell_width, cell_height] = [width, height].map(|length| length * factor + GAP);
    let sides = [COLUMNS * cell_width + GAP, set.classes() * cell_height + GAP];
    if sides[0].saturating_mul(sides[1]) > MOST {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::DimensionError)));
    }
    let [sheet_width, sheet_height] = sides.map(|side| side as u32);
    let mut sheet = RgbImage::from_pixel(sheet_width, sheet_height, PAPER);
    let mut shown = vec![0; set.classes()];
    for (index, class) in set.labels().iter().map(|label| usize::from(*label)).enumerate() {
        if shown[class] < COLUMNS {
            let (left, top) = (GAP + shown[class] * cell_width, GAP + class * cell_height);
            draw_image(&mut sheet, set, index, [left, top], factor);
            shown[class] += 1;
        }
    }
    Ok(sheet)
}

fn draw_image(
    sheet: &mut RgbImage,
    set: &ImageSet,
    index: usize,
    [left, top]: [usize; 2],
    factor: usize,
) {
    let ImageShape { channels, height, width } = set.shape();
    let image = set.image(index);
    let value = |channel: usize, row: usize, column: usize| {
        let channel = if channels < 3 { 0 } else { channel };
        (image[(channel * height + row) * width + column] * 255.0).round() as u8
    };
    for y in 0..height * factor {
        for x in 0..width * factor {
            let color = [0, 1, 2].map(|channel| value(channel, y / factor, x / factor));
            sheet.put_pixel((left + x) as u32, (top + y) as u32, Rgb(color));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(channels: usize) -> ImageSet {
        let shape = ImageShape { channels, height: 1, width: 2 };
        let pixels = [0.0, 1.0].repeat(3 * channels);
        let names = vec!["none".into(), "all".into()];
        ImageSet::new("stripes", shape, pixels, vec![1; 3], names).unwrap()
    }

    #[test]
    fn each_class_has_its_row() {
        let sheet = draw(&set(1)).unwrap();
        assert_eq!(sheet.dimensions(), (12 * 60 + 4, 2 * 32 + 4));
        let row = GAP as u32 + 32 + 1;
        assert_eq!(*sheet.get_pixel(5, row), Rgb([0; 3]));
        assert_eq!(*sheet.get_pixel(5 + 28, row), Rgb([255; 3]));
        // Nothing is shown where there is nothing: three images, and none of the first class.
        assert_eq!(*sheet.get_pixel(5 + 2 * 60, row), Rgb([0; 3]));
        assert_eq!(*sheet.get_pixel(5 + 3 * 60, row), PAPER);
        assert_eq!(*sheet.get_pixel(5, 5), PAPER);
    }

    #[test]
    fn a_sheet_that_is_too_large_is_refused() {
        let of_height = |height| {
            let shape = ImageShape { channels: 1, height, width: 1 };
            let names = vec!["none".into(), "all".into()];
            ImageSet::new("pillar", shape, vec![0.5; height], vec![1], names).unwrap()
        };
        // Enlarged by its height and not by its width.
        assert_eq!(draw(&of_height(56)).unwrap().dimensions(), (12 * 5 + 4, 2 * 60 + 4));
        assert!(contact_sheet(&of_height(3_000_000)).is_err());
    }

    #[test]
    fn it_is_a_picture_again_when_read() {
        for channels in [1, 3] {
            let set = set(channels);
            let read = image::load_from_memory(&contact_sheet(&set).unwrap()).unwrap();
            assert_eq!(read.into_rgb8(), draw(&set).unwrap());
        }
    }
}
