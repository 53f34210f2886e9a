//! Tables as CSV: UTF-8 with a mark, lines that end with CR and LF (RFC 4180).
//!
//! Guarantees that no cell is taken for a formula by a spreadsheet. Knows nothing of what is in a table.

/// A table's first line, with the mark that says UTF-8.
#[must_use]
pub fn head(columns: &[&str]) -> Vec<u8> {
    let mut out = "\u{feff}".as_bytes().to_vec();
    out.extend(lines(&[columns.iter().map(|column| (*column).to_owned()).collect()]));
    out
}

/// Lines of a table.
#[must_use]
pub fn lines(rows: &[Vec<String>]) -> Vec<u8> {
    let mut out = vec![];
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut out);
    for row in rows {
        // Writing to memory cannot fail.
        if let Err(error) = writer.write_record(row.iter().map(|cell| harmless(cell))) {
            tracing::error!(%error, "a CSV row could not be written");
        }
    }
    drop(writer);
    out
}

/// A cell that a spreadsheet would take for a formula becomes text.
fn harmless(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_for_spreadsheets_and_harmless() {
        let rows =
            vec![vec!["=HYPERLINK(\"x\")".to_owned(), "a,b".to_owned()], vec!["-1".into(), "ü".into()]];
        let text = String::from_utf8([head(&["value", "label"]), lines(&rows)].concat()).unwrap();
        assert_eq!(text, "\u{feff}value,label\r\n\"'=HYPERLINK(\"\"x\"\")\",\"a,b\"\r\n'-1,ü\r\n");
    }
}
