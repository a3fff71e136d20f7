//! Curves over steps, rates or sizes.

use plotters::element::{Circle, Polygon, Text};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::Span;
use super::canvas::{self, Area, Key, TEXT_SIZE};
use super::cartesian::{Chart, cartesian, draw_grid, on_paper};
use super::palette::{self, GREY};
use super::{Axis, FigureError, require_length};
use crate::statistics::Interval;

const SIZE: (u32, u32) = (680, 390);
/// The most points of a line that are also drawn as dots.
const DOTS: usize = 20;

/// One named curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
    band: Vec<(f64, f64)>,
}

impl Series {
    /// A curve through `points`, each an x and a y. A y that is not finite leaves a gap.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect(), band: Vec::new() }
    }

    /// A curve through the means, in a band of the intervals.
    pub fn of_intervals(
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, Interval)>,
    ) -> Self {
        let (points, band) = points
            .into_iter()
            .map(|(x, interval)| ((x, interval.mean), (interval.low, interval.high)))
            .unzip();
        Self { name: name.into(), points, band }
    }

    /// Draws a band around the curve: for each point the low and the high y.
    #[must_use]
    pub fn with_band(mut self, band: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.band = band.into_iter().collect();
        self
    }
}

/// A chart of one or more curves.
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    title: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
    markers: Vec<(String, f64)>,
}

impl LineChart {
    /// A chart with a `title`, which should say what is seen, and its two axes.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self { title: title.into(), x, y, series: Vec::new(), markers: Vec::new() }
    }

    /// Adds a curve.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Marks the place `x` by a dashed vertical line with a label above the chart.
    #[must_use]
    pub fn marker(mut self, label: impl Into<String>, x: f64) -> Self {
        self.markers.push((label.into(), x));
        self
    }

    /// The chart as an SVG.
    ///
    /// # Errors
    /// [`FigureError::NothingToDraw`] without a finite point, [`FigureError::NotPositive`] on a logarithmic axis, and
    /// [`FigureError::Length`] for a band that does not match its points.
    pub fn to_svg(&self) -> Result<String, FigureError> {
        self.check()?;
        let nothing = || FigureError::NothingToDraw { title: self.title.clone() };
        let drawn = || {
            self.series.iter().flat_map(|series| &series.points).filter(|(x, y)| self.shows(*x, *y))
        };
        drawn().next().ok_or_else(nothing)?;
        let marked = self.markers.iter().map(|(_, x)| *x);
        let x = self.x.tight(drawn().map(|(x, _)| *x).chain(marked)).ok_or_else(nothing)?;
        let bands = self
            .series
            .iter()
            .flat_map(|series| &series.band)
            .flat_map(|(low, high)| [*low, *high]);
        let y = self.y.roomy(drawn().map(|(_, y)| *y).chain(bands)).ok_or_else(nothing)?;

        let keys = self.series.iter().enumerate().map(|(index, series)| Key {
            name: &series.name,
            index,
            line: true,
        });
        let legend: Vec<Key<'_>> = keys.filter(|key| !key.name.is_empty()).collect();
        canvas::draw(&self.title, SIZE, &legend, |area| self.draw(area, x, y))
    }

    fn shows(&self, x: f64, y: f64) -> bool {
        self.x.shows(x) && self.y.shows(y)
    }

    fn check(&self) -> Result<(), FigureError> {
        for series in &self.series {
            if !series.band.is_empty() {
                require_length(&series.name, series.points.len(), series.band.len())?;
            }
            for (x, y) in &series.points {
                for (axis, value) in [(&self.x, *x), (&self.y, *y)] {
                    if axis.logarithmic && value <= 0.0 {
                        return Err(FigureError::NotPositive {
                            series: series.name.clone(),
                            value,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn draw(&self, area: &Area<'_>, x: Span, y: Span) -> Result<(), FigureError> {
        let above = if self.markers.is_empty() { 14 } else { 34 };
        let mut chart = cartesian(area, (x, y), above, 50)?;
        draw_grid(&mut chart, &self.x.label, &self.y.label, true)?;
        for (index, series) in self.series.iter().enumerate() {
            self.draw_band(&chart, index, series, y)?;
        }
        for (label, x) in &self.markers {
            if self.x.shows(*x) {
                draw_marker(&chart, area, label, *x, y)?;
            }
        }
        for (index, series) in self.series.iter().enumerate() {
            self.draw_curve(&chart, area, index, series)?;
        }
        Ok(())
    }

    /// The ends of the band that the axis cannot show, such as those of a single run, are left out.
    fn draw_band(
        &self,
        chart: &Chart<'_, '_>,
        index: usize,
        series: &Series,
        y: Span,
    ) -> Result<(), FigureError> {
        let points: Vec<_> = series.points.iter().zip(&series.band).collect();
        let whole = |((x, mean), (low, high)): &(&(f64, f64), &(f64, f64))| {
            self.shows(*x, *mean) && low.is_finite() && self.y.shows(*high)
        };
        for run in
            points.chunk_by(|left, right| whole(left) == whole(right)).filter(|run| whole(&run[0]))
        {
            let lower = run.iter().map(|((x, _), (low, _))| (*x, low.max(y.low)));
            let upper = run.iter().rev().map(|((x, _), (_, high))| (*x, *high));
            let outline: Vec<_> = lower.chain(upper).collect();
            chart
                .plotting_area()
                .draw(&Polygon::new(outline, palette::series(index).0.mix(0.18).filled()))?;
        }
        Ok(())
    }

    fn draw_curve(
        &self,
        chart: &Chart<'_, '_>,
        area: &Area<'_>,
        index: usize,
        series: &Series,
    ) -> Result<(), FigureError> {
        let shown = |(x, y): &(f64, f64)| self.shows(*x, *y);
        for run in series
            .points
            .chunk_by(|left, right| shown(left) == shown(right))
            .filter(|run| shown(&run[0]))
        {
            let pixels: Vec<_> = run.iter().map(|point| on_paper(chart, area, *point)).collect();
            canvas::draw_line(area, &pixels, index)?;
            // A run of one point would not be seen as a line, and few points are measurements worth a dot each.
            if run.len() == 1 || series.points.len() <= DOTS {
                for pixel in pixels {
                    area.draw(&Circle::new(pixel, 4, palette::series(index).0.filled()))?;
                }
            }
        }
        Ok(())
    }
}

fn draw_marker(
    chart: &Chart<'_, '_>,
    area: &Area<'_>,
    label: &str,
    x: f64,
    y: Span,
) -> Result<(), FigureError> {
    let (top, bottom) = (on_paper(chart, area, (x, y.high)), on_paper(chart, area, (x, y.low)));
    canvas::draw_dashed(area, &[top, bottom], GREY.stroke_width(1), 4)?;
    let half = canvas::text_width(label, TEXT_SIZE) / 2;
    let centre = top.0.clamp(half, (SIZE.0 as i32 - half - 4).max(half));
    let style = canvas::text(TEXT_SIZE, GREY, (HPos::Center, VPos::Bottom));
    area.draw(&Text::new(label.to_owned(), (centre, top.1 - 4), style))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> LineChart {
        LineChart::new("loss falls", Axis::linear("step"), Axis::linear("loss"))
    }

    fn count(svg: &str, tag: &str) -> usize {
        svg.matches(&format!("<{tag} ")).count()
    }

    #[test]
    fn curves_bands_markers_and_names_are_in_the_svg() {
        let curve: Vec<(f64, f64)> =
            (0..50).map(|step| (f64::from(step), 1.0 / f64::from(step + 1))).collect();
        let band: Vec<(f64, f64)> = curve.iter().map(|(_, y)| (y - 0.1, y + 0.1)).collect();
        let plain = chart().series(Series::new("exact", curve.clone())).to_svg().unwrap();
        let rich = chart()
            .series(Series::new("exact", curve).with_band(band))
            .marker("4 × rate", 20.0)
            .to_svg()
            .unwrap();
        for name in ["loss falls", "step", "loss", "exact"] {
            assert!(plain.contains(name), "{name}");
        }
        assert!(rich.contains("4 × rate"));
        assert_eq!((count(&plain, "polygon"), count(&rich, "polygon")), (0, 1));
    }

    #[test]
    fn a_value_that_is_not_finite_leaves_a_gap() {
        let gap = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (4.0, 2.0)];
        let whole = gap.map(|(x, y)| (x, if f64::is_nan(y) { 1.5 } else { y }));
        let lines =
            |points| count(&chart().series(Series::new("a", points)).to_svg().unwrap(), "polyline");
        assert_eq!(lines(gap), lines(whole) + 1);
    }

    #[test]
    fn single_runs_have_no_band_and_no_error() {
        let interval = |mean, low, high| Interval { mean, low, high, n: 1 };
        let points = [
            (0.0, interval(1.0, 0.5, 1.5)),
            (1.0, interval(2.0, f64::NEG_INFINITY, f64::INFINITY)),
        ];
        let svg = chart().series(Series::of_intervals("a", points)).to_svg().unwrap();
        assert_eq!(count(&svg, "polygon"), 1);
        assert!(!svg.contains("inf") && !svg.contains("NaN"));
    }

    #[test]
    fn what_cannot_be_drawn_is_told() {
        let nothing = Err(FigureError::NothingToDraw { title: "loss falls".into() });
        assert_eq!(chart().to_svg(), nothing);
        assert_eq!(chart().series(Series::new("a", [(0.0, f64::NAN)])).to_svg(), nothing);
        let uneven =
            chart().series(Series::new("a", [(0.0, 1.0)]).with_band([(0.0, 1.0), (0.0, 1.0)]));
        assert_eq!(
            uneven.to_svg(),
            Err(FigureError::Length { name: "a".into(), expected: 1, found: 2 })
        );
        let logarithmic = LineChart::new("t", Axis::linear("x"), Axis::logarithmic("y"));
        let negative = logarithmic.series(Series::new("a", [(0.0, 1.0), (1.0, 0.0)])).to_svg();
        assert_eq!(negative, Err(FigureError::NotPositive { series: "a".into(), value: 0.0 }));
    }
}
