//! A chart as SVG: for the page, which colours it by its style sheet, and as a file of its own.

use super::curves::{Chart, Curve, Point};
use super::text::escaped;

/// Size of the drawing; on the page it is scaled to its column.
pub(crate) const SIZE: [f64; 2] = [340.0, 190.0];

/// Left, top, right and bottom edge of the plot in the drawing.
pub(crate) const PLOT: [f64; 4] = [46.0, 10.0, 332.0, 166.0];

/// Colours of the variants on paper; the page has those of its themes.
const COLOURS: [&str; 8] = ["#0b62c4", "#b45309", "#15803d", "#a21caf", "#b91c1c", "#0e7490", "#6b5b00", "#475569"];

/// What the axes go from and to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Axes {
    pub(crate) steps: [f64; 2],
    pub(crate) values: [f64; 2],
}

impl Axes {
    /// Around all points of a chart; shares go from 0 to 1.
    pub(crate) fn of(chart: &Chart) -> Axes {
        let points = || chart.curves.iter().flat_map(|curve| &curve.points);
        let ends = |point: &Point| {
            let band = point.band.unwrap_or([point.mean; 2]);
            [band[0], band[1], point.mean, point.raw.unwrap_or(point.mean)]
        };
        let steps = range(points().map(|point| point.step as f64));
        let values = if chart.percent { [0.0, 1.0] } else { range(points().flat_map(ends)) };
        let pad = if chart.percent { 0.0 } else { 0.04 * (values[1] - values[0]) };
        Axes { steps, values: [values[0] - pad, values[1] + pad] }
    }

    fn x(&self, step: f64) -> f64 {
        PLOT[0] + (PLOT[2] - PLOT[0]) * (step - self.steps[0]) / (self.steps[1] - self.steps[0])
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

/// The drawing inside `<svg>`: axes, bands, curves. Elements carry classes, so that a style sheet can colour them.
pub(crate) fn drawing(chart: &Chart) -> String {
    let axes = Axes::of(chart);
    let mut svg = grid(chart, &axes);
    for curve in &chart.curves {
        svg += &bands(curve, &axes);
    }
    for curve in &chart.curves {
        let class = format!("v{}", curve.variant % COLOURS.len());
        let dashed = if curve.variant >= COLOURS.len() { " dashed" } else { "" };
        let raw: Vec<(f64, f64)> = curve.points.iter().filter_map(|p| Some((p.step as f64, p.raw?))).collect();
        let mean: Vec<(f64, f64)> = curve.points.iter().map(|p| (p.step as f64, p.mean)).collect();
        svg += &line(&raw, &axes, &format!("raw {class}"));
        svg += &line(&mean, &axes, &format!("mean {class}{dashed}"));
    }
    svg
}

/// A whole SVG file with a title, a legend and colours of its own.
pub(crate) fn file(chart: &Chart) -> String {
    let rows = if chart.curves.len() > 1 { chart.curves.len().div_ceil(3) } else { 0 };
    let (top, [width, height]) = (20.0 + 14.0 * rows as f64, SIZE);
    let mut legend = String::new();
    for (i, curve) in chart.curves.iter().enumerate().filter(|_| rows > 0) {
        let (x, y) = (PLOT[0] + 98.0 * (i % 3) as f64, 28.0 + 14.0 * (i / 3) as f64);
        let label: String = curve.label.chars().take(14).collect();
        let class = curve.variant % COLOURS.len();
        legend += &format!(
            "<path class=\"mean v{class}\" d=\"M{x} {}h12\"/><text x=\"{}\" y=\"{y}\">{}</text>",
            y - 3.5,
            x + 16.0,
            escaped(&label)
        );
    }
    let colours: String = COLOURS
        .iter()
        .enumerate()
        .map(|(i, colour)| format!(".v{i}{{stroke:{colour}}} .band.v{i}{{fill:{colour};stroke:none}}"))
        .collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {}\" width=\"{width}\" height=\"{}\"><style>{STYLE}\
         {colours}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><text class=\"title\" x=\"{}\" y=\"14\">{}</text>\
         {legend}<g transform=\"translate(0 {top})\">{}</g></svg>\n",
        height + top,
        height + top,
        PLOT[0],
        escaped(&chart.title),
        drawing(chart)
    )
}

const STYLE: &str = "text{font:10px sans-serif;fill:#333}.title{font-size:12px;font-weight:bold}.grid{stroke:#ddd}\
                     path{fill:none}.raw{stroke-width:.8;opacity:.35}.mean{stroke-width:1.8}.dashed{stroke-dasharray:5 3}\
                     .band{opacity:.18}.end{text-anchor:end}.middle{text-anchor:middle}";

fn grid(chart: &Chart, axes: &Axes) -> String {
    let [left, _, right, bottom] = PLOT;
    let mut svg = String::new();
    let scale = if chart.percent { 100.0 } else { 1.0 };
    for value in ticks(axes.values, 4) {
        let y = axes.y(value);
        svg += &format!("<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/>");
        let (x, y) = (left - 5.0, y + 3.5);
        svg += &format!("<text class=\"end\" x=\"{x}\" y=\"{y:.1}\">{}</text>", number(scale * value));
    }
    for step in ticks(axes.steps, 4).into_iter().filter(|step| step.fract() == 0.0) {
        let (x, y) = (axes.x(step), bottom + 15.0);
        svg += &format!("<text class=\"middle\" x=\"{x:.1}\" y=\"{y}\">{}</text>", number(step));
    }
    svg
}

fn bands(curve: &Curve, axes: &Axes) -> String {
    let banded: Vec<(f64, [f64; 2])> =
        curve.points.iter().filter_map(|point| Some((axes.x(point.step as f64), point.band?))).collect();
    if banded.len() < 2 {
        return String::new();
    }
    let upper = banded.iter().map(|(x, band)| format!("{x:.1} {:.1}", axes.y(band[1])));
    let lower = banded.iter().rev().map(|(x, band)| format!("{x:.1} {:.1}", axes.y(band[0])));
    let outline: Vec<String> = upper.chain(lower).collect();
    format!("<path class=\"band v{}\" d=\"M{}Z\"/>", curve.variant % COLOURS.len(), outline.join("L"))
}

fn line(points: &[(f64, f64)], axes: &Axes, class: &str) -> String {
    let place = |&(step, value): &(f64, f64)| format!("{:.1} {:.1}", axes.x(step), axes.y(value));
    match points {
        [] => String::new(),
        [one] => format!("<path class=\"{class}\" d=\"M{}h2\"/>", place(one)),
        many => format!("<path class=\"{class}\" d=\"M{}\"/>", many.iter().map(place).collect::<Vec<_>>().join("L")),
    }
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

/// Four digits at most.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        0.0 => "0".to_owned(),
        _ if !value.is_finite() => "not finite".to_owned(),
        _ if !(1e-3..1e6).contains(&size) => format!("{value:.1e}"),
        _ => {
            let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
            let text = format!("{value:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
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
    fn numbers_are_short() {
        let cases = [(0.0, "0"), (0.47, "0.47"), (1234.6, "1235"), (1e-5, "1.0e-5"), (-0.25, "-0.25"), (100.0, "100")];
        cases.iter().for_each(|(value, text)| assert_eq!(number(*value), *text));
    }
}
