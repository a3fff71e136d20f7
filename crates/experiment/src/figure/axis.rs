//! Axes: what they are called, what they cover, where their ticks stand.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// How many ticks an axis has at most.
const TICKS: usize = 8;
/// The share of its length that an axis goes on past the values.
const MARGIN: f64 = 0.04;

/// One axis of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub(super) label: String,
    pub(super) logarithmic: bool,
    whole: bool,
    included: Vec<f64>,
}

impl Axis {
    /// An axis on which equal distances are equal differences. Name the unit in the `label`.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), logarithmic: false, whole: false, included: Vec::new() }
    }

    /// A linear axis of counts, such as hops or steps: its ticks are whole numbers.
    pub fn counts(label: impl Into<String>) -> Self {
        Self { whole: true, ..Self::linear(label) }
    }

    /// An axis on which equal distances are equal ratios, for positive values only.
    pub fn logarithmic(label: impl Into<String>) -> Self {
        Self { logarithmic: true, ..Self::linear(label) }
    }

    /// Stretches the axis to include `value`, such as 0 and 1 for an accuracy.
    #[must_use]
    pub fn including(mut self, value: f64) -> Self {
        self.included.push(value);
        self
    }

    /// Whether the axis can show `value`.
    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.logarithmic || value > 0.0)
    }

    /// What the axis covers for `values`, with its ends on them; `None` if there is nothing to show.
    pub(super) fn tight(&self, values: impl IntoIterator<Item = f64>) -> Option<Span> {
        let values = values
            .into_iter()
            .chain(self.included.iter().copied())
            .filter(|value| self.shows(*value));
        let ends = values.fold(None, |ends: Option<(f64, f64)>, value| {
            Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        });
        let (low, high) = ends?;
        let Self { logarithmic, whole, .. } = *self;
        Some(Span { low, high, logarithmic, whole }.with_width())
    }

    /// What the axis covers for `values`, a little more than they do, except where it ends at an included value.
    pub(super) fn roomy(&self, values: impl IntoIterator<Item = f64>) -> Option<Span> {
        let tight = self.tight(values)?;
        let ends_there = |end: f64| self.included.contains(&end);
        let low = if ends_there(tight.low) { tight.low } else { tight.at(-MARGIN) };
        let high = if ends_there(tight.high) { tight.high } else { tight.at(1.0 + MARGIN) };
        Some(Span { low, high, ..tight })
    }
}

/// What an axis covers. It is the coordinate that plotters draws with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
    logarithmic: bool,
    /// Ticks are whole numbers.
    whole: bool,
}

impl Span {
    /// A linear span for coordinates that are no data.
    pub(super) fn linear(low: f64, high: f64) -> Self {
        Self { low, high, logarithmic: false, whole: false }
    }

    /// Gives a span that covers a single value some width around it.
    fn with_width(self) -> Self {
        if self.low < self.high {
            return self;
        }
        let value = self.low;
        if self.logarithmic {
            return Self { low: value / 2.0, high: value * 2.0, ..self };
        }
        let margin = match value {
            0.0 => 1.0,
            value if self.whole => (value.abs() * 0.1).max(1.0),
            value => value.abs() * 0.1,
        };
        Self { low: value - margin, high: value + margin, ..self }
    }

    /// The smallest of 1, 2, 5, 10 ... times a power of ten that gives few enough ticks; at least 1 for counts.
    fn linear_step(&self) -> f64 {
        let rough = (self.high - self.low) / TICKS as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough);
        let step = factor.unwrap_or(10.0) * power;
        if self.whole { step.max(1.0) } else { step }
    }

    /// The values that get a number and a grid line.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if let Some(ticks) = self.logarithmic_ticks() {
            return ticks;
        }
        let step = self.linear_step();
        // Ends that are no numbers apart leave no room for ticks between them.
        if !step.is_normal() {
            return vec![self.low, self.high];
        }
        // Rounding must not lose the tick at an end.
        let (first, last) =
            ((self.low / step - 1e-6).ceil() as i64, (self.high / step + 1e-6).floor() as i64);
        (first..=last).map(|index| index as f64 * step).collect()
    }

    /// Powers of ten, each with its double and fivefold where the span has few powers; none on a linear axis, or where there
    /// are fewer than two.
    fn logarithmic_ticks(&self) -> Option<Vec<f64>> {
        if !self.logarithmic {
            return None;
        }
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let covered = (self.high / self.low).log10();
        let factors: &[f64] = if covered < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let stride = (covered / TICKS as f64).ceil().max(1.0) as i32;
        let ticks = decades.filter(|decade| decade % stride == 0);
        let ticks =
            ticks.flat_map(|decade| factors.iter().map(move |factor| factor * 10_f64.powi(decade)));
        let ticks: Vec<f64> = ticks.filter(|tick| (self.low..=self.high).contains(tick)).collect();
        (ticks.len() > 1).then_some(ticks)
    }

    /// How far a tick is from the next, to the order of magnitude.
    fn spacing(&self, tick: f64) -> f64 {
        let size = tick.abs();
        match self.logarithmic_ticks() {
            Some(_) => size,
            None => self.linear_step(),
        }
    }

    /// The number at a tick.
    pub(super) fn tick_label(&self, tick: f64) -> String {
        let (size, spacing) = (tick.abs(), self.spacing(tick));
        let digits_below = |unit: f64| ((unit / spacing).log10() - 1e-9).ceil().max(0.0) as usize;
        if size != 0.0 && !(1e-4..1e7).contains(&size) {
            return scientific(tick, digits_below(10_f64.powf(size.log10().floor())).min(17));
        }
        // Its neighbours are scientific.
        if tick == 0.0 && spacing < 1e-4 {
            return "0".into();
        }
        let decimals = digits_below(1.0);
        let text = format!("{tick:.decimals$}");
        if size >= 1e4 { in_thousands(&text) } else { text }
    }

    /// The value at a `position`, of which 0 is the low end and 1 the high end.
    fn at(&self, position: f64) -> f64 {
        if self.logarithmic {
            return self.low * (self.high / self.low).powf(position);
        }
        self.low + position * (self.high - self.low)
    }

    fn position(&self, value: f64) -> f64 {
        let place = |value: f64| if self.logarithmic { value.ln() } else { value };
        (place(value) - place(self.low)) / (place(self.high) - place(self.low))
    }
}

/// Such as `2×10⁻⁵`, with at most so many decimals.
fn scientific(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let raised: String = exponent.chars().map(superscript).collect();
    let digits = if decimals > 0 { digits.trim_end_matches('0') } else { digits };
    match digits.trim_end_matches('.') {
        "1" => format!("10{raised}"),
        digits => format!("{digits}×10{raised}"),
    }
}

fn superscript(character: char) -> char {
    match character.to_digit(10) {
        Some(digit) => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize],
        None => '⁻',
    }
}

/// Parts the digits before the point by narrow spaces, three by three.
fn in_thousands(digits: &str) -> String {
    let length = digits.find('.').unwrap_or(digits.len());
    let part = |(index, digit): (usize, char)| {
        let whole = 0 < index && index < length;
        let gap = whole && (length - index).is_multiple_of(3) && !digits[..index].ends_with('-');
        gap.then_some('\u{202f}').into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(part).collect()
}

impl Ranged for Span {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (self.position(*value) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.max_num_points() == 0 { Vec::new() } else { self.ticks() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Span {
    fn format_ext(&self, value: &f64) -> String {
        self.tick_label(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(span: Span) -> Vec<String> {
        span.ticks().into_iter().map(|tick| span.tick_label(tick)).collect()
    }

    #[test]
    fn linear_ticks_are_round_numbers() {
        let accuracy = Axis::linear("accuracy").including(0.0).roomy([0.13, 0.97]).unwrap();
        assert_eq!(labels(accuracy), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let steps = Axis::linear("steps").tight([0.0, 60_000.0]).unwrap();
        assert_eq!(labels(steps)[..2], ["0", "10\u{202f}000"]);
        assert_eq!(labels(Span::linear(-3.0, 3.0)), ["-3", "-2", "-1", "0", "1", "2", "3"]);
    }

    #[test]
    fn ticks_that_are_close_to_each_other_have_different_numbers() {
        let thousands = labels(Span::linear(10_000.0, 10_003.0));
        assert_eq!(thousands[..2], ["10\u{202f}000.0", "10\u{202f}000.5"]);
        let millions = labels(Span::linear(1e7, 1.04e7));
        assert_eq!(millions[..3], ["10⁷", "1.005×10⁷", "1.01×10⁷"]);
        assert_eq!(labels(Span::linear(-2e-5, 1e-5))[..2], ["-2×10⁻⁵", "-1.5×10⁻⁵"]);
        assert_eq!(labels(Span::linear(0.0, 2e-5))[..2], ["0", "5×10⁻⁶"]);
        for span in [Span::linear(3e-9, 9e-9), Span::linear(-1e9, 1.3e9), Span::linear(9.99e5, 1e6)]
        {
            let labels = labels(span);
            let different: std::collections::BTreeSet<_> = labels.iter().collect();
            assert_eq!(different.len(), labels.len(), "{labels:?}");
        }
    }

    #[test]
    fn narrow_logarithmic_axes_have_ticks() {
        for (low, high, expected) in [(2.2, 4.5, "2.5"), (5.5, 9.0, "5.5")] {
            let labels = labels(Axis::logarithmic("width").tight([low, high]).unwrap());
            assert!(labels.len() > 2 && labels[0] == expected, "{labels:?}");
        }
    }

    #[test]
    fn ends_that_hardly_differ_are_the_ticks() {
        assert_eq!(Span::linear(0.0, 2e-323).ticks(), [0.0, 2e-323]);
    }

    #[test]
    fn counts_have_whole_ticks() {
        assert_eq!(labels(Axis::linear("hops").tight([2.0, 4.0]).unwrap())[1], "2.5");
        assert_eq!(labels(Axis::counts("hops").tight([2.0, 4.0]).unwrap()), ["2", "3", "4"]);
        assert_eq!(labels(Axis::counts("hops").tight([2.0]).unwrap()), ["1", "2", "3"]);
        assert_eq!(labels(Axis::counts("hops").roomy([0.0, 1.0]).unwrap()), ["0", "1"]);
        let steps = Axis::counts("steps").tight([0.0, 60_000.0]).unwrap();
        assert_eq!(labels(steps), labels(Axis::linear("steps").tight([0.0, 60_000.0]).unwrap()));
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten() {
        let wide = Axis::logarithmic("loss").roomy([1e-6, 2.0]).unwrap();
        assert_eq!(labels(wide), ["10⁻⁶", "10⁻⁵", "0.0001", "0.001", "0.01", "0.1", "1"]);
        let narrow = Axis::logarithmic("loss").tight([0.3, 4.0]).unwrap();
        assert_eq!(labels(narrow), ["0.5", "1", "2"]);
    }

    #[test]
    fn large_and_small_numbers_are_written_shortly() {
        assert_eq!(scientific(2.5e-7, 1), "2.5×10⁻⁷");
        assert_eq!(scientific(-1e10, 1), "-1×10¹⁰");
        assert_eq!(in_thousands("-123456"), "-123\u{202f}456");
    }

    #[test]
    fn a_single_value_gets_room_and_none_gets_no_axis() {
        assert_eq!(Axis::linear("x").tight([0.0]).unwrap(), Span::linear(-1.0, 1.0));
        let span = Axis::logarithmic("x").tight([4.0, -1.0, f64::NAN]).unwrap();
        assert_eq!((span.low, span.high), (2.0, 8.0));
        assert!(Axis::logarithmic("x").tight([0.0]).is_none());
        assert_eq!(Axis::linear("x").including(1.0).tight([0.0]).unwrap(), Span::linear(0.0, 1.0));
    }

    proptest! {
        #[test]
        fn every_axis_has_a_few_ticks_inside(low in -1e6..1e6_f64, width in 1e-3..1e6_f64) {
            let span = Axis::linear("x").roomy([low, low + width]).unwrap();
            let ticks = span.ticks();
            prop_assert!((3..=TICKS + 3).contains(&ticks.len()), "{:?}", ticks);
                prop_assert!(span.low < low && low + width < span.high);
            let slack = 1e-6 * (span.high - span.low);
            prop_assert!(ticks.iter().all(|tick| (span.low - slack..=span.high + slack).contains(tick)));
        }

        #[test]
        fn values_keep_their_order_on_paper(low in 1e-3..1.0_f64, ratio in 1.1..1e6_f64, share in 0.0..1.0_f64, other in 0.0..1.0_f64) {
            for axis in [Axis::linear("x"), Axis::logarithmic("x")] {
                let span = axis.tight([low, low * ratio]).unwrap();
                let at = |share: f64| span.map(&(low + share * low * (ratio - 1.0)), (10, 500));
                let (first, second) = (share.min(other), share.max(other));
                prop_assert!(10 <= at(first) && at(first) <= at(second) && at(second) <= 500);
                prop_assert_eq!((span.map(&span.low, (10, 500)), span.map(&span.high, (10, 500))), (10, 500));
            }
        }
    }
}
