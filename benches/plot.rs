//! A line chart as SVG: a logarithmic axis of numbers, and one of values that begins at 0.
//!
//! It is a page of text that a browser draws, in shades that are legible on white and on black, with each line's
//! name at its end. Names that would lie on each other are moved apart.

use std::fmt::Write as _;

/// A chart.
#[derive(Debug)]
pub(crate) struct Plot {
    title: String,
    below: String,
    lines: Vec<Line>,
}

/// A named line through points.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Number, from 1, and value.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Plot {
    /// A chart without lines.
    pub(crate) fn new(title: &str, below: &str) -> Self {
        Self {
            title: title.to_owned(),
            below: below.to_owned(),
            lines: Vec::new(),
        }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// The chart as a file.
    pub(crate) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let most = points().map(|&(_, value)| value).fold(1.0, f64::max);
        let step = grid(most);
        let top = (most / step).ceil() * step;
        let widest = points().map(|&(number, _)| number).fold(10.0, f64::max);
        let x = |number: f64| LEFT + (RIGHT - LEFT) * number.max(1.0).log10() / widest.log10();
        let y = |value: f64| BOTTOM - (BOTTOM - TOP) * value / top;

        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 420\" \
             font-family=\"sans-serif\" font-size=\"12\" fill=\"#777\">\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n\
             <text x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
            escaped(&self.title),
            BOTTOM + 36.0,
            escaped(&self.below),
        );
        let mut value = 0.0;
        while value <= top {
            let at = y(value);
            push(
                &mut text,
                format_args!(
                    "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#777\" stroke-opacity=\".3\"/>\
                     <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                    LEFT - 8.0,
                    at + 4.0,
                ),
            );
            value += step;
        }
        let mut number = 1.0;
        while number <= widest {
            push(
                &mut text,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{number}</text>",
                    x(number),
                    BOTTOM + 18.0,
                ),
            );
            number *= 10.0;
        }
        for (position, (line, at)) in self.lines.iter().zip(self.labels(y)).enumerate() {
            let colour = COLOURS.iter().cycle().nth(position).unwrap_or(&"#777");
            let path: Vec<String> = line
                .points
                .iter()
                .map(|&(number, value)| format!("{:.1} {:.1}", x(number), y(value)))
                .collect();
            push(
                &mut text,
                format_args!(
                    "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
                     <text x=\"{}\" y=\"{at:.1}\" fill=\"{colour}\">{}</text>",
                    path.join("L"),
                    RIGHT + 10.0,
                    escaped(&line.name),
                ),
            );
            for &(number, value) in &line.points {
                push(
                    &mut text,
                    format_args!(
                        "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                        x(number),
                        y(value),
                    ),
                );
            }
        }
        text.push_str("</svg>\n");
        text
    }

    /// The height of each line's name: that of its end, but at least a line's height below the one above.
    fn labels(&self, y: impl Fn(f64) -> f64) -> Vec<f64> {
        let end = |line: &Line| line.points.last().map_or(BOTTOM, |&(_, value)| y(value));
        let mut order: Vec<(usize, f64)> = self.lines.iter().map(end).enumerate().collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut lowest = f64::NEG_INFINITY;
        for (_, at) in &mut order {
            *at = at.max(lowest + 15.0);
            lowest = *at;
        }
        order.sort_by_key(|&(position, _)| position);
        order.into_iter().map(|(_, at)| at + 4.0).collect()
    }
}

/// The distance between two lines of the grid: 1, 2 or 5 times a power of ten, for four to ten of them.
fn grid(most: f64) -> f64 {
    let power = 10_f64.powf((most / 10.0).log10().ceil());
    let fits = |step: &f64| most / step >= 4.0;
    [power, power / 2.0, power / 5.0]
        .into_iter()
        .find(fits)
        .unwrap_or(power / 5.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(text, "{what}");
}

const LEFT: f64 = 50.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 370.0;

/// Told apart by those who do not see red or green, too (after Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_four_to_ten_lines_at_round_values() {
        for (most, step) in [
            (40.0, 10.0),
            (36.0, 5.0),
            (100.0, 10.0),
            (130.0, 20.0),
            (7.0, 1.0),
        ] {
            assert!((grid(most) - step).abs() < 1e-9, "{most}: {}", grid(most));
        }
    }

    #[test]
    fn points_lie_where_their_values_are() {
        let mut plot = Plot::new("a < b", "n");
        plot.line(Line {
            name: "one".to_owned(),
            points: vec![(1.0, 0.0), (100.0, 40.0)],
        });
        let svg = plot.svg();
        assert!(svg.contains("M50.0 370.0L600.0 50.0"), "{svg}");
        assert!(svg.contains("a &lt; b"), "{svg}");
    }

    #[test]
    fn names_of_lines_that_end_together_are_apart() {
        let mut plot = Plot::new("", "");
        for name in ["one", "two"] {
            plot.line(Line {
                name: name.to_owned(),
                points: vec![(1.0, 5.0)],
            });
        }
        let labels = plot.labels(|_| 100.0);
        assert_eq!(labels, [104.0, 119.0]);
    }
}
