//! The paper that all figures are drawn on: white, with a title, a legend under it and the rest for the data.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{DashedPathElement, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE};

use super::FigureError;
use super::palette::{self, INK};
use crate::markup::escape;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Height of letters in pixels.
pub(super) const TITLE_SIZE: f64 = 17.0;
pub(super) const TEXT_SIZE: f64 = 14.0;

const MARGIN: i32 = 16;
const LINE_HEIGHT: i32 = 22;
/// Width of the sample of a colour in the legend.
const SAMPLE: i32 = 24;
const GAP: i32 = 8;

/// What the legend shows of series number `index`.
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) index: usize,
    pub(super) line: bool,
}

/// Draws a figure of `width` pixels with `height` pixels for the data, which `body` draws.
pub(super) fn draw(
    title: &str,
    (width, height): (u32, u32),
    legend: &[Key<'_>],
    body: impl FnOnce(&Area<'_>) -> Result<(), FigureError>,
) -> Result<String, FigureError> {
    let inner_width = width as i32 - 2 * MARGIN;
    let title_lines = wrap(title, inner_width, TITLE_SIZE);
    let places = legend_places(legend, inner_width);
    let legend_lines = places.last().map_or(0, |(_, line)| line + 1);
    let top = MARGIN / 2 + LINE_HEIGHT * (title_lines.len() as i32 + legend_lines);

    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (width, height + top as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    for (index, line) in title_lines.iter().enumerate() {
        let plain = text(TITLE_SIZE, INK, (HPos::Left, VPos::Center));
        let bold = TextStyle { font: plain.font.style(FontStyle::Bold), ..plain };
        root.draw(&Text::new(line.clone(), (MARGIN, MARGIN + LINE_HEIGHT * index as i32), bold))?;
    }
    for (key, (x, line)) in legend.iter().zip(places) {
        draw_key(&root, key, MARGIN + x, MARGIN + LINE_HEIGHT * (title_lines.len() as i32 + line))?;
    }
    body(&root.split_vertically(top).1)?;
    root.present()?;
    drop(root);
    Ok(described(&svg, title))
}

/// Gives readers who cannot see the figure its title.
fn described(svg: &str, title: &str) -> String {
    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(title)), 1)
}

/// Where each key of the legend stands: pixels from the left, and its line.
fn legend_places(legend: &[Key<'_>], width: i32) -> Vec<(i32, i32)> {
    let (mut x, mut line) = (0, 0);
    let place = |key: &Key<'_>| {
        let needed = SAMPLE + GAP + text_width(key.name, TEXT_SIZE);
        if x > 0 && x + needed > width {
            (x, line) = (0, line + 1);
        }
        let place = (x, line);
        x += needed + 3 * GAP;
        place
    };
    legend.iter().map(place).collect()
}

fn draw_key(root: &Area<'_>, key: &Key<'_>, x: i32, y: i32) -> Result<(), FigureError> {
    if key.line {
        draw_line(root, &[(x, y), (x + SAMPLE, y)], key.index)?;
    } else {
        let (left, right) = (x + SAMPLE / 4, x + SAMPLE - SAMPLE / 4);
        root.draw(&Rectangle::new([(left, y - 7), (right, y + 7)], fill_of(key.index)))?;
    }
    let style = text(TEXT_SIZE, INK, (HPos::Left, VPos::Center));
    root.draw(&Text::new(key.name.to_owned(), (x + SAMPLE + GAP, y), style))?;
    Ok(())
}

/// Draws a line in the colour of series number `index`: dashed where the colours begin again.
pub(super) fn draw_line(
    root: &Area<'_>,
    points: &[(i32, i32)],
    index: usize,
) -> Result<(), FigureError> {
    let (color, round) = palette::series(index);
    let style = color.stroke_width(2);
    if round == 0 {
        root.draw(&PathElement::new(points.to_vec(), style))?;
    } else {
        draw_dashed(root, points, style, 3 * round as i32 + 3)?;
    }
    Ok(())
}

/// Draws a line of dashes `length` pixels long.
pub(super) fn draw_dashed(
    root: &Area<'_>,
    points: &[(i32, i32)],
    style: ShapeStyle,
    length: i32,
) -> Result<(), FigureError> {
    root.draw(&DashedPathElement::new(points.to_vec(), length, 4, style))?;
    Ok(())
}

/// How the bars of series number `index` are filled: fainter where the colours begin again.
pub(super) fn fill_of(index: usize) -> ShapeStyle {
    let (color, round) = palette::series(index);
    color.mix(1.0 / (1.0 + round as f64)).filled()
}

/// Text with letters of `size` pixels, anchored at its `horizontal` and `vertical` position.
pub(super) fn text(
    size: f64,
    color: RGBColor,
    (horizontal, vertical): (HPos, VPos),
) -> TextStyle<'static> {
    // plotters divides by 1.24 when it writes the size into the SVG.
    let font = ("sans-serif", size * 1.24).into_font();
    TextStyle { font, color: color.to_backend_color(), pos: Pos::new(horizontal, vertical) }
}

/// About how wide `text` is, in pixels; an SVG cannot know which font it will be shown in.
pub(super) fn text_width(text: &str, size: f64) -> i32 {
    let ems = text.chars().map(|letter| match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' => 0.26,
        'f' | 'r' | 't' | ' ' | '(' | ')' | '[' | ']' | '-' | '/' => 0.34,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.87,
        capital if capital.is_uppercase() => 0.69,
        _ => 0.56,
    });
    (ems.sum::<f64>() * size).ceil() as i32
}

/// Breaks `text` between words into lines of at most `width` pixels; a longer word has its own line.
pub(super) fn wrap(text: &str, width: i32, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Draws `lines` under each other, centred at `x`, the first one's top at `y`.
pub(super) fn draw_centred(
    root: &Area<'_>,
    lines: &[String],
    (x, y): (i32, i32),
) -> Result<(), FigureError> {
    for (index, line) in lines.iter().enumerate() {
        let style = text(TEXT_SIZE, INK, (HPos::Center, VPos::Top));
        root.draw(&Text::new(line.clone(), (x, y + index as i32 * (TEXT_SIZE as i32 + 3)), style))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two  three", 50, 10.0), ["one two", "three"]);
        assert_eq!(wrap("unbreakable x", 20, 10.0), ["unbreakable", "x"]);
        assert!(wrap(" ", 20, 10.0).is_empty());
    }

    #[test]
    fn the_legend_goes_on_in_the_next_line() {
        let key = |name| Key { name, index: 0, line: true };
        let places = legend_places(&[key("a"), key("b"), key(&"long ".repeat(20))], 300);
        assert_eq!((places[0], places[1].1, places[2]), ((0, 0), 0, (0, 1)));
    }

    #[test]
    fn titles_are_escaped_wherever_they_stand() {
        let svg = draw("a < b & \"c\"", (300, 100), &[], |_| Ok(())).unwrap();
        assert!(
            svg.starts_with("<svg role=\"img\" aria-label=\"a &lt; b &amp; &quot;c&quot;\" "),
            "{svg}"
        );
        assert!(!svg.contains("a < b"));
        assert!(svg.trim_end().ends_with("</svg>"));
    }
}
