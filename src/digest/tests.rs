//! Letters: what others wrote is text in them, and they ask for nothing from elsewhere.

use jiff::Timestamp;

use super::contents::{BrokenLink, Contents, Named, Number};
use super::letters;

const STAFF: &str = "https://sl.example";
const EVIL: &str = "<img src=\"https://evil.example/x.png\"><b>Bold</b> & \"quoted\"";

fn named(name: &str, url: &str, now: u64, before: u64) -> Named {
    Named { name: name.into(), url: url.into(), clicks: Number { now, before } }
}

fn contents() -> Contents {
    Contents {
        newsroom: "The Post".into(),
        days: "Sunday, 22 Nov".into(),
        unit: "day",
        from: "2026-11-22".into(),
        to: "2026-11-22".into(),
        zone: "Europe/Vienna".into(),
        clicks: Number { now: 12_345, before: 10_000 },
        readers: Number { now: 8_000, before: 0 },
        new_links: 1_024,
        stories: vec![
            named("Council approves tram line", &format!("{STAFF}/-/articles/a1"), 1_234, 400),
            named(EVIL, &format!("{STAFF}/-/articles/a2"), 10, 20),
        ],
        sections: vec![named("City", "", 900, 900)],
        sources: vec![named(EVIL, "", 7, 0)],
        broken: vec![BrokenLink {
            code: "kx7".into(),
            name: EVIL.into(),
            url: format!("{STAFF}/-/links/kx7"),
        }],
        more_broken: true,
        report_url: format!("{STAFF}/-/reports?from=2026-11-22&to=2026-11-22"),
        broken_url: format!("{STAFF}/-/links?status=broken"),
    }
}

fn letter(its: &Contents) -> (String, String, String) {
    let urls = ("https://sl.example/-/me#digest", "https://sl.example/-/digest/end?token=abc");
    let letter =
        letters::digest(its, ("ana@post.example", "digest.1".into()), urls, Timestamp::UNIX_EPOCH).unwrap();
    (letter.subject, letter.text, letter.html.unwrap())
}

#[test]
fn a_letter_says_it_twice() {
    let (subject, text, html) = letter(&contents());
    assert_eq!(subject, "The Post: 12,345 clicks, Sunday, 22 Nov");
    for said in [
        "12,345",
        "(+23 %)",
        "8,000",
        "(new)",
        "1,024",
        "Council approves tram line",
        "(3.0 ×)",
        "City: 900 (+0 %)",
    ] {
        assert!(text.contains(said) && html.contains(said), "{said}: {text}\n{html}");
    }
    for url in [
        "/-/articles/a1",
        "/-/links/kx7",
        "/-/links?status=broken",
        "/-/me#digest",
        "/-/digest/end?token=abc",
    ] {
        let url = format!("{STAFF}{url}");
        assert!(text.contains(&url) && html.contains(&url), "{url}: {text}");
    }
    assert!(!text.contains("\n\n\n") && !text.contains("&#"), "{text}");
    let empty = Contents { stories: vec![], sections: vec![], sources: vec![], broken: vec![], ..contents() };
    let (_, text, html) = letter(&empty);
    assert!(text.contains("No story was read") && html.contains("No story was read"), "{text}");
    assert!(!text.contains("Sections") && !html.contains("<ul"), "{html}");
}

#[test]
fn what_others_wrote_is_text_and_nothing_is_asked_for_from_elsewhere() {
    let (_, _, html) = letter(&contents());
    for markup in ["<img", "<b>", "<script", "<link", "src=", "url("] {
        assert!(!html.replace("&#34;", "").contains(markup) || markup == "src=", "{markup}: {html}");
    }
    assert!(html.contains("&#60;img src=&#34;https://evil.example"), "{html}");
    let addresses = html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert!(addresses.clone().count() > 4 && addresses.clone().all(|url| url.starts_with(STAFF)), "{html}");
}

#[test]
fn a_chat_gets_a_sentence_and_a_program_all_of_it() {
    let its = contents();
    let text = its.text();
    assert!(
        text.starts_with("Sunday, 22 Nov: 12,345 clicks (+23 %), 8,000 unique readers (estimate) (new)."),
        "{text}"
    );
    assert!(text.contains("1. Council approves tram line (1,234); 2. \u{2039}img"), "{text}");
    let data = its.data();
    assert_eq!(data["clicks"], serde_json::json!({ "now": 12_345, "before": 10_000 }));
    assert_eq!(
        (&data["stories"][1]["name"], &data["sections"][0]["url"]),
        (&EVIL.into(), &serde_json::Value::Null)
    );
    assert_eq!((&data["from"], &data["broken"][0]["code"]), (&"2026-11-22".into(), &"kx7".into()));
}
