//! A guard for pages: each is well-formed, can be used without eyes or hands, is small, and asks nobody else for anything.

use std::collections::{BTreeMap, BTreeSet};

use scraper::{ElementRef, Html, Selector};

use super::forms::{get, path_of};
use super::routes::pages;
use crate::harness::{Answer, BROWSER, TestApp, json};
use crate::sessions::browser::Browser;

/// A page with style sheet and script, without data, in bytes.
const WEIGHT: usize = 60 * 1024;
/// What a page may fetch besides itself.
const REQUESTS: usize = 4;
/// Titles may be those of several views.
const VIEWS: [&str; 4] = ["/-/reports", "/-/new", "/-/settings", "/-/"];

fn select<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(selector).unwrap();
    page.select(&selector).collect()
}

fn text_of(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What somebody who does not see it is told that it is.
fn is_named(page: &Html, element: ElementRef<'_>) -> bool {
    let attr = |name: &str| element.attr(name).filter(|text| !text.trim().is_empty());
    if attr("aria-label").is_some() || attr("title").is_some() {
        return true;
    }
    if let Some(ids) = attr("aria-labelledby") {
        return ids
            .split_whitespace()
            .all(|id| select(page, "[id]").iter().any(|e| e.attr("id") == Some(id)));
    }
    let labelled = attr("id").is_some_and(|id| {
        select(page, "label[for]")
            .iter()
            .any(|label| label.attr("for") == Some(id) && !text_of(*label).is_empty())
    });
    let within = element
        .ancestors()
        .filter_map(ElementRef::wrap)
        .any(|e| e.value().name() == "label" && !text_of(e).is_empty());
    labelled || within
}

/// Notes all that is wrong with a page.
fn is_well_made(path: &str, text: &str, problems: &mut Vec<String>) {
    let page = Html::parse_document(text);
    let mut wrong: Vec<String> = page.errors.iter().map(|error| format!("does not parse: {error}")).collect();
    for look in [ids, names, outline] {
        look(&page, &mut |what| wrong.push(what));
    }
    inline(&page, !path.starts_with("/-/"), &mut |what| wrong.push(what));
    problems.extend(wrong.into_iter().map(|what| format!("{path}: {what}")));
}

/// Ids are there once, and what names one names one that is there.
fn ids(page: &Html, wrong: &mut dyn FnMut(String)) {
    let mut ids = BTreeSet::new();
    for element in select(page, "[id]") {
        let id = element.attr("id").unwrap_or_default();
        if !ids.insert(id) || id.is_empty() || id.contains(char::is_whitespace) {
            wrong(format!("the id {id} is no id, or twice there"));
        }
    }
    for (attribute, selector) in [
        ("for", "label[for]"),
        ("aria-describedby", "[aria-describedby]"),
        ("aria-labelledby", "[aria-labelledby]"),
    ] {
        for element in select(page, selector) {
            let of = element.attr(attribute).unwrap_or_default();
            of.split_whitespace()
                .filter(|id| !ids.contains(id))
                .for_each(|id| wrong(format!("{attribute} of {id}, which is not there")));
        }
    }
}

/// What can be used has a name.
fn names(page: &Html, wrong: &mut dyn FnMut(String)) {
    for input in select(page, "input:not([type=hidden]):not([aria-hidden=true]), select, textarea") {
        if !is_named(page, input) {
            wrong(format!("without a label: {}", input.html()));
        }
    }
    for element in select(page, "button, a[href]") {
        if text_of(element).is_empty() && element.attr("aria-label").is_none() {
            wrong(format!("without words: {}", element.html()));
        }
    }
}

/// One heading above all, none left out, parts with names.
fn outline(page: &Html, wrong: &mut dyn FnMut(String)) {
    if select(page, "h1").len() != 1 {
        wrong(format!("{} of h1", select(page, "h1").len()));
    }
    let mut level = 0;
    for heading in select(page, "h1, h2, h3, h4, h5, h6") {
        let its = heading.value().name()[1..].parse::<u32>().unwrap();
        if its > level + 1 {
            wrong(format!("h{its} after h{level}: {}", text_of(heading)));
        }
        level = its;
    }
    if select(page, "html[lang]").len() != 1 || select(page, "main").len() != 1 {
        wrong("no language, or not one main part".into());
    }
    for landmark in select(page, "nav, section, aside") {
        if landmark.attr("aria-label").or(landmark.attr("aria-labelledby")).is_none() {
            wrong(format!("a {} without a name", landmark.value().name()));
        }
    }
    for table in select(page, "table") {
        let caption = Selector::parse("caption, th").unwrap();
        if table.select(&caption).next().is_none() {
            wrong("a table that says nothing of itself".into());
        }
    }
}

/// Nothing is styled or run within the page. Readers' pages are one file each, with a policy that names their style by its
/// hash.
fn inline(page: &Html, is_readers: bool, wrong: &mut dyn FnMut(String)) {
    for element in page.tree.values().filter_map(scraper::Node::as_element) {
        let handler = element.attrs().find(|(name, _)| name.starts_with("on") || *name == "style");
        if let Some((name, _)) = handler {
            wrong(format!("{name} on {}", element.name()));
        }
        if (element.name() == "style" && !is_readers)
            || (element.name() == "script" && element.attr("src").is_none())
        {
            wrong(format!("something inline: {}", element.name()));
        }
    }
}

/// What a browser fetches for a page, besides it.
fn fetched(page: &Html) -> Vec<String> {
    let of = |selector: &str, attribute: &'static str| -> Vec<String> {
        select(page, selector).iter().filter_map(|e| e.attr(attribute)).map(str::to_owned).collect()
    };
    let mut all = of("link[href]:not([rel=canonical]):not([rel=next])", "href");
    for (selector, attribute) in [
        ("script[src]", "src"),
        ("img[src]", "src"),
        ("iframe[src]", "src"),
        ("object[data]", "data"),
        ("use[href]", "href"),
    ] {
        all.extend(of(selector, attribute));
    }
    all.retain(|address| !address.starts_with("data:"));
    all.sort();
    all.dedup();
    all
}

/// The same comes packed to who takes that.
async fn is_packed(admin: &Browser, address: &str, plain: &Answer) {
    let call = super::forms::call(admin, http::Method::GET, address);
    let packed = call.header("accept-encoding", "gzip, br").send().await.expect(200);
    assert_eq!(
        (packed.header("content-encoding"), packed.header("vary")),
        ("gzip", "accept-encoding"),
        "{address}"
    );
    assert_eq!(plain.header("content-encoding"), "", "{address}");
    let mut text = vec![];
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut text).unwrap();
    assert!(text == plain.body && packed.body.len() < text.len(), "{address}");
}

fn title(text: &str) -> String {
    let page = Html::parse_document(text);
    select(&page, "title").first().map(|title| text_of(*title)).unwrap_or_default()
}

async fn walk(admin: &Browser, all: &[String]) -> Vec<(String, Answer)> {
    let mut answers = vec![];
    for path in all {
        let answer = get(admin, path).await.expect(200);
        // Not what is a part of a page, or a file.
        if answer.header("content-type").starts_with("text/html")
            && answer.text().starts_with("<!doctype html>")
        {
            answers.push((path.clone(), answer));
        }
    }
    assert!(answers.len() > 20, "{}", answers.len());
    answers
}

fn are_well_made(pages: &[(String, Answer)]) {
    let (mut problems, mut titles) = (vec![], BTreeMap::new());
    for (path, answer) in pages {
        let text = answer.text();
        is_well_made(path, &text, &mut problems);
        let title = title(&text);
        if title.is_empty() {
            problems.push(format!("{path}: no title"));
        }
        let view = path.split('?').next().unwrap();
        if !VIEWS.contains(&view)
            && let Some(other) = titles.insert(title.clone(), path.clone())
        {
            problems.push(format!("{path}: the title of {other}: {title}"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn what_is_wrong_is_seen() {
    let table = [
        ("<p>a<div id=a></div><div id=a></div>", "twice there"),
        ("<label for=none>x</label>", "not there"),
        ("<input name=x>", "without a label"),
        ("<button></button>", "without words"),
        ("<h1>Two</h1>", "2 of h1"),
        ("<h3>x</h3>", "h3 after h1"),
        ("<main></main>", "main part"),
        ("<section></section>", "without a name"),
        ("<p style=x></p>", "style on p"),
        ("<p onclick=x></p>", "onclick on p"),
        ("<script>x</script>", "something inline"),
        ("<b><i>x</b></i>", "does not parse"),
    ];
    let page =
        |part: &str| format!("<!doctype html><html lang=en><title>x</title><main><h1>One</h1></main>{part}");
    let problems = |part: &str| {
        let mut problems = vec![];
        is_well_made("/-/", &page(part), &mut problems);
        problems
    };
    assert_eq!(problems("<label>x <input></label>"), Vec::<String>::new());
    for (part, what) in table {
        assert!(problems(part).iter().any(|problem| problem.contains(what)), "{part}: {:?}", problems(part));
    }
}

#[tokio::test]
async fn pages_of_an_empty_newsroom_are_well_made_and_small() {
    let app = TestApp::start().await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let pages = walk(&admin, &pages("", "")).await;
    are_well_made(&pages);
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (path, answer) in &pages {
        let text = answer.text();
        let page = Html::parse_document(&text);
        let fetched = fetched(&page);
        assert!(fetched.len() <= REQUESTS, "{path}: {fetched:?}");
        let mut weight = text.len();
        for address in fetched {
            assert!(address.starts_with('/') && !address.starts_with("//"), "{path}: {address}");
            if !known.contains_key(&address) {
                let asset = get(&admin, &address).await.expect(200);
                if address.starts_with("/-/assets/") {
                    is_packed(&admin, &address, &asset).await;
                    assert_eq!(
                        asset.header("cache-control"),
                        "public, max-age=31536000, immutable",
                        "{address}"
                    );
                }
                known.insert(address.clone(), asset.body.len());
            }
            weight += known[&address];
        }
        assert!(weight <= WEIGHT, "{path}: {weight}");
    }
    assert!(known.keys().filter(|address| address.starts_with("/-/assets/")).count() >= 2, "{known:?}");
}

#[tokio::test]
async fn pages_with_data_are_well_made() {
    let app = TestApp::start().await;
    let admin = Browser::new(&app, "Maria", "admin").await;
    let link = app
        .create(json!({ "url": "https://news.example.com/a", "code": "marked", "channel": "x", "campaign": "c",
            "tags": ["t"], "note": "n", "title": "Council approves tram line",
            "article": { "title": "Council approves tram line", "section": "City", "authors": ["Ana Petrović"] } }))
        .await;
    for n in 0..3 {
        admin.post("/links", &json!({ "url": format!("https://news.example.com/{n}") })).await.expect(201);
    }
    app.post("/links", &json!({ "reserve": true, "code": "printed" })).await.expect(201);
    app.change("marked", json!({ "note": "another" })).await.expect(200);
    app.follow_with("marked", &[("user-agent", BROWSER), ("referer", "https://news.example/")]).await;
    app.follow_with("marked", &[("user-agent", "curl/8")]).await;
    app.follow("nobody").await;
    app.settle().await;
    app.post("/channels", &json!({ "name": "x", "utm_source": "x" })).await;
    admin.post("/screens", &json!({ "name": "wall" })).await.expect(201);
    admin.post("/shares", &json!({ "name": "council", "view": "/-/links/marked" })).await.expect(201);
    let story = link["article"]["id"].as_str().unwrap();
    are_well_made(&walk(&admin, &pages("marked", story)).await);
}

#[tokio::test]
async fn pages_for_who_is_not_signed_in_and_those_that_refuse_are_well_made() {
    let app = TestApp::start().await;
    let nobody = Browser { http: app.http.clone(), cookie: String::new() };
    let vera = Browser::new(&app, "Vera", "viewer").await;
    app.create(json!({ "url": "https://news.example.com/a", "code": "marked" })).await;
    let link = path_of(app.link.as_deref().unwrap());
    let mut problems = vec![];
    let all = [
        (&nobody, "/-/login", 200),
        (&nobody, link.as_str(), 200),
        (&nobody, "/-/login?token=x", 401),
        (&nobody, "/-/digest/end?token=x", 404),
        (&vera, "/-/settings/keys", 403),
        (&vera, "/-/settings/none", 404),
        (&vera, "/-/links/none", 404),
        (&vera, "/-/articles/none", 404),
        (&nobody, "/marked+", 200),
        (&nobody, "/nothing", 404),
    ];
    for (who, path, status) in all {
        let text = get(who, path).await.expect(status).text();
        is_well_made(path, &text, &mut problems);
        let page = Html::parse_document(&text);
        let elsewhere: Vec<String> = fetched(&page).into_iter().filter(|to| !to.starts_with('/')).collect();
        assert!(elsewhere.is_empty(), "{path}: {elsewhere:?}");
    }
    assert!(problems.is_empty(), "{problems:#?}");
}
