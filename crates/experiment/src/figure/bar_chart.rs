//! Results side by side.

use plotters::element::{PathElement, Rectangle};
use plotters::style::Color;

use super::axis::Span;
use super::canvas::{self, Area, Key, TEXT_SIZE};
use super::cartesian::{cartesian, draw_grid, on_paper};
use super::palette::INK;
use super::{Axis, FigureError, require_length};
use crate::statistics::Interval;

const SIZE: (u32, u32) = (680, 370);
/// The share of its place that a group of bars fills.
const FILLED: f64 = 0.76;

/// Groups of bars from zero with the whiskers of their intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    title: String,
    values: Axis,
    groups: Vec<String>,
    series: Vec<(String, Vec<Interval>)>,
}

impl BarChart {
    /// A chart with one group of bars for each name in `groups`, on the linear axis `values`.
    pub fn new<S: Into<String>>(
        title: impl Into<String>,
        values: Axis,
        groups: impl IntoIterator<Item = S>,
    ) -> Self {
        let groups = groups.into_iter().map(Into::into).collect();
        Self { title: title.into(), values: values.including(0.0), groups, series: Vec::new() }
    }

    /// Adds a bar to each group.
    #[must_use]
    pub fn series(
        mut self,
        name: impl Into<String>,
        bars: impl IntoIterator<Item = Interval>,
    ) -> Self {
        self.series.push((name.into(), bars.into_iter().collect()));
        self
    }

    /// The chart as an SVG. A bar whose value is not finite is left out, and so are whiskers without ends.
    ///
    /// # Errors
    /// [`FigureError::NothingToDraw`] without a finite bar, [`FigureError::Length`] for a series without one bar a
    /// group, and [`FigureError::NotPositive`] for a logarithmic axis, on which bars have no foot.
    pub fn to_svg(&self) -> Result<String, FigureError> {
        if self.values.logarithmic {
            return Err(FigureError::NotPositive { series: self.values.label.clone(), value: 0.0 });
        }
        for (name, bars) in &self.series {
            require_length(name, self.groups.len(), bars.len())?;
        }
        let bars =
            || self.series.iter().flat_map(|(_, bars)| bars).filter(|bar| bar.mean.is_finite());
        bars().next().ok_or_else(|| FigureError::NothingToDraw { title: self.title.clone() })?;
        let nothing = || FigureError::NothingToDraw { title: self.title.clone() };
        let span = self
            .values
            .roomy(bars().flat_map(|bar| [bar.low, bar.mean, bar.high]))
            .ok_or_else(nothing)?;

        let keys = self.series.iter().enumerate().map(|(index, (name, _))| Key {
            name,
            index,
            line: false,
        });
        let legend: Vec<Key<'_>> = keys.filter(|key| !key.name.is_empty()).collect();
        canvas::draw(&self.title, SIZE, &legend, |area| self.draw(area, span))
    }

    fn draw(&self, area: &Area<'_>, values: Span) -> Result<(), FigureError> {
        let place = Span::linear(0.0, self.groups.len() as f64);
        let width_of_group = (SIZE.0 as i32 - 120) / self.groups.len() as i32;
        let names: Vec<_> = self
            .groups
            .iter()
            .map(|name| canvas::wrap(name, width_of_group - 8, TEXT_SIZE))
            .collect();
        let lines = names.iter().map(Vec::len).max().unwrap_or(1) as i32;
        let mut chart = cartesian(area, (place, values), 14, 14 + 17 * lines)?;
        draw_grid(&mut chart, "", &self.values.label, false)?;

        for (group, lines) in names.iter().enumerate() {
            let (x, y) = on_paper(&chart, area, (group as f64 + 0.5, values.low));
            canvas::draw_centred(area, lines, (x, y + 8))?;
        }
        let width = FILLED / self.series.len() as f64;
        for (index, (_, bars)) in self.series.iter().enumerate() {
            for (group, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.mean.is_finite()) {
                let from = group as f64 + (1.0 - FILLED) / 2.0 + index as f64 * width;
                let corners = [(from + 0.04 * width, 0.0), (from + 0.96 * width, bar.mean)];
                chart.plotting_area().draw(&Rectangle::new(corners, canvas::fill_of(index)))?;
                for whisker in whiskers(bar, from + width / 2.0, (width / 5.0).min(0.06)) {
                    chart.plotting_area().draw(&PathElement::new(whisker, INK.stroke_width(2)))?;
                }
            }
        }
        Ok(())
    }
}

/// The stem and the two caps of an interval at `x`; nothing for one without ends.
fn whiskers(bar: &Interval, x: f64, cap: f64) -> Vec<Vec<(f64, f64)>> {
    if !(bar.low.is_finite() && bar.high.is_finite()) {
        return Vec::new();
    }
    let across = |y| vec![(x - cap, y), (x + cap, y)];
    vec![vec![(x, bar.low), (x, bar.high)], across(bar.low), across(bar.high)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(mean: f64, width: f64) -> Interval {
        Interval { mean, low: mean - width, high: mean + width, n: 3 }
    }

    fn chart() -> BarChart {
        BarChart::new("accuracy", Axis::linear("accuracy, %"), ["two hops", "three hops"])
    }

    fn count(svg: &str, tag: &str) -> usize {
        svg.matches(&format!("<{tag} ")).count()
    }

    #[test]
    fn each_bar_has_its_whiskers_and_each_group_its_name() {
        let one =
            chart().series("exact", [interval(0.9, 0.1), interval(0.5, 0.1)]).to_svg().unwrap();
        let endless = chart()
            .series("exact", [interval(0.9, 0.1), interval(0.5, f64::INFINITY)])
            .to_svg()
            .unwrap();
        let absent = chart()
            .series("exact", [interval(0.9, 0.1), interval(f64::NAN, 0.1)])
            .to_svg()
            .unwrap();
        for name in ["two hops", "three hops", "accuracy, %", "exact"] {
            assert!(one.contains(name), "{name}");
        }
        assert_eq!(count(&one, "rect"), count(&absent, "rect") + 1);
        assert_eq!(count(&one, "polyline"), count(&endless, "polyline") + 3);
    }

    /// The upper and the lower edges of the last `bars` rectangles, in pixels from above; before them come the paper and the legend.
    fn edges(svg: &str, bars: usize) -> Vec<(i32, i32)> {
        let number = |tag: &str, name: &str| -> i32 {
            let (_, value) = tag.split_once(&format!(" {name}=\"")).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        };
        let edges = |tag: &str| (number(tag, "y"), number(tag, "y") + number(tag, "height"));
        let all: Vec<(i32, i32)> = svg.split("<rect ").skip(1).map(edges).collect();
        all[all.len() - bars..].to_vec()
    }

    #[test]
    fn negative_bars_hang_from_zero() {
        let bars = [interval(-0.9, 0.1), interval(0.5, 0.1)];
        let edges = edges(&chart().series("change", bars).to_svg().unwrap(), bars.len());
        let ((foot, end), (top, other_foot)) = (edges[0], edges[1]);
        assert_eq!(foot, other_foot);
        let (below, above) = (end - foot, foot - top);
        assert!(below > 0 && above > 0, "{edges:?}");
        // Each edge is rounded to a pixel.
        assert!((5 * below - 9 * above).abs() <= 5 + 9, "{edges:?}");
    }

    #[test]
    fn what_cannot_be_drawn_is_told() {
        let nothing = Err(FigureError::NothingToDraw { title: "accuracy".into() });
        assert_eq!(chart().to_svg(), nothing);
        let short = chart().series("exact", [interval(0.9, 0.1)]).to_svg();
        assert_eq!(short, Err(FigureError::Length { name: "exact".into(), expected: 2, found: 1 }));
        let logarithmic =
            BarChart::new("t", Axis::logarithmic("loss"), ["a"]).series("s", [interval(1.0, 0.1)]);
        assert!(matches!(logarithmic.to_svg(), Err(FigureError::NotPositive { .. })));
    }
}
