//! The newsroom's own colour, as readers' pages can show it.
//!
//! Guarantees that what is shown in it can be read (WCAG AA): on light and on dark paper it has a contrast of at least
//! 4.5 to 1, and so has what is written on it.

/// The least contrast of text.
const READABLE: f64 = 4.5;
/// Steps from a colour to white or black.
const STEPS: u16 = 50;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color([u8; 3]);

/// Paper in light and in dark, as in the style sheet.
const LIGHT: Color = Color([0xfb, 0xfa, 0xf7]);
const DARK: Color = Color([0x15, 0x17, 0x1a]);
const WHITE: Color = Color([0xff; 3]);
const BLACK: Color = Color([0; 3]);

impl Color {
    /// Reads `#rrggbb`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Color> {
        let digits =
            text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Color([part(0)?, part(2)?, part(4)?]))
    }

    /// The declarations of the page's own properties: the colour, and what is written on it.
    pub(super) fn style(self) -> String {
        let (light, dark) = (self.readable_on(LIGHT, BLACK), self.readable_on(DARK, WHITE));
        format!(
            ":root{{--signal:light-dark({light},{dark});--on:light-dark({},{})}}",
            light.ink(),
            dark.ink()
        )
    }

    /// This colour, or the nearest on the way to `towards` that can be read on this paper.
    fn readable_on(self, paper: Color, towards: Color) -> Color {
        let steps = (0..=STEPS).map(|step| self.mixed(towards, step));
        steps.into_iter().find(|color| color.contrast(paper) >= READABLE).unwrap_or(towards)
    }

    /// Black or white, whichever stands out more: one of them always does enough.
    fn ink(self) -> Color {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    fn mixed(self, with: Color, step: u16) -> Color {
        let mut mixed = self;
        for (part, other) in mixed.0.iter_mut().zip(with.0) {
            let sum = u16::from(*part) * (STEPS - step) + u16::from(other) * step;
            *part = u8::try_from(sum / STEPS).unwrap_or(u8::MAX);
        }
        mixed
    }

    /// WCAG 2's contrast, 1 to 21.
    fn contrast(self, other: Color) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl std::fmt::Display for Color {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_read() {
        assert_eq!(Color::parse("#C2341d").map(|c| c.to_string()).as_deref(), Some("#c2341d"));
        for bad in ["", "red", "#fff", "#c2341", "#c2341d0", "#c2341g", "c2341d", "#é2341", "#+2341d"] {
            assert_eq!(Color::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn whatever_the_color_it_can_be_read() {
        let parts = [0, 51, 102, 153, 204, 255];
        for red in parts {
            for green in parts {
                for blue in parts {
                    let color = Color([red, green, blue]);
                    for (paper, towards) in [(LIGHT, BLACK), (DARK, WHITE)] {
                        let shown = color.readable_on(paper, towards);
                        assert!(shown.contrast(paper) >= READABLE, "{color} on {paper}: {shown}");
                        assert!(shown.ink().contrast(shown) >= READABLE, "{color} on {paper}: {shown}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_color_that_can_be_read_stays() {
        let red = Color::parse("#c2341d").unwrap();
        assert_eq!(red.readable_on(LIGHT, BLACK), red);
        assert!(red.style().starts_with(":root{--signal:light-dark(#c2341d,#"), "{}", red.style());
    }
}
