//! A chart as shapes: for the page, which colours them by its style sheet, and as a picture of its own.

use super::curves::{Chart, Curve, Point};
use super::picture::{Anchor, COLOURS, Shape, Stroke};

/// Size of the drawing; on the page it is scaled to its column.
pub(crate) const SIZE: [f64; 2] = [340.0, 190.0];

/// Left, top, right and bottom edge of the plot in the drawing.
pub(crate) const PLOT: [f64; 4] = [46.0, 10.0, 332.0, 166.0];

/// What the axes go from and to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axes {
    pub(crate) steps: [f64; 2],
    pub(crate) values: [f64; 2],
}

impl Axes {
    /// Around all points of a chart; shares go from 0, and to 1 where they pass a half.
    pub(crate) fn of(chart: &Chart) -> Axes {
        let points = || chart.curves.iter().flat_map(|curve| &curve.points);
        let ends = |point: &Point| {
            let band = point.band.unwrap_or([point.mean; 2]);
            [band[0], band[1], point.mean, point.raw.unwrap_or(point.mean)]
        };
        let steps = range(points().map(|point| point.step as f64));
        let [low, high] = range(points().flat_map(ends));
        let pad = 0.04 * (high - low);
        let values = match chart.percent {
            true if high > 0.5 => [0.0, 1.0],
            true => [0.0, (1.1 * high).max(0.01)],
            false => [low - pad, high + pad],
        };
        Axes { steps, values }
    }

    fn x(&self, step: f64) -> f64 {
        PLOT[0] + (PLOT[2] - PLOT[0]) * (step - self.steps[0]) / (self.steps[1] - self.steps[0])
    }

    fn place(&self, step: u64, value: f64) -> [f64; 2] {
        [self.x(step as f64), self.y(value)]
    }

    fn y(&self, value: f64) -> f64 {
        let y = PLOT[3] - (PLOT[3] - PLOT[1]) * (value - self.values[0]) / (self.values[1] - self.values[0]);
        y.clamp(PLOT[1], PLOT[3])
    }
}

/// Smallest and largest; a range around a single value.
fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    match low.partial_cmp(&high) {
        Some(std::cmp::Ordering::Less) => [low, high],
        Some(std::cmp::Ordering::Equal) => [low - 0.5, high + 0.5],
        _ => [0.0, 1.0],
    }
}

/// The chart without a title: axes, bands, curves.
pub(crate) fn shapes(chart: &Chart) -> Vec<Shape> {
    let axes = Axes::of(chart);
    let mut shapes = grid(chart, &axes);
    shapes.extend(chart.curves.iter().filter_map(|curve| band(curve, &axes)));
    for curve in &chart.curves {
        let raw = curve.points.iter().filter_map(|point| Some(axes.place(point.step, point.raw?))).collect();
        let mean = curve.points.iter().map(|point| axes.place(point.step, point.mean)).collect();
        let stroke = if curve.variant < COLOURS.len() { Stroke::Mean } else { Stroke::Dashed };
        shapes.extend(line(Stroke::Raw, curve.variant, raw));
        shapes.extend(line(stroke, curve.variant, mean));
    }
    shapes
}

/// A picture of its own with title and legend: its shapes, and its size.
pub(crate) fn picture(chart: &Chart) -> (Vec<Shape>, [f64; 2]) {
    let text = |anchor, at, text: &str| Shape::Text { anchor, at, text: text.to_owned() };
    let mut shapes = vec![text(Anchor::Title, [PLOT[0], 16.0], &chart.title)];
    let named: &[Curve] = if chart.curves.len() > 1 { &chart.curves } else { &[] };
    for (i, curve) in named.iter().enumerate() {
        let [x, y] = [PLOT[0] + 98.0 * (i % 3) as f64, 30.0 + 14.0 * (i / 3) as f64];
        let label: String = curve.label.chars().take(14).collect();
        shapes.extend(line(Stroke::Mean, curve.variant, vec![[x, y - 4.0], [x + 12.0, y - 4.0]]));
        shapes.push(text(Anchor::Start, [x + 16.0, y], &label));
    }
    let top = 22.0 + 14.0 * named.len().div_ceil(3) as f64;
    shapes.extend(self::shapes(chart).into_iter().map(|shape| shape.down(top)));
    (shapes, [SIZE[0], SIZE[1] + top])
}

/// A picture as an SVG file with colours of its own.
pub(crate) fn svg(shapes: &[Shape], [width, height]: [f64; 2]) -> String {
    let colours: String = COLOURS
        .iter()
        .enumerate()
        .map(|(i, colour)| format!(".v{i}{{stroke:{colour}}}.band.v{i}{{fill:{colour};stroke:none}}"))
        .collect();
    let shapes: String = shapes.iter().map(Shape::svg).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\"><style>{STYLE}{colours}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{shapes}</svg>\n"
    )
}

const STYLE: &str = "text{font:10px sans-serif;fill:#262626}.title{font-size:12px;font-weight:bold}.grid{stroke:#ddd}\
                     path{fill:none}.raw{stroke-width:.8;opacity:.35}.mean{stroke-width:1.8}.dashed{stroke-dasharray:5 3}\
                     .band{opacity:.18}.end{text-anchor:end}.middle{text-anchor:middle}";

fn grid(chart: &Chart, axes: &Axes) -> Vec<Shape> {
    let [left, _, right, bottom] = PLOT;
    let mut shapes = Vec::new();
    let scale = if chart.percent { 100.0 } else { 1.0 };
    let marks = ticks(axes.values, 4);
    let apart = scale * marks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    for value in marks {
        let y = axes.y(value);
        shapes.push(Shape::Line { stroke: Stroke::Grid, variant: 0, points: vec![[left, y], [right, y]] });
        shapes.push(Shape::Text { anchor: Anchor::End, at: [left - 5.0, y + 3.5], text: mark(scale * value, apart) });
    }
    for step in ticks(axes.steps, 4).into_iter().filter(|step| step.fract() == 0.0) {
        shapes.push(Shape::Text { anchor: Anchor::Middle, at: [axes.x(step), bottom + 15.0], text: number(step) });
    }
    shapes
}

fn band(curve: &Curve, axes: &Axes) -> Option<Shape> {
    let end = |end: usize| curve.points.iter().filter_map(move |p| Some(axes.place(p.step, p.band?[end])));
    let outline: Vec<[f64; 2]> = end(1).chain(end(0).collect::<Vec<_>>().into_iter().rev()).collect();
    (outline.len() > 3).then_some(Shape::Area { variant: curve.variant, outline })
}

/// A single point is a short line.
fn line(stroke: Stroke, variant: usize, mut points: Vec<[f64; 2]>) -> Option<Shape> {
    if let [[x, y]] = points[..] {
        points.push([x + 2.0, y]);
    }
    (!points.is_empty()).then_some(Shape::Line { stroke, variant, points })
}

/// About `count` round numbers in a range.
fn ticks([low, high]: [f64; 2], count: usize) -> Vec<f64> {
    let rough = (high - low) / count as f64;
    let power = 10f64.powf(rough.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power);
    let step = round.into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil();
    (0..=2 * count).map(|i| (first + i as f64) * step).take_while(|tick| *tick <= high + 1e-9 * step).collect()
}

/// With as many digits as tell it from the marks beside it.
fn mark(value: f64, apart: f64) -> String {
    let digits = (1.0 - apart.log10().floor()).clamp(0.0, 9.0) as usize;
    match value.abs() {
        size if size >= 1e6 || digits > 6 => number(value),
        _ => trimmed(format!("{value:.digits$}")),
    }
}

/// Without zeros at the end of a fraction.
fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Four digits at most.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        0.0 => "0".to_owned(),
        _ if !value.is_finite() => "not finite".to_owned(),
        _ if !(1e-3..1e6).contains(&size) => format!("{value:.1e}"),
        _ => {
            let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
            trimmed(format!("{value:.digits$}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks([0.0, 1.0], 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks([0.0, 179.0], 4), [0.0, 50.0, 100.0, 150.0]);
        for range in [[-3.2e-7, 1.1e-6], [1e9, 1.1e9], [-5.0, -4.9]] {
            let found = ticks(range, 4);
            assert!((2..=8).contains(&found.len()), "{range:?}: {found:?}");
            assert!(
                found.iter().all(|tick| range[0] <= *tick && *tick <= range[1] * (1.0 + 1e-9f64.copysign(range[1])))
            );
        }
    }

    #[test]
    fn marks_are_told_apart() {
        assert_eq!([0.9999, 1.0, 1.0001].map(|value| mark(value, 1e-4)), ["0.9999", "1", "1.0001"]);
        assert_eq!([0.0, 25.0].map(|value| mark(value, 25.0)), ["0", "25"]);
        assert_eq!(mark(-2.5, 2.5), "-2.5");
    }

    #[test]
    fn numbers_are_short() {
        let cases = [(0.0, "0"), (0.47, "0.47"), (1234.6, "1235"), (1e-5, "1.0e-5"), (-0.25, "-0.25"), (100.0, "100")];
        cases.iter().for_each(|(value, text)| assert_eq!(number(*value), *text));
    }
}
