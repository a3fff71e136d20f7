//! The grid, the axes and their numbers, which lines and bars share.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::FigureError;
use super::axis::Span;
use super::canvas::{self, Area, TEXT_SIZE};
use super::palette::{GREY, GRID, INK};

pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Span, Span>>;

/// An empty chart in `area`, with `above` pixels over it and `below` under it.
pub(super) fn cartesian<'a, 'b>(
    area: &'a Area<'b>,
    (x, y): (Span, Span),
    above: i32,
    below: i32,
) -> Result<Chart<'a, 'b>, FigureError> {
    let widest =
        y.ticks().into_iter().map(|tick| canvas::text_width(&y.tick_label(tick), TEXT_SIZE)).max();
    let chart = ChartBuilder::on(area)
        .margin_top(above)
        .margin_right(30)
        .margin_left(10)
        .margin_bottom(4)
        .x_label_area_size(below)
        .y_label_area_size(widest.unwrap_or(0) + 38)
        .build_cartesian_2d(x, y)?;
    Ok(chart)
}

/// Draws grid lines, axes, numbers and the names of the axes.
pub(super) fn draw_grid(
    chart: &mut Chart<'_, '_>,
    x_label: &str,
    y_label: &str,
    numbers_on_x: bool,
) -> Result<(), FigureError> {
    let number = || canvas::text(TEXT_SIZE - 1.0, INK, (HPos::Center, VPos::Center));
    let mut mesh = chart.configure_mesh();
    mesh.bold_line_style(GRID).light_line_style(GRID.mix(0.0)).axis_style(GREY);
    mesh.label_style(number()).axis_desc_style(canvas::text(
        TEXT_SIZE,
        GREY,
        (HPos::Center, VPos::Center),
    ));
    mesh.x_desc(x_label).y_desc(y_label);
    if !numbers_on_x {
        mesh.disable_x_mesh().x_labels(0).x_label_formatter(&|_| String::new());
    }
    mesh.draw()?;
    Ok(())
}

/// Where a point is in `area`, in pixels.
pub(super) fn on_paper(chart: &Chart<'_, '_>, area: &Area<'_>, point: (f64, f64)) -> (i32, i32) {
    let ((x, y), (left, top)) = (chart.backend_coord(&point), area.get_base_pixel());
    (x - left, y - top)
}
