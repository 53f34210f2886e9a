//! The page of a scale run: a row for each figure, a column for each store.
//!
//! Guarantees: figures of one name stand in one row, in the order in which they were first said. Refuses to know: what was
//! measured.

use std::fmt::Write as _;

pub(crate) const LISTS: &str = "Lists, ms: the first time, again";
pub(crate) const REPORTS: &str = "Reports, ms: the first time, again";
pub(crate) const PAGES: &str = "Pages of staff, ms: the first time, again";

/// All figures of one store.
pub(crate) struct Column {
    name: String,
    said: Vec<(String, String, String)>,
}

impl Column {
    pub(crate) fn new(name: String) -> Self {
        Self { name, said: vec![] }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a figure below a heading.
    pub(crate) fn say(&mut self, section: &str, row: &str, value: String) {
        self.said.push((section.to_owned(), row.to_owned(), value));
    }

    fn value(&self, section: &str, row: &str) -> &str {
        let found = self.said.iter().find(|(of, name, _)| of == section && name == row);
        found.map_or("", |(_, _, value)| value)
    }
}

/// The whole page.
pub(crate) fn page(head: &str, columns: &[Column]) -> String {
    let mut page = format!("# How it grows\n\n{head}");
    let all = || columns.iter().flat_map(|column| &column.said);
    let mut sections: Vec<&str> = vec![];
    for (section, ..) in all() {
        if !sections.contains(&section.as_str()) {
            sections.push(section);
        }
    }
    for section in sections {
        let _ = write!(page, "\n## {section}\n\n|");
        for column in columns {
            let _ = write!(page, " | {}", column.name);
        }
        page.push_str(" |\n|---");
        page.extend(columns.iter().map(|_| "|---"));
        page.push_str("|\n");
        let mut rows: Vec<&str> = vec![];
        for (_, row, _) in all().filter(|(of, ..)| of == section) {
            if !rows.contains(&row.as_str()) {
                rows.push(row);
            }
        }
        for row in rows {
            let _ = write!(page, "| {row}");
            for column in columns {
                let _ = write!(page, " | {}", column.value(section, row).replace('|', "/"));
            }
            page.push_str(" |\n");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{Column, page};

    #[test]
    fn figures_of_one_name_stand_in_one_row() {
        let (mut small, mut large) = (Column::new("1".into()), Column::new("2".into()));
        small.say("Start", "ready", "5".into());
        large.say("Start", "ready", "7".into());
        large.say("Start", "more", "9".into());
        let page = page("", &[small, large]);
        assert!(page.contains("| ready | 5 | 7 |\n| more |  | 9 |\n"), "{page}");
    }
}
