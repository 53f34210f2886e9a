//! Charts as SVG: pure, from numbers to text.
//!
//! Guarantees that one picture serves light and dark (colours are classes of the style sheet), that no inline style is
//! needed, that every text is escaped, and that a chart is bounded however long its row is. Beside each there is a table
//! with the same numbers, which its page makes.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Width of a chart in its own units.
const WIDTH: f64 = 1000.0;
/// Height of its plot.
const PLOT: f64 = 200.0;
/// Left of the plot, where the scale is written.
const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
/// How far down the line of a mark goes, where its number stands, and where times are written.
const FOOT: f64 = TOP + PLOT + 6.0;
const MARKED: f64 = TOP + PLOT + 18.0;
const WRITTEN: f64 = TOP + PLOT + 36.0;
/// Marks that are closer have one place for their numbers.
const CLOSE: f64 = 30.0;
const HEIGHT: f64 = TOP + PLOT + 44.0;
/// Words below the plot.
const WORDS: usize = 8;
/// Lines of the scale.
const STEPS: u64 = 4;

/// Something that happened, at the foot of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// In which bucket.
    pub at: usize,
    /// Its number in the list beside the chart.
    pub number: usize,
    /// What it was, in a few words.
    pub text: String,
}

/// A row of numbers over time.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// What is shown.
    pub now: &'a [u64],
    /// The last bucket of it is not over yet.
    pub running: bool,
    /// What it is compared with; or empty.
    pub then: &'a [u64],
    /// What that is, at the end of its line; empty where a legend says so.
    pub then_name: &'a str,
    /// The usual range: a quarter had less than the first, a quarter more than the second.
    pub band: &'a [(u64, u64)],
    /// The words of each bucket, also of those that have not begun.
    pub words: &'a [String],
    /// What happened meanwhile.
    pub marks: &'a [Mark],
    /// What the whole is, for those who do not see it.
    pub label: &'a str,
    /// What it says.
    pub description: &'a str,
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

/// The smallest round number that is at least this: the steps times 1, 2, 3 or 5 times a power of ten.
#[must_use]
pub fn round_up(most: u64) -> u64 {
    let mut unit = STEPS;
    loop {
        for times in [1, 2, 3, 5] {
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
        let count = self.now.len().max(self.then.len()).max(self.band.len()).max(self.words.len()).max(1);
        let plot = Plot { top, count };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" data-left=\"{LEFT}\" \
             data-step=\"{:.3}\"><desc>{}</desc>",
            escaped(self.label),
            plot.step(),
            escaped(self.description)
        );
        plot.scale(&mut svg);
        self.band(&plot, &mut svg);
        self.then(&plot, &mut svg);
        self.now(&plot, &mut svg);
        self.marks(&plot, &mut svg);
        self.words(&plot, &mut svg);
        svg.push_str("</svg>");
        svg
    }

    fn band(&self, plot: &Plot, svg: &mut String) {
        if self.band.is_empty() {
            return;
        }
        let high: Vec<u64> = self.band.iter().map(|(_, high)| *high).collect();
        let low: Vec<u64> = self.band.iter().map(|(low, _)| *low).collect();
        let back: Vec<String> = plot.points(&low).into_iter().rev().collect();
        let _ =
            write!(svg, "<path class=\"band\" d=\"M{}L{}Z\"/>", plot.points(&high).join("L"), back.join("L"));
    }

    fn then(&self, plot: &Plot, svg: &mut String) {
        let Some(last) = self.then.last() else { return };
        let (x, y) = (plot.x(self.then.len() - 1), plot.y(*last));
        let _ = write!(svg, "<path class=\"then\" d=\"M{}\"/>", plot.points(self.then).join("L"));
        if self.then_name.is_empty() {
            return;
        }
        // Not below the foot, and not above the top.
        let y = (y - 6.0).max(TOP - 8.0);
        let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
        let _ = write!(
            svg,
            "<text class=\"named\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            escaped(self.then_name)
        );
    }

    fn now(&self, plot: &Plot, svg: &mut String) {
        if self.now.is_empty() {
            return;
        }
        let points = plot.points(self.now);
        let (first, last) = (plot.x(0), plot.x(self.now.len() - 1));
        let floor = TOP + PLOT;
        let area = points.join("L");
        let _ = write!(svg, "<path class=\"area\" d=\"M{area}L{last:.1} {floor}L{first:.1} {floor}Z\"/>");
        // What is not over yet is drawn otherwise: it only grows.
        let over = if self.running { points.len() - 1 } else { points.len() };
        if over > 0 {
            let _ = write!(svg, "<path class=\"line\" d=\"M{}\"/>", points[..over].join("L"));
        }
        if self.running {
            let from = over.saturating_sub(1);
            let _ = write!(svg, "<path class=\"line running\" d=\"M{}\"/>", points[from..].join("L"));
        }
        // One alone is no line.
        if (self.running || points.len() == 1)
            && let Some((x, y)) = points.last().and_then(|point| point.split_once(' '))
        {
            let _ = write!(svg, "<circle class=\"dot\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>");
        }
    }

    fn marks(&self, plot: &Plot, svg: &mut String) {
        let mut marks: Vec<&Mark> = self.marks.iter().filter(|mark| mark.at < plot.count).collect();
        marks.sort_by_key(|mark| (mark.at, mark.number));
        let mut lines: BTreeMap<usize, ()> = BTreeMap::new();
        // Those that are too close to each other for numbers of their own have one place for them.
        let mut groups: Vec<Vec<&Mark>> = vec![];
        for mark in marks {
            if lines.insert(mark.at, ()).is_none() {
                let x = plot.x(mark.at);
                let _ = write!(
                    svg,
                    "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{FOOT}\"/>"
                );
            }
            let last = groups.last_mut().filter(|group| {
                group.last().is_some_and(|before| plot.x(mark.at) - plot.x(before.at) < CLOSE)
            });
            match last {
                Some(group) => group.push(mark),
                None => groups.push(vec![mark]),
            }
        }
        let starts = groups.iter().map(|group| group.first().map_or(0.0, |mark| plot.x(mark.at)));
        let ends: Vec<f64> = starts.skip(1).chain([WIDTH]).collect();
        for (group, end) in groups.iter().zip(ends) {
            self::group(group, end, plot, svg);
        }
    }

    fn words(&self, plot: &Plot, svg: &mut String) {
        let words: Vec<(usize, &String)> =
            self.words.iter().enumerate().filter(|(_, word)| !word.is_empty()).collect();
        let every = words.len().div_ceil(WORDS).max(1);
        for (nth, (at, word)) in words.into_iter().step_by(every).enumerate() {
            // Where there is room for half of them only, these are left out.
            let class = if nth % 2 == 1 { "class=\"alt\" " } else { "" };
            let x = plot.x(at);
            let anchor = match at {
                0 => "start",
                _ if x > WIDTH - 60.0 => "end",
                _ => "middle",
            };
            let _ = write!(
                svg,
                "<text {class}x=\"{x:.1}\" y=\"{WRITTEN}\" text-anchor=\"{anchor}\">{}</text>",
                escaped(word)
            );
        }
    }
}

/// The numbers of marks that are close to each other, and their words where there is room before the next.
fn group(marks: &[&Mark], end: f64, plot: &Plot, svg: &mut String) {
    let Some(x) = marks.first().map(|mark| plot.x(mark.at)) else { return };
    let numbers: Vec<String> = marks.iter().map(|mark| mark.number.to_string()).collect();
    let numbers = numbers.join(",");
    let _ = write!(svg, "<text class=\"marked\" x=\"{:.1}\" y=\"{MARKED}\">{numbers}</text>", x - 3.0);
    let texts: Vec<&str> = marks.iter().map(|mark| mark.text.as_str()).collect();
    let (text, from) = (texts.join(", "), x + 4.0 + 6.5 * floats(numbers.len()));
    if from + 6.0 * floats(text.chars().count()) < end - 12.0 {
        let _ = write!(
            svg,
            "<text class=\"marked said\" x=\"{from:.1}\" y=\"{MARKED}\">{}</text>",
            escaped(&text)
        );
    }
}

struct Plot {
    top: u64,
    count: usize,
}

impl Plot {
    /// From one bucket to the next.
    fn step(&self) -> f64 {
        (WIDTH - LEFT - 6.0) / floats(self.count.saturating_sub(1).max(1))
    }

    fn x(&self, at: usize) -> f64 {
        LEFT + floats(at) * self.step()
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

/// A cell of a heat map; nothing for nothing.
#[must_use]
pub fn heat(value: u64, largest: u64) -> String {
    let share = float(value) / float(largest.max(1));
    match value {
        0 => String::new(),
        _ => format!(
            "<svg aria-hidden=\"true\"><rect class=\"bar now\" width=\"100%\" height=\"100%\" opacity=\"{share:.2}\"/></svg>"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round() {
        for (most, top) in [
            (0, 4),
            (4, 4),
            (5, 8),
            (9, 12),
            (13, 20),
            (21, 40),
            (904, 1_200),
            (1_900, 2_000),
            (4_001, 8_000),
        ] {
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
        let marks = [Mark { at: 0, number: 1, text: "<b>\"push\"".into() }];
        let words = ["<i>".to_owned()];
        let line = Line { now: &[1], words: &words, marks: &marks, label: "a \"b\" <c>", ..Line::default() };
        let line = Line { then: &[1], then_name: "<b>", description: "<c>", ..line };
        let svg = line.svg();
        assert!(
            !svg.contains("<b>") && !svg.contains("<i>") && !svg.contains("<c>") && !svg.contains("\"b\""),
            "{svg}"
        );
    }

    #[test]
    fn what_is_not_over_is_drawn_otherwise_and_what_has_not_begun_not_at_all() {
        let words: Vec<String> = (0..4).map(|hour| format!("{hour}:00")).collect();
        let line =
            Line { now: &[4, 4], running: true, then: &[4, 4, 4, 4], words: &words, ..Line::default() };
        let svg = line.svg();
        let (x1, x2) = ("360.7", "677.3");
        assert!(svg.contains("class=\"line running\"") && svg.contains(&format!("L{x1} ")), "{svg}");
        let own = svg.split_once("class=\"line\"").unwrap().1;
        assert!(!own.contains(&format!("L{x2} ")), "it ends where now is: {own}");
        assert_eq!(Line { running: false, ..line }.svg().matches("running").count(), 0);
    }

    #[test]
    fn marks_are_numbered_at_the_foot_and_said_where_there_is_room() {
        let mark = |at, number, text: &str| Mark { at, number, text: text.into() };
        let marks =
            [mark(0, 1, "published"), mark(3, 2, "moved"), mark(4, 3, "push"), mark(60, 4, "corrected")];
        let svg = Line { now: &[1; 61], marks: &marks, ..Line::default() }.svg();
        assert!(svg.contains(">1<") && svg.contains(">2,3<") && svg.contains(">4<"), "{svg}");
        assert!(
            svg.contains(">moved, push<") && !svg.contains(">published<") && !svg.contains(">corrected<")
        );
    }

    #[test]
    fn nothing_and_one_are_pictures_too() {
        assert!(Line::default().svg().ends_with("</svg>"));
        let one = Line { now: &[7], then: &[3], band: &[(1, 5)], ..Line::default() }.svg();
        assert!(one.contains("class=\"dot\""), "{one}");
        assert!(!one.contains("NaN") && !one.contains("inf"), "{one}");
        assert_eq!(spark(&[]).matches("rect").count() + spark(&[0, 3]).matches("<rect").count(), 2);
        assert!(behind(1, 0).contains("100.0%") && heat(0, 0).is_empty());
    }
}
