//! Line charts as SVG, two in a row: a logarithmic axis of numbers, and one of values that begins at 0.
//!
//! It is a page of text that a browser draws, in shades that are legible on white and on black. Each chart has an
//! axis of values of its own, and above it the names of its lines in their colours.

use std::fmt::Write as _;

/// A chart.
#[derive(Debug)]
pub(crate) struct Plot {
    /// What the numbers count.
    pub(crate) title: String,
    pub(crate) lines: Vec<Line>,
}

/// A named line through points.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Number, from 1, and value.
    pub(crate) points: Vec<(f64, f64)>,
}

/// All charts as a file, under one title.
pub(crate) fn svg(title: &str, plots: &[Plot]) -> String {
    let rows = plots.len().div_ceil(2);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#777\">\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
        2 * WIDTH,
        HEAD + rows * HEIGHT,
        escaped(title),
    );
    for (number, plot) in plots.iter().enumerate() {
        let (x, y) = (number % 2 * WIDTH, HEAD + number / 2 * HEIGHT);
        push(
            &mut text,
            format_args!("<g transform=\"translate({x} {y})\">"),
        );
        plot.draw(&mut text);
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

impl Plot {
    fn draw(&self, text: &mut String) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let most = points().map(|&(_, value)| value).fold(1.0, f64::max);
        let step = grid(most);
        let top = (most / step).ceil() * step;
        let widest = points().map(|&(number, _)| number).fold(10.0, f64::max);
        let x = |number: f64| LEFT + (RIGHT - LEFT) * number.max(1.0).log10() / widest.log10();
        let y = |value: f64| BOTTOM - (BOTTOM - TOP) * value / top;

        let mut value = 0.0;
        while value <= top {
            let at = y(value);
            push(
                text,
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
                text,
                format_args!(
                    "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{number}</text>",
                    x(number),
                    BOTTOM + 18.0,
                ),
            );
            number *= 10.0;
        }
        push(
            text,
            format_args!(
                "<text x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                BOTTOM + 34.0,
                escaped(&self.title),
            ),
        );
        let names = self.lines.iter().zip(COLOURS.iter().cycle());
        let names = names.map(|(line, colour)| {
            format!(
                "<tspan fill=\"{colour}\" dx=\"8\">{}</tspan>",
                escaped(&line.name)
            )
        });
        push(
            text,
            format_args!(
                "<text x=\"{}\" y=\"{}\">{}</text>",
                LEFT - 8.0,
                TOP - 12.0,
                names.collect::<String>(),
            ),
        );
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let points = line
                .points
                .iter()
                .map(|&(number, value)| (x(number), y(value)));
            let path: Vec<String> = points
                .clone()
                .map(|(x, y)| format!("{x:.1} {y:.1}"))
                .collect();
            push(
                text,
                format_args!(
                    "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                    path.join("L"),
                ),
            );
            for (x, y) in points {
                push(
                    text,
                    format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"),
                );
            }
        }
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

/// The height of the title of all.
const HEAD: usize = 40;

/// Of each chart, its axes and names included.
const WIDTH: usize = 400;
const HEIGHT: usize = 240;

/// Where its lines are drawn, within that.
const LEFT: f64 = 45.0;
const RIGHT: f64 = 380.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 190.0;

/// Told apart by those who do not see red or green, too (after Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(names: &[&str], points: &[(f64, f64)]) -> Plot {
        let line = |name: &&str| Line {
            name: (*name).to_owned(),
            points: points.to_vec(),
        };
        Plot {
            title: "a < b".to_owned(),
            lines: names.iter().map(line).collect(),
        }
    }

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
        let svg = svg("all", &[plot(&["one"], &[(1.0, 0.0), (100.0, 40.0)])]);
        assert!(svg.contains("M45.0 190.0L380.0 30.0"), "{svg}");
        assert!(svg.contains("a &lt; b"), "{svg}");
    }

    #[test]
    fn each_line_is_named_in_its_colour() {
        let svg = svg("all", &[plot(&["one", "two"], &[(1.0, 5.0)])]);
        for (name, colour) in ["one", "two"].iter().zip(COLOURS) {
            assert!(svg.contains(&format!("fill=\"{colour}\" dx=\"8\">{name}<")));
            assert!(svg.contains(&format!("stroke=\"{colour}\"")));
        }
    }

    #[test]
    fn charts_are_two_in_a_row() {
        let four: Vec<Plot> = (0..4).map(|_| plot(&["one"], &[(1.0, 5.0)])).collect();
        let svg = svg("all", &four);
        assert!(svg.contains("viewBox=\"0 0 800 520\""), "{svg}");
        for place in ["0 40", "400 40", "0 280", "400 280"] {
            assert!(svg.contains(&format!("translate({place})")), "{place}");
        }
    }
}
