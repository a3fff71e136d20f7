//! A table of numbers with colours.

use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{self, Area, TEXT_SIZE};
use super::palette::{self, GREY, INK};
use super::{FigureError, require_length};

/// Width and height of a cell in pixels.
const CELL: (i32, i32) = (76, 38);
const LINE_HEIGHT: i32 = 17;
const MARGIN: i32 = 16;
/// The colour of a cell without a number.
const ABSENT: RGBColor = RGBColor(225, 225, 225);

/// A heat map with its values printed: blue below the centre, red above it, grey where there is no number.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    title: String,
    rows: Vec<String>,
    columns: Vec<String>,
    values: Vec<Vec<f64>>,
    centre: f64,
    decimals: usize,
    names: (String, String),
}

impl HeatMap {
    /// A heat map with a value for each row and column: `values[row][column]`.
    pub fn new<R: Into<String>, C: Into<String>>(
        title: impl Into<String>,
        rows: impl IntoIterator<Item = R>,
        columns: impl IntoIterator<Item = C>,
        values: Vec<Vec<f64>>,
    ) -> Self {
        Self {
            title: title.into(),
            rows: rows.into_iter().map(Into::into).collect(),
            columns: columns.into_iter().map(Into::into).collect(),
            values,
            centre: 0.0,
            decimals: 2,
            names: Default::default(),
        }
    }

    /// The value that is shown white; 0 unless told.
    #[must_use]
    pub fn centre(mut self, centre: f64) -> Self {
        self.centre = centre;
        self
    }

    /// How many decimals are printed; 2 unless told.
    #[must_use]
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    /// What the rows and the columns are.
    #[must_use]
    pub fn axes(mut self, rows: impl Into<String>, columns: impl Into<String>) -> Self {
        self.names = (rows.into(), columns.into());
        self
    }

    /// The heat map as an SVG.
    ///
    /// # Errors
    /// [`FigureError::NothingToDraw`] without a finite value, and [`FigureError::Length`] where values and labels do
    /// not match.
    pub fn to_svg(&self) -> Result<String, FigureError> {
        require_length(&self.title, self.rows.len(), self.values.len())?;
        for (row, values) in self.rows.iter().zip(&self.values) {
            require_length(row, self.columns.len(), values.len())?;
        }
        let finite = self.values.iter().flatten().filter(|value| value.is_finite());
        let furthest = finite.map(|value| (value - self.centre).abs()).reduce(f64::max);
        let furthest =
            furthest.ok_or_else(|| FigureError::NothingToDraw { title: self.title.clone() })?;

        let layout = Layout::of(self);
        canvas::draw(&self.title, layout.size, &[], |area| self.draw(area, &layout, furthest))
    }

    fn draw(&self, area: &Area<'_>, layout: &Layout, furthest: f64) -> Result<(), FigureError> {
        let (left, top) = layout.origin;
        self.draw_names(area, layout)?;
        for (column, lines) in layout.columns.iter().enumerate() {
            let height = lines.len() as i32 * LINE_HEIGHT;
            canvas::draw_centred(
                area,
                lines,
                (left + column as i32 * CELL.0 + CELL.0 / 2, top - height - 4),
            )?;
        }
        for (row, (label, values)) in self.rows.iter().zip(&self.values).enumerate() {
            let y = top + row as i32 * CELL.1;
            let style = canvas::text(TEXT_SIZE, INK, (HPos::Right, VPos::Center));
            area.draw(&Text::new(label.clone(), (left - 8, y + CELL.1 / 2), style))?;
            for (column, value) in values.iter().enumerate() {
                self.draw_cell(area, (left + column as i32 * CELL.0, y), *value, furthest)?;
            }
        }
        Ok(())
    }

    fn draw_names(&self, area: &Area<'_>, layout: &Layout) -> Result<(), FigureError> {
        let (left, top) = layout.origin;
        let (rows, columns) = &self.names;
        let style = |side| canvas::text(TEXT_SIZE, GREY, (side, VPos::Center));
        area.draw(&Text::new(columns.clone(), (left, LINE_HEIGHT / 2), style(HPos::Left)))?;
        area.draw(&Text::new(
            rows.clone(),
            (left - 8, top - LINE_HEIGHT / 2 - 4),
            style(HPos::Right),
        ))?;
        Ok(())
    }

    fn draw_cell(
        &self,
        area: &Area<'_>,
        (x, y): (i32, i32),
        value: f64,
        furthest: f64,
    ) -> Result<(), FigureError> {
        let (color, text) = if value.is_finite() {
            // All values may be the centre itself.
            let position = if furthest > 0.0 { (value - self.centre) / furthest } else { 0.0 };
            (palette::diverging(position), format!("{value:.*}", self.decimals))
        } else {
            (ABSENT, "–".to_owned())
        };
        area.draw(&Rectangle::new([(x, y), (x + CELL.0 - 2, y + CELL.1 - 2)], color.filled()))?;
        let style = canvas::text(TEXT_SIZE, palette::text_on(color), (HPos::Center, VPos::Center));
        area.draw(&Text::new(text, (x + CELL.0 / 2 - 1, y + CELL.1 / 2 - 1), style))?;
        Ok(())
    }
}

/// Where things stand, in pixels.
struct Layout {
    size: (u32, u32),
    /// The upper left corner of the cells.
    origin: (i32, i32),
    columns: Vec<Vec<String>>,
}

impl Layout {
    fn of(map: &HeatMap) -> Self {
        let labels = map.rows.iter().chain([&map.names.0]);
        let widest = labels.map(|label| canvas::text_width(label, TEXT_SIZE)).max().unwrap_or(0);
        let columns: Vec<_> =
            map.columns.iter().map(|label| canvas::wrap(label, CELL.0 - 6, TEXT_SIZE)).collect();
        let lines = columns.iter().map(Vec::len).max().unwrap_or(0) as i32;
        let name_lines = i32::from(!map.names.1.is_empty());
        let origin = (MARGIN + widest + 8, (lines + name_lines) * LINE_HEIGHT + 10);
        let width = origin.0 + (map.columns.len() as i32 * CELL.0).max(CELL.0 * 2) + MARGIN;
        let height = origin.1 + map.rows.len() as i32 * CELL.1 + MARGIN;
        Self { size: (width as u32, height as u32), origin, columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: Vec<Vec<f64>>) -> HeatMap {
        HeatMap::new("transfer", ["hop 2", "hop 3"], ["hop 4", "hop 5"], values)
    }

    #[test]
    fn every_value_and_label_is_printed() {
        let svg = map(vec![vec![0.5, -1.0], vec![0.25, f64::NAN]])
            .decimals(1)
            .axes("trained", "tested")
            .to_svg()
            .unwrap();
        for text in ["hop 2", "hop 5", "0.5", "-1.0", "0.2", "–", "trained", "tested"] {
            assert!(svg.contains(&format!("{text}\n")), "{text}");
        }
    }

    /// Where the text ends that is set to the right, in pixels from the left.
    fn right_end(svg: &str, text: &str) -> i32 {
        let text = format!("\n{text}\n");
        let mut tags = svg.split("<text x=\"").filter(|tag| tag.contains("text-anchor=\"end\""));
        let tag = tags.find(|tag| tag.contains(&text)).unwrap();
        tag.split('"').next().unwrap().parse().unwrap()
    }

    #[test]
    fn the_longest_label_is_on_the_canvas() {
        let long = "block 3 feed forward output lora down";
        for (row, name) in [(long, "tensor"), ("norm", long)] {
            let map = HeatMap::new("rates", ["bias", row], ["step 1"], vec![vec![1.0], vec![2.0]]);
            let svg = map.axes(name, "").to_svg().unwrap();
            assert!(right_end(&svg, long) >= canvas::text_width(long, TEXT_SIZE), "{svg}");
        }
    }

    #[test]
    fn the_centre_is_white_and_the_furthest_value_is_deep() {
        let svg = map(vec![vec![5.0, 9.0], vec![1.0, 7.0]]).centre(5.0).to_svg().unwrap();
        for color in ["#F7F7F7", "#B2182B", "#2166AC"] {
            assert!(svg.contains(color), "{color}");
        }
        let flat = map(vec![vec![5.0, 5.0], vec![5.0, 5.0]]).centre(5.0).to_svg().unwrap();
        assert!(!flat.contains("#B2182B"));
    }

    #[test]
    fn what_cannot_be_drawn_is_told() {
        let nothing = map(vec![vec![f64::NAN; 2]; 2]).to_svg();
        assert_eq!(nothing, Err(FigureError::NothingToDraw { title: "transfer".into() }));
        let short = map(vec![vec![1.0, 2.0]]).to_svg();
        assert_eq!(
            short,
            Err(FigureError::Length { name: "transfer".into(), expected: 2, found: 1 })
        );
        let ragged = map(vec![vec![1.0, 2.0], vec![1.0]]).to_svg();
        assert_eq!(
            ragged,
            Err(FigureError::Length { name: "hop 3".into(), expected: 2, found: 1 })
        );
    }
}
