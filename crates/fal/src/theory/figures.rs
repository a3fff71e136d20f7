//! Sweeps as pictures.

use experiment::figure::{Axis, LineChart, Series};
use experiment::statistics::{Interval, StatisticsError, mean_interval};

use super::{Comparison, Course, Measure};

/// What a curve shows of the last round.
type OfEnd = fn(Measure) -> f64;

/// The least robust loss over the rounds, a curve for each value, in bands over seeds.
///
/// # Errors
/// [`StatisticsError::NotFinite`] for a simulation that diverged.
pub fn least_loss_chart(comparison: &Comparison) -> Result<LineChart, StatisticsError> {
    let symbol = comparison.sweep.symbol();
    let title = format!("Least robust loss so far, by {symbol}");
    let mut chart = LineChart::new(
        title,
        Axis::counts("rounds of communication"),
        Axis::linear("least robust loss (lower bound)").including(0.0),
    );
    for (row, courses) in comparison.rows.iter().zip(&comparison.courses) {
        let points = over_rounds(courses, |measure| measure.least_robust_loss)?;
        // A loss is never below 0, which an interval over few seeds does not know.
        let points =
            points.into_iter().map(|(round, loss)| (round, loss.within(0.0..=f64::INFINITY)));
        chart = chart.series(Series::of_intervals(format!("{symbol} = {}", row.value), points));
    }
    Ok(chart)
}

/// Drift and distance to the pseudo-network against the width after the last round, on logarithmic axes, as geometric means
/// over seeds. A width of which a seed never moved has no place on these axes and is left out; `None` if there is no other.
///
/// # Errors
/// [`StatisticsError::NotFinite`] for a simulation that diverged.
pub fn width_chart(comparison: &Comparison) -> Result<Option<LineChart>, StatisticsError> {
    let rows = comparison.rows.iter().zip(&comparison.courses);
    let moved: Vec<_> = rows.filter(|(_, courses)| courses.iter().all(Course::moved)).collect();
    if moved.is_empty() {
        return Ok(None);
    }
    let mut chart = LineChart::new(
        "Wider networks stay nearer to their start",
        Axis::logarithmic("neurons, m"),
        Axis::logarithmic("distance after the last round"),
    );
    let kinds: [(&str, OfEnd); 3] = [
        ("drift of a neuron", |end| end.drift),
        ("|F - G|, points", |end| end.pseudo_gap),
        ("|F - G|, perturbed", |end| end.perturbed_pseudo_gap),
    ];
    for (name, of) in kinds {
        let points = moved.iter().map(|(row, courses)| {
            let values: Vec<f64> = courses.iter().map(|course| of(course.end())).collect();
            geometric_mean(&values).map(|mean| (row.value, mean))
        });
        let points = points.collect::<Result<Vec<_>, _>>()?;
        chart = chart.series(Series::of_intervals(name, points));
    }
    Ok(Some(chart))
}

fn over_rounds(
    courses: &[Course],
    of: fn(&Measure) -> f64,
) -> Result<Vec<(f64, Interval)>, StatisticsError> {
    let measures = courses[0].measures.iter().enumerate();
    let at = |(index, first): (usize, &Measure)| {
        let values: Vec<f64> = courses.iter().map(|course| of(&course.measures[index])).collect();
        mean_interval(&values).map(|interval| (first.round as f64, interval))
    };
    measures.map(at).collect()
}

/// The mean of the logarithms with its interval, back on the scale of `values`.
fn geometric_mean(values: &[f64]) -> Result<Interval, StatisticsError> {
    let logarithms: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let Interval { mean, low, high, n } = mean_interval(&logarithms)?;
    // The ends of a single seed are infinite, which the chart knows as no band.
    let low = if low.is_finite() { low.exp() } else { low };
    Ok(Interval { mean: mean.exp(), low, high: high.exp(), n })
}

#[cfg(test)]
mod tests {
    use super::super::{Row, Sweep};
    use super::*;

    fn comparison(seeds: usize) -> Comparison {
        let interval = mean_interval(&[0.5]).unwrap();
        let row = |value| Row {
            value,
            separation: interval,
            margin: interval,
            least_robust_loss: interval,
            change: interval,
            clean_loss: interval,
            drift: interval,
            pseudo_gap: interval,
            perturbed_pseudo_gap: interval,
        };
        let course = |factor: f64| {
            let measure = |round| Measure {
                round,
                robust_loss: 0.1 * factor,
                least_robust_loss: 0.01 * factor,
                clean_loss: 0.0,
                drift: 0.1 * factor,
                pseudo_gap: 0.2,
                perturbed_pseudo_gap: 0.3,
            };
            let measures = [0, 5, 7].map(measure).to_vec();
            Course { separation: 0.3, margin: 0.1, measures }
        };
        let courses = vec![(0..seeds).map(|seed| course(1.0 + 9.0 * seed as f64)).collect(); 2];
        let rows = [64.0, 256.0].map(row).to_vec();
        Comparison { sweep: Sweep::Width, rows, exponents: None, courses }
    }

    #[test]
    fn both_pictures_are_drawn_with_bands_where_there_are_seeds() {
        for (seeds, bands) in [(1, 0), (3, 1)] {
            let comparison = comparison(seeds);
            let loss = least_loss_chart(&comparison).unwrap().to_svg().unwrap();
            let widths = width_chart(&comparison).unwrap().expect("all moved").to_svg().unwrap();
            assert!(loss.contains("m = 64") && widths.contains("drift of a neuron"));
            for svg in [loss, widths] {
                assert!(svg.matches("<polygon ").count() >= bands);
                assert!(bands > 0 || !svg.contains("<polygon "));
                assert!(!svg.contains("NaN") && !svg.contains("inf"));
            }
        }
    }

    #[test]
    fn widths_that_never_moved_are_left_out() {
        let still = |course: &mut Course| {
            course.measures.iter_mut().for_each(|measure| measure.drift = 0.0);
        };
        let mut comparison = comparison(3);
        still(&mut comparison.courses[0][1]);
        let one = width_chart(&comparison).unwrap().expect("the other width moved");
        assert!(!one.to_svg().unwrap().contains("NaN"));
        still(&mut comparison.courses[1][2]);
        assert!(width_chart(&comparison).unwrap().is_none());
    }

    #[test]
    fn geometric_means_are_between_and_above_zero() {
        let found = geometric_mean(&[0.01, 1.0]).unwrap();
        assert!((found.mean - 0.1).abs() < 1e-12 && found.low > 0.0 && found.high > 1.0);
        assert!(geometric_mean(&[0.0]).is_err());
    }
}
