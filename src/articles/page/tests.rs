//! What is found on pages of many makes, in many encodings, and on what is no page at all.

use proptest::prelude::*;

use super::*;

const PAGES: &str = include_str!("../../../tests/fixtures/articles/pages.txt");

fn url() -> Url {
    Url::parse("https://www.courier.example/world/river").unwrap()
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn found(body: &[u8], content_type: &str) -> Metadata {
    read(body, Some(content_type), &url(), &zone())
}

/// As lines, in the form of the fixture.
fn lines(found: &Metadata) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let list = |items: Vec<String>, between: &str| Some(items.join(between)).filter(|text| !text.is_empty());
    let claims = found.claims.iter().map(Url::to_string).collect();
    [
        ("title", found.title.clone()),
        ("description", found.description.clone()),
        ("image", found.image.clone()),
        ("section", found.section.clone()),
        ("authors", list(found.authors.clone(), "; ")),
        ("published", time(found.published_at)),
        ("modified", time(found.modified_at)),
        ("language", found.language.clone()),
        ("claims", list(claims, " ")),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| format!("{name}: {value}")))
    .collect()
}

#[test]
fn pages_of_many_makes() {
    let pages: Vec<&str> = PAGES.split("\n=== ").skip(1).collect();
    assert!(pages.len() >= 60, "{} pages", pages.len());
    for page in pages {
        let (head, body) = page.split_once("---\n").unwrap();
        let (name, expected) = head.split_once('\n').unwrap();
        let mut expected: Vec<&str> = expected.lines().collect();
        let mut read = lines(&found(body.as_bytes(), "text/html; charset=utf-8"));
        expected.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, expected, "{name}");
    }
}

#[test]
fn encodings() {
    let title = |body: &[u8], content_type: &str| found(body, content_type).title.unwrap();
    let html = "text/html";
    assert_eq!(title("<title>Größer</title>".as_bytes(), html), "Größer");
    assert_eq!(title(b"<title>Gr\xf6\xdfer</title>", "text/html; charset=iso-8859-1"), "Größer");
    assert_eq!(title(b"<meta charset=\"iso-8859-15\"><title>5 \xa4</title>", html), "5 €");
    assert_eq!(title(b"<title>Gr\xf6\xdfer</title>", html), "Größer");
    let japanese =
        b"<meta http-equiv=content-type content='text/html; charset=Shift_JIS'><title>\x93\xfa\x96{</title>";
    assert_eq!(title(japanese, html), "日本");
    assert_eq!(title(b"<title>\xc4\xcf\xcd</title>", "text/html; charset=koi8-r"), "дом");
    assert_eq!(title(b"<title>\xd6\xd0\xce\xc4</title>", "text/html; charset=gb2312"), "中文");
    assert_eq!(title(b"\xff\xfe<\0t\0i\0t\0l\0e\0>\0a\0b\0", html), "ab");
    assert_eq!(title(b"\xef\xbb\xbf<title>ab</title>", "text/html; charset=utf-16"), "ab");
    // What is wrongly declared is still text.
    assert_eq!(title(b"<title>Gr\xf6\xdfer</title>", "text/html; charset=utf-8"), "Gr\u{fffd}\u{fffd}er");
}

#[test]
fn all_is_bounded() {
    let long = "x".repeat(5_000);
    let page = format!(
        "<title>{long}</title><meta name=description content='{long}'><meta name=section content='{long}'>\
         <link rel=canonical href='/{}'>{}{}",
        "y".repeat(10_000),
        (0..50).map(|n| format!("<meta name=author content='Name {n}'>")).collect::<String>(),
        (0..50).map(|n| format!("<link rel=canonical href='/{n}'>")).collect::<String>(),
    );
    let found = found(page.as_bytes(), "text/html");
    assert_eq!(found.title.unwrap().len(), MAX_TITLE);
    assert_eq!(found.description.unwrap().len(), MAX_DESCRIPTION);
    assert_eq!(found.section.unwrap().len(), MAX_NAME);
    assert_eq!(found.authors.len(), crate::domain::article::MAX_AUTHORS);
    assert_eq!(found.claims.len(), MAX_CLAIMS);
}

#[test]
fn what_is_hostile_is_harmless() {
    let title = "<title>here</title>";
    let nested = format!("{title}<script type=application/ld+json>{}</script>", "{\"a\":[".repeat(100_000));
    let graph = format!(
        "{title}<script type=application/ld+json>[{}0]</script>",
        r#"{"@graph":[{"@type":"X"}]},"#.repeat(30_000)
    );
    let attributes = format!("{title}<div {}>", "a=1 ".repeat(300_000));
    let one_value = format!("{title}<div data-x=\"{}\">", "&amp;".repeat(400_000));
    let tags = format!("{title}{}", "<b><i>".repeat(150_000));
    let text = format!(
        "{title}<script type=application/ld+json>{{\"@type\":\"NewsArticle\",\"description\":\"{}\"}}</script>",
        "<a".repeat(200_000)
    );
    for page in [nested, graph, attributes, one_value, tags, text] {
        assert_eq!(found(page.as_bytes(), "text/html").title.as_deref(), Some("here"));
    }
    let late = format!("<script>{}</script><title>late</title>", " ".repeat(MAX_PAGE));
    assert_eq!(found(late.as_bytes(), "text/html").title, None, "only the first MiB is read");
    let bomb = format!("<title>{}</title>", "&nbsp;&lt;".repeat(100_000));
    assert!(found(bomb.as_bytes(), "text/html").title.unwrap().chars().count() <= MAX_TITLE);
}

#[test]
fn facts_are_those_that_are_kept() {
    let found = found(b"<title>T</title><html lang=en><meta name=author content='Ann Lee'>", "text/html");
    let facts = found.facts();
    assert_eq!((facts.title.as_deref(), facts.language.as_deref()), (Some("T"), Some("en")));
    assert_eq!(facts.authors, ["Ann Lee"]);
}

fn check(found: &Metadata) {
    let texts = [&found.title, &found.description, &found.section, &found.language].into_iter().flatten();
    for text in texts.chain(&found.authors) {
        assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
        assert!(text.chars().count() <= MAX_DESCRIPTION);
    }
    assert!(found.claims.iter().all(|claim| matches!(claim.scheme(), "http" | "https")));
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(body in prop::collection::vec(any::<u8>(), 0..600), header in "\\PC{0,30}") {
        check(&read(&body, Some(&header), &url(), &zone()));
        check(&read(&body, None, &url(), &zone()));
    }

    #[test]
    fn any_markup_has_an_answer(pieces in prop::collection::vec(prop_oneof![
        Just("<title>".to_owned()), Just("</title>".to_owned()), Just("<meta name=author content=".to_owned()),
        Just("<script type=application/ld+json>".to_owned()), Just("</script>".to_owned()), Just(">".to_owned()),
        Just("{\"@type\":\"NewsArticle\",\"headline\":\"".to_owned()), Just("\"}".to_owned()),
        Just("<link rel=canonical href=".to_owned()), Just("&#".to_owned()), Just("<svg>".to_owned()),
        Just("<!--".to_owned()), Just("]]>".to_owned()), Just(",\"author\":[".to_owned()), "\\PC{0,12}",
    ], 0..40)) {
        check(&found(pieces.concat().as_bytes(), "text/html"));
    }

    #[test]
    fn any_date_has_an_answer(text in "[0-9A-Za-z:+., /-]{0,40}") {
        dates::read(&text, &zone());
    }
}
