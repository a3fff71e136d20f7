//! Frames of one episode side by side, and the rows of several methods below each other.

use std::fmt::Write;
use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use experiment::markup::escape;
use image::{ImageFormat, Rgb, RgbImage};

use crate::metrics::{MetricError, Video};

/// Frames of a strip.
pub const COLUMNS: usize = 12;
const GAP: u32 = 2;
/// Width of a strip on the page, of the names beside it, and pixels of a line.
const WIDTH: usize = 900;
const LEFT: usize = 210;
const LINE: usize = 18;
const TEXT: &str = "font-family=\"sans-serif\" font-size=\"13\"";

/// The frames of a strip: evenly spaced, the first and the last among them.
pub fn shown(frames: usize) -> Vec<usize> {
    (0..COLUMNS).map(|column| column * frames.saturating_sub(1) / (COLUMNS - 1)).collect()
}

/// A strip of a video as a PNG in base 64.
///
/// # Errors
/// [`MetricError::NoSuchFrame`] without frames.
pub fn strip(video: Video<'_>) -> Result<String, MetricError> {
    let (width, height) = (video.width() as u32, video.height() as u32);
    let size = (COLUMNS as u32 * (width + GAP) - GAP, height);
    let mut sheet = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
    for (column, number) in shown(video.len()).into_iter().enumerate() {
        let left = column as u32 * (width + GAP);
        for (index, colour) in video.frame(number)?.as_chunks::<3>().0.iter().enumerate() {
            let (x, y) = (index as u32 % width, index as u32 / width);
            sheet.put_pixel(left + x, y, Rgb(*colour));
        }
    }
    let mut png = Cursor::new(Vec::new());
    sheet.write_to(&mut png, ImageFormat::Png).expect("a picture in memory can be written");
    Ok(STANDARD.encode(png.into_inner()))
}

/// Named strips of one episode of `frames` frames as an SVG, each frame of `[height, width]` pixels.
pub fn rows(strips: &[(String, String)], [height, width]: [usize; 2], frames: usize) -> String {
    let tall = (WIDTH - COLUMNS * GAP as usize) / COLUMNS * height / width.max(1);
    let (across, down) = (LEFT + WIDTH, LINE + strips.len() * (tall + 6));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {across} {down}\" width=\"{across}\" height=\"{down}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut text = |x: usize, y: usize, text: &str| {
        let text = escape(text);
        writeln!(svg, "<text x=\"{x}\" y=\"{y}\" {TEXT}>{text}</text>").expect("texts take all");
    };
    for (column, frame) in shown(frames).into_iter().enumerate() {
        text(LEFT + column * WIDTH / COLUMNS, LINE - 5, &frame.to_string());
    }
    for (row, (name, _)) in strips.iter().enumerate() {
        text(0, LINE + row * (tall + 6) + tall / 2, name);
    }
    for (row, (_, png)) in strips.iter().enumerate() {
        let y = LINE + row * (tall + 6);
        writeln!(
            svg,
            "<image x=\"{LEFT}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{tall}\" preserveAspectRatio=\"none\" href=\"data:image/png;base64,{png}\"/>"
        )
        .expect("texts take all");
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_begins_with_the_first_frame_and_ends_with_the_last() {
        let bytes: Vec<u8> = (0..30).flat_map(|frame| [frame * 8; 12]).collect();
        let png = strip(Video::new(&bytes, 2, 2).unwrap()).unwrap();
        let sheet = image::load_from_memory(&STANDARD.decode(&png).unwrap()).unwrap().to_rgb8();
        assert_eq!(sheet.dimensions(), (12 * 4 - 2, 2));
        assert_eq!((sheet.get_pixel(0, 0).0, sheet.get_pixel(45, 1).0), ([0; 3], [232; 3]));
        let svg = rows(&[("a < b".into(), png)], [2, 2], 30);
        assert!(svg.contains("a &lt; b") && svg.matches("<image").count() == 1);
    }
}
