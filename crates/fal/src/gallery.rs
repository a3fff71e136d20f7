//! Pictures of samples and of what an attack made of them.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use experiment::markup::escape;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};

use crate::attack::{AttackError, Campaign, Images, Pgd, Samples, Size, WhiteBox, prediction};

const TILE: usize = 88;
const GAP: usize = 8;
const LEFT: usize = 130;
const TOP: usize = 34;
const LINE: usize = 18;
const TEXT: &str = "font-family=\"sans-serif\" font-size=\"13\"";
/// Samples in a picture.
const SAMPLES: usize = 8;
/// Steps of the attack.
const STEPS: usize = 20;

/// A picture that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// The attack.
    #[error(transparent)]
    Attack(#[from] AttackError),
    /// The encoding of pixels.
    #[error("an image cannot be encoded as PNG")]
    Encoding(#[from] image::ImageError),
}

/// Some samples that the model gets right: as they are, the change of a projected ascent, and the result, each with what
/// the model takes it for. An SVG; grey in the middle row is no change, and the largest allowed change is black or white.
///
/// # Errors
/// Those of the model and the encoder.
pub fn gallery<M: WhiteBox>(
    title: &str,
    campaign: &Campaign,
    model: &M,
    samples: &Samples,
    class_names: &[String],
) -> Result<String, GalleryError> {
    let samples = samples.drawn(4 * SAMPLES, &campaign.seed.child("gallery"));
    let outcome = campaign.run(&Pgd::new(STEPS), model, &samples)?;
    let right = outcome.fates.iter().enumerate();
    let right = right.filter(|(_, fate)| **fate != crate::attack::Fate::Misclassified);
    let mut shown: Vec<usize> = right.map(|(index, _)| index).take(SAMPLES).collect();
    if shown.is_empty() {
        shown = (0..samples.len().min(SAMPLES)).collect();
    }
    let (clean, attacked) = (samples.images().select(&shown), outcome.images.select(&shown));
    let names = |images: &Images| -> Result<Vec<String>, GalleryError> {
        let scores = model.scores(images)?;
        let name = |row: &[f32]| {
            let class = prediction(row);
            class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
        };
        Ok(scores.iter().map(name).collect())
    };
    let change = change(&clean, &attacked, campaign.threat.epsilon as f32);
    let rows = [
        ("taken for", &clean, names(&clean)?),
        ("change", &change, vec![String::new(); shown.len()]),
        ("then taken for", &attacked, names(&attacked)?),
    ];
    draw(title, &rows)
}

/// The difference, with no change at grey and the largest allowed one at black or white.
fn change(from: &Images, to: &Images, epsilon: f32) -> Images {
    let scale = 0.5 / epsilon.max(f32::MIN_POSITIVE);
    let rows: Vec<Vec<f32>> = from
        .iter()
        .zip(to.iter())
        .map(|(from, to)| {
            from.iter()
                .zip(to)
                .map(|(from, to)| (0.5 + (to - from) * scale).clamp(0.0, 1.0))
                .collect()
        })
        .collect();
    Images::gather(from.size(), rows.iter().map(Vec::as_slice))
}

fn draw(title: &str, rows: &[(&str, &Images, Vec<String>)]) -> Result<String, GalleryError> {
    let columns = rows.first().map_or(0, |(_, images, _)| images.len());
    let (width, step) = (LEFT + columns * (TILE + GAP), TILE + LINE + GAP);
    let height = TOP + rows.len() * step;
    let title = escape(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{GAP}\" y=\"22\" {TEXT} font-weight=\"bold\">{title}</text>\n"
    );
    for (row, (label, images, names)) in rows.iter().enumerate() {
        let y = TOP + row * step;
        let middle = y + TILE + LINE - 4;
        // Writing into a string never fails.
        let _ = writeln!(svg, "<text x=\"{GAP}\" y=\"{middle}\" {TEXT}>{label}</text>");
        for (column, (pixels, name)) in images.iter().zip(names).enumerate() {
            let x = LEFT + column * (TILE + GAP);
            let (data, centre) = (png(pixels, images.size())?, x + TILE / 2);
            let name = escape(name);
            let _ = writeln!(
                svg,
                "<image x=\"{x}\" y=\"{y}\" width=\"{TILE}\" height=\"{TILE}\" style=\"image-rendering:pixelated\" \
                 href=\"data:image/png;base64,{data}\"/>\n\
                 <text x=\"{centre}\" y=\"{middle}\" text-anchor=\"middle\" {TEXT}>{name}</text>"
            );
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// One image, channel by channel, as PNG in base 64.
fn png(pixels: &[f32], size: Size) -> Result<String, GalleryError> {
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    let (width, height) = (size.width as u32, size.height as u32);
    let plane = size.width * size.height;
    let at = |x: u32, y: u32, channel: usize| {
        byte(pixels[channel * plane + y as usize * size.width + x as usize])
    };
    let image: DynamicImage = match size.channels {
        3 => RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| at(x, y, c))))
            .into(),
        _ => GrayImage::from_fn(width, height, |x, y| image::Luma([at(x, y, 0)])).into(),
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(STANDARD.encode(bytes.into_inner()))
}

#[cfg(test)]
mod tests {
    use experiment::seed::Seed;

    use super::*;
    use crate::attack::{ThreatModel, toy};

    #[test]
    fn a_gallery_shows_sample_change_and_result() {
        let model = toy::network_model(6, 5);
        let samples = toy::right_samples(&model, toy::noise(24, 5));
        let campaign = Campaign::new(ThreatModel::linf(0.5), Seed::new(2));
        let names: Vec<String> = (0..6).map(|class| format!("<{class}>")).collect();
        let svg = gallery("a & b", &campaign, &model, &samples, &names).unwrap();
        assert_eq!(svg.matches("<image").count(), 3 * SAMPLES);
        assert!(
            svg.contains("a &amp; b") && svg.contains("then taken for") && svg.contains("&lt;")
        );
    }

    #[test]
    fn changes_are_grey_where_there_is_none() {
        let one = toy::images(&[&[0.2, 0.5, 0.9]]);
        let other = toy::images(&[&[0.2, 0.6, 0.8]]);
        let change = change(&one, &other, 0.1);
        let found: Vec<f32> = change.get(0).to_vec();
        for (found, expected) in found.iter().zip([0.5, 1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn colours_are_encoded() {
        let size = Size { channels: 3, height: 1, width: 2 };
        let text = png(&[1.0, 0.0, 0.0, 0.5, 0.0, 1.0], size).unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        let image = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(
            (image.get_pixel(0, 0).0, image.get_pixel(1, 0).0),
            ([255, 0, 0], [0, 128, 255])
        );
    }
}
