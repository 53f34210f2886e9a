//! Links that come in while it serves: the links of an export, or a table of them, as requests for links.
//!
//! Guarantees that what is wrong is told with its line, and that nothing is made here: who asks makes links of them by the
//! same rules as all others. What an export has besides links is left out, and counted.

use std::collections::HashMap;

use super::{check, format, import};
use crate::domain::target::without_added;
use crate::links::request::NewLink;
use crate::store::links::ExportItem;

/// Most links of one file.
pub const MOST: usize = 10_000;

/// What a file has.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Links, each with its line.
    pub links: Vec<(u64, NewLink)>,
    /// Lines that cannot be taken, and why.
    pub wrong: Vec<(u64, String)>,
    /// Lines of an export that are no links.
    pub left_out: u64,
}

/// Reads a file: an export (JSON lines), or CSV whose first line names its columns.
///
/// # Errors
/// Why it is neither, in words.
pub fn read(text: &str) -> Result<Sheet, String> {
    let text = text.trim_start_matches('\u{feff}');
    let sheet = if text.trim_start().starts_with('{') { exported(text)? } else { table(text)? };
    match sheet.links.len() {
        0 if sheet.wrong.is_empty() => Err("there are no links in it".into()),
        n if n > MOST => Err(format!("it has {n} links; at most {MOST} come in at once")),
        _ => Ok(sheet),
    }
}

fn exported(text: &str) -> Result<Sheet, String> {
    import::read_header(&mut text.as_bytes()).map_err(|error| error.to_string())?;
    let mut sheet = Sheet::default();
    for (at, line) in (1..).zip(text.lines()).skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        match format::read(line.as_bytes()).and_then(|item| check::item(&item).map(|()| item)) {
            Ok(format::Item::Links(ExportItem::Link { link, .. })) if link.retired_at.is_none() => {
                let new = NewLink {
                    url: link.target.as_deref().map(|target| without_added(target, link.added.as_deref())),
                    reserve: link.target.is_none().then_some(true),
                    code: Some(link.code.to_string()),
                    channel: link.channel,
                    campaign: link.campaign,
                    title: link.title,
                    tags: Some(link.tags),
                    note: link.note,
                    not_before: link.not_before,
                    expires_at: link.expires_at,
                    expired_url: link.expired_url,
                    redirect_status: Some(link.redirect_status),
                    forward_query: Some(link.forward_query),
                    confidential: Some(link.confidential),
                    keep_params: Some(true),
                    ..NewLink::default()
                };
                sheet.links.push((at, new));
            }
            Ok(_) => sheet.left_out += 1,
            Err(why) => sheet.wrong.push((at, why)),
        }
    }
    Ok(sheet)
}

/// Columns of a table; others are left alone.
const COLUMNS: [&str; 7] = ["url", "code", "title", "channel", "campaign", "tags", "note"];

fn table(text: &str) -> Result<Sheet, String> {
    // Lines are counted by their one end.
    let text = text.replace("\r\n", "\n");
    let mut rows = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = rows.headers().map_err(|error| error.to_string())?;
    // What our own list is saved as calls it the target.
    let name = |name: &str| match name.to_ascii_lowercase().as_str() {
        "target" => "url".to_owned(),
        name => name.to_owned(),
    };
    let columns: HashMap<String, usize> = head
        .iter()
        .enumerate()
        .map(|(at, its)| (name(its), at))
        .filter(|(its, _)| COLUMNS.contains(&&**its))
        .collect();
    if !columns.contains_key("url") {
        return Err("it is no export, and no table whose first line names a column url".into());
    }
    let mut sheet = Sheet::default();
    for row in rows.records() {
        let row = row.map_err(|error| error.to_string())?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |name: &str| {
            let text = columns.get(name).and_then(|at| row.get(*at)).unwrap_or_default();
            Some(plain(text).to_owned()).filter(|text| !text.is_empty())
        };
        let Some(url) = cell("url") else {
            sheet.wrong.push((line, "the address is missing".into()));
            continue;
        };
        let tags = cell("tags").map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()).collect());
        let new = NewLink {
            url: Some(url),
            code: cell("code"),
            title: cell("title"),
            channel: cell("channel"),
            campaign: cell("campaign"),
            tags,
            note: cell("note"),
            ..NewLink::default()
        };
        sheet.links.push((line, new));
    }
    Ok(sheet)
}

/// A cell without what kept a spreadsheet from taking it for a formula.
fn plain(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_line_by_line() {
        let text = "\u{feff}Code,Target,title,tags,clicks\r\ntram,https://a.example/1,'=Tram,\"a, b\",7\r\n,,x\r\n,https://a.example/2\r\n";
        let sheet = read(text).unwrap();
        assert_eq!(sheet.wrong, [(3, "the address is missing".to_owned())]);
        let (line, first) = &sheet.links[0];
        assert_eq!((*line, first.code.as_deref(), first.title.as_deref()), (2, Some("tram"), Some("=Tram")));
        assert_eq!(first.tags.as_deref().unwrap(), ["a", "b"]);
        assert_eq!((sheet.links[1].0, sheet.links[1].1.code.as_deref()), (4, None));
    }

    #[test]
    fn what_is_neither_is_said() {
        assert!(read("").is_err() && read("hello").unwrap_err().contains("column url"));
        assert!(read("{\"kind\": \"other\"}").is_err());
        assert!(read("url\n").unwrap_err().contains("no links"));
        let many = format!("url\n{}", "https://a.example/\n".repeat(MOST + 1));
        assert!(read(&many).unwrap_err().contains("at most"));
    }
}
