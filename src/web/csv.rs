//! CSV for spreadsheets.
//!
//! Guarantees UTF-8 that spreadsheets take for that, lines that end with CRLF, and that nothing is taken for a formula.

/// What a file begins with, because spreadsheets take UTF-8 for something else without it.
const MARK: &str = "\u{feff}";

/// A file (RFC 4180). Rows may differ in length.
pub fn csv<'a>(rows: impl IntoIterator<Item = &'a [String]>) -> Vec<u8> {
    [MARK.as_bytes(), &lines(rows)].concat()
}

/// More lines of a file.
pub fn lines<'a>(rows: impl IntoIterator<Item = &'a [String]>) -> Vec<u8> {
    let mut out = vec![];
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).flexible(true).from_writer(&mut out);
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
        let rows = [
            vec!["value".to_owned(), "label".into()],
            vec!["=HYPERLINK(\"x\")".into(), "a,b".into()],
            vec!["-1".into(), "ü".into(), "more".into()],
        ];
        let text = String::from_utf8(csv(rows.iter().map(Vec::as_slice))).unwrap();
        assert_eq!(text, "\u{feff}value,label\r\n\"'=HYPERLINK(\"\"x\"\")\",\"a,b\"\r\n'-1,ü,more\r\n");
    }
}
