//! Charts as SVG: pure, from numbers to text.
//!
//! Guarantees that one picture serves light and dark (colours are classes of the style sheet), that no inline style is
//! needed, that every text is escaped, and that a chart is bounded however long its row is. Beside each there is a table
//! with the same numbers, which its page makes.

use std::fmt::Write;

/// Width of a chart in its own units.
const WIDTH: f64 = 1000.0;
/// Height of its plot.
const PLOT: f64 = 200.0;
/// Left of the plot, where the scale is written.
const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
/// Words below the plot.
const WORDS: usize = 8;
/// Lines of the scale.
const STEPS: u64 = 4;

/// Something that happened, on a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// In which bucket.
    pub at: usize,
    /// What it was, in a few words.
    pub text: String,
}

/// A row of numbers over time.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// What is shown.
    pub now: &'a [u64],
    /// What it is compared with; as long as it, or empty.
    pub then: &'a [u64],
    /// The usual range: a quarter had less than the first, a quarter more than the second.
    pub band: &'a [(u64, u64)],
    /// The words of each bucket.
    pub words: &'a [String],
    /// What happened meanwhile.
    pub marks: &'a [Mark],
    /// What the whole says, for those who do not see it.
    pub label: &'a str,
}

/// For markup: text and attribute values.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
        safe
    })
}

/// A count as a length. Counts that a picture could tell apart are far below the bound.
fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

fn floats(n: usize) -> f64 {
    float(u64::try_from(n).unwrap_or(u64::MAX))
}

/// The smallest round number that is at least this: 1, 2, 2.5 or 5 times a power of ten, and a multiple of the steps.
#[must_use]
pub fn round_up(most: u64) -> u64 {
    let mut unit = STEPS;
    loop {
        for times in [1, 2, 5] {
            let top = unit.saturating_mul(times);
            if top >= most || top == u64::MAX {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

impl Line<'_> {
    /// The picture.
    #[must_use]
    pub fn svg(&self) -> String {
        let most =
            self.now.iter().chain(self.then).copied().chain(self.band.iter().map(|(_, high)| *high)).max();
        let top = round_up(most.unwrap_or(0));
        let count = self.now.len().max(self.then.len()).max(self.band.len()).max(1);
        let plot = Plot { top, count };
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDTH} 252\" role=\"img\" aria-label=\"{}\">", escaped(self.label));
        plot.scale(&mut svg);
        if !self.band.is_empty() {
            let high: Vec<u64> = self.band.iter().map(|(_, high)| *high).collect();
            let low: Vec<u64> = self.band.iter().map(|(low, _)| *low).collect();
            let back: Vec<String> = plot.points(&low).into_iter().rev().collect();
            let _ = write!(
                svg,
                "<path class=\"band\" d=\"M{}L{}Z\"/>",
                plot.points(&high).join("L"),
                back.join("L")
            );
        }
        if !self.then.is_empty() {
            let _ = write!(svg, "<path class=\"then\" d=\"M{}\"/>", plot.points(self.then).join("L"));
        }
        if !self.now.is_empty() {
            let points = plot.points(self.now).join("L");
            let (first, last) = (plot.x(0), plot.x(self.now.len() - 1));
            let floor = TOP + PLOT;
            let _ =
                write!(svg, "<path class=\"area\" d=\"M{points}L{last:.1} {floor}L{first:.1} {floor}Z\"/>");
            let _ = write!(svg, "<path class=\"line\" d=\"M{points}\"/>");
        }
        self.marks(&plot, &mut svg);
        self.words(&plot, &mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn marks(&self, plot: &Plot, svg: &mut String) {
        // What happened in one bucket has one line.
        let mut lines: std::collections::BTreeMap<usize, Vec<&str>> = std::collections::BTreeMap::new();
        for mark in self.marks.iter().filter(|mark| mark.at < plot.count) {
            lines.entry(mark.at).or_default().push(&mark.text);
        }
        for (at, texts) in lines {
            let x = plot.x(at);
            let left = x > WIDTH * 0.8;
            let (text, anchor) = if left { (x - 6.0, "end") } else { (x + 6.0, "start") };
            let _ = write!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"8\" y2=\"{}\"/><text class=\"marked\" \
                 x=\"{text:.1}\" y=\"16\" text-anchor=\"{anchor}\">{}</text>",
                TOP + PLOT,
                escaped(&texts.join(", "))
            );
        }
    }

    fn words(&self, plot: &Plot, svg: &mut String) {
        let every = self.words.len().div_ceil(WORDS).max(1);
        for (at, word) in self.words.iter().enumerate().step_by(every) {
            let anchor = if at == 0 { "start" } else { "middle" };
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"244\" text-anchor=\"{anchor}\">{}</text>",
                plot.x(at),
                escaped(word)
            );
        }
    }
}

struct Plot {
    top: u64,
    count: usize,
}

impl Plot {
    fn x(&self, at: usize) -> f64 {
        let steps = floats(self.count.saturating_sub(1).max(1));
        LEFT + floats(at) * (WIDTH - LEFT - 6.0) / steps
    }

    fn y(&self, value: u64) -> f64 {
        TOP + PLOT - PLOT * float(value) / float(self.top.max(1))
    }

    fn points(&self, values: &[u64]) -> Vec<String> {
        values
            .iter()
            .enumerate()
            .map(|(at, value)| format!("{:.1} {:.1}", self.x(at), self.y(*value)))
            .collect()
    }

    fn scale(&self, svg: &mut String) {
        for step in 0..=STEPS {
            let value = self.top / STEPS * step;
            let y = self.y(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                WIDTH - 6.0,
                LEFT - 6.0,
                y + 4.0,
                short(value)
            );
        }
    }
}

/// A number for a scale: 1500 is 1.5k.
#[must_use]
pub fn short(value: u64) -> String {
    let (unit, name) = match value {
        0..10_000 => return value.to_string(),
        10_000..10_000_000 => (1_000, "k"),
        _ => (1_000_000, "M"),
    };
    match (value % unit) * 10 / unit {
        0 => format!("{}{name}", value / unit),
        tenths => format!("{}.{tenths}{name}", value / unit),
    }
}

/// Small bars in a row of a table, the last one marked. Decoration: the numbers are beside it.
#[must_use]
pub fn spark(values: &[u64]) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let mut svg = format!(
        "<svg class=\"spark\" viewBox=\"0 0 {} 24\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
        values.len() * 8
    );
    for (at, value) in values.iter().enumerate() {
        let height = (float(*value) / float(most) * 22.0).max(1.0);
        let class = if at + 1 == values.len() { "bar now" } else { "bar" };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{:.1}\" width=\"6\" height=\"{height:.1}\"/>",
            at * 8,
            23.0 - height
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The bar behind a row's words, by its share of the largest.
#[must_use]
pub fn behind(value: u64, largest: u64) -> String {
    let share = float(value) / float(largest.max(1)) * 100.0;
    format!(
        "<svg preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{share:.1}%\" height=\"100%\" rx=\"3\"/></svg>"
    )
}

/// A cell of a heat map.
#[must_use]
pub fn heat(value: u64, largest: u64) -> String {
    let share = float(value) / float(largest.max(1));
    format!(
        "<svg aria-hidden=\"true\"><rect class=\"bar now\" width=\"100%\" height=\"100%\" opacity=\"{share:.2}\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round() {
        for (most, top) in
            [(0, 4), (4, 4), (5, 8), (9, 20), (21, 40), (904, 2_000), (1_900, 2_000), (4_001, 8_000)]
        {
            assert_eq!(round_up(most), top, "{most}");
        }
        assert!(round_up(u64::MAX) == u64::MAX);
        assert_eq!(
            [short(9_999), short(10_000), short(12_500), short(25_000_000)],
            ["9999", "10k", "12.5k", "25M"]
        );
    }

    #[test]
    fn what_others_wrote_is_escaped() {
        let marks = [Mark { at: 0, text: "<b>\"push\"".into() }];
        let words = ["<i>".to_owned()];
        let line = Line { now: &[1], words: &words, marks: &marks, label: "a \"b\" <c>", ..Line::default() };
        let svg = line.svg();
        assert!(
            !svg.contains("<b>") && !svg.contains("<i>") && !svg.contains("<c>") && !svg.contains("\"b\""),
            "{svg}"
        );
    }

    #[test]
    fn nothing_and_one_are_pictures_too() {
        assert!(Line::default().svg().ends_with("</svg>"));
        let one = Line { now: &[7], then: &[3], band: &[(1, 5)], ..Line::default() }.svg();
        assert!(!one.contains("NaN") && !one.contains("inf"), "{one}");
        assert_eq!(spark(&[]).matches("rect").count() + spark(&[0, 3]).matches("<rect").count(), 2);
        assert!(behind(1, 0).contains("100.0%") && heat(0, 0).contains("0.00"));
    }
}
