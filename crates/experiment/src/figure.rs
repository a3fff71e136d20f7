//! Figures as SVG texts: lines with interval bands, grouped bars with whiskers, and heat maps.
//!
//! All have dark text on white, a palette that colour-blind readers can tell apart, and the legend above the data and
//! never on it.

mod axis;
mod bar_chart;
mod canvas;
mod cartesian;
mod heat_map;
mod line_chart;
mod palette;

pub use axis::Axis;
pub use bar_chart::BarChart;
pub use heat_map::HeatMap;
pub use line_chart::{LineChart, Series};

/// A figure that cannot be drawn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FigureError {
    /// There is no finite value in it.
    #[error("the figure `{title}` has no finite value: give it data, or leave it out")]
    NothingToDraw {
        /// The figure's title.
        title: String,
    },
    /// A logarithmic axis cannot show a value.
    #[error(
        "`{series}` has the value {value}, which a logarithmic axis cannot show: use a linear axis"
    )]
    NotPositive {
        /// The series with the value.
        series: String,
        /// The value.
        value: f64,
    },
    /// Two lists that belong together have different lengths.
    #[error("`{name}` has {found} values instead of {expected}: give one for each label or point")]
    Length {
        /// The series, row or band with the wrong number.
        name: String,
        /// How many values are needed.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The drawing library refused.
    #[error("the figure cannot be drawn: {0}: simplify the figure")]
    Drawing(String),
}

impl<E: std::error::Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>>
    for FigureError
{
    fn from(cause: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self::Drawing(cause.to_string())
    }
}

/// Refuses lists that do not belong together.
fn require_length(name: &str, expected: usize, found: usize) -> Result<(), FigureError> {
    if expected == found {
        Ok(())
    } else {
        Err(FigureError::Length { name: name.to_owned(), expected, found })
    }
}
