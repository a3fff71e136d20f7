//! Many small frames in one picture, a row an episode, from its first frame to its last.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use crate::clip::{ClipError, ClipSet, Description};

/// Frames in a row.
const COLUMNS: usize = 12;
/// Pixels between frames.
const GAP: u32 = 2;
/// Frames are enlarged by a whole number to about this many pixels.
const TARGET: usize = 128;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

/// A PNG with frames of the `episodes`, evenly spaced over each.
///
/// # Errors
/// Those of reading the clips.
pub(super) fn draw(clips: &ClipSet, episodes: &[usize]) -> Result<Vec<u8>, ClipError> {
    let description = &clips.index().description;
    let (height, width) = (description.height, description.width);
    let enlarged = (TARGET / height.max(width)).max(1) as u32;
    let cell = (width as u32 * enlarged + GAP, height as u32 * enlarged + GAP);
    let mut sheet = RgbImage::from_pixel(
        COLUMNS as u32 * cell.0 + GAP,
        episodes.len() as u32 * cell.1 + GAP,
        PAPER,
    );
    for (row, episode) in episodes.iter().enumerate() {
        let last = clips.entry(*episode)?.frames - 1;
        for column in 0..COLUMNS {
            let frame = column * last / (COLUMNS - 1);
            let window = clips.window(*episode, frame..frame + 1)?;
            let corner = (column as u32 * cell.0 + GAP, row as u32 * cell.1 + GAP);
            for (x, y, pixel) in enlarged_pixels(window.frame(0), width, enlarged) {
                sheet.put_pixel(corner.0 + x, corner.1 + y, pixel);
            }
        }
    }
    let mut png = Cursor::new(Vec::new());
    sheet
        .write_to(&mut png, ImageFormat::Png)
        .expect("a picture in memory can be written to memory");
    Ok(png.into_inner())
}

/// Bytes of a row of the sheet.
pub(super) fn row_bytes(Description { height, width, .. }: &Description) -> f64 {
    let (height, width) = (*height as f64, *width as f64);
    let enlarged = (TARGET as f64 / height.max(width)).floor().max(1.0);
    let gap = f64::from(GAP);
    3.0 * (height * enlarged + gap) * COLUMNS as f64 * (width * enlarged + gap)
}

/// The pixels of a frame `[height, width, 3]`, each as a square.
fn enlarged_pixels(
    frame: &[u8],
    width: usize,
    enlarged: u32,
) -> impl Iterator<Item = (u32, u32, Rgb<u8>)> {
    frame.as_chunks::<3>().0.iter().enumerate().flat_map(move |(index, colour)| {
        let corner = ((index % width) as u32 * enlarged, (index / width) as u32 * enlarged);
        (0..enlarged * enlarged)
            .map(move |part| (corner.0 + part % enlarged, corner.1 + part / enlarged, Rgb(*colour)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::{ClipWriter, Description, PoseScale, test_episodes::recordings};

    #[test]
    fn the_sheet_shows_the_first_and_the_last_frame_of_each_episode() {
        let folder = tempfile::tempdir().unwrap();
        let description = Description {
            generator: "test".into(),
            settings: serde_json::Value::Null,
            height: 4,
            width: 6,
            pose: PoseScale { position: 1, heading: 8 },
        };
        let writer = ClipWriter::create(folder.path(), description).unwrap();
        writer.write_shard(0, &recordings()).unwrap();
        writer.finish(1).unwrap();
        let clips = ClipSet::open(folder.path()).unwrap();
        let sheet = image::load_from_memory(&draw(&clips, &[0, 3]).unwrap()).unwrap().to_rgb8();
        // 21 times as large: cells of 128 by 86 pixels.
        assert_eq!(sheet.dimensions(), (12 * 128 + 2, 2 * 86 + 2));
        assert_eq!(row_bytes(&clips.index().description), f64::from(3 * 86 * 12 * 128));
        let episode = clips.episode(3).unwrap();
        assert_eq!(sheet.get_pixel(2, 88).0, episode.frame(0)[..3]);
        let last = episode.frame(episode.len() - 1);
        assert_eq!(sheet.get_pixel(12 * 128 - 1, 2 * 86 - 1).0, last[69..]);
        assert_eq!(*sheet.get_pixel(0, 0), PAPER);
    }
}
