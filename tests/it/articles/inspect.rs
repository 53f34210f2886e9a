//! `slugline inspect`: what it prints, what it needs, and how it fails.

use super::pages::gzip;
use super::site::{Site, html, page, redirect, status};
use crate::harness::{Value, cli, json};

const FIELDS: [&str; 11] = [
    "canonical",
    "spellings",
    "title",
    "description",
    "image",
    "section",
    "authors",
    "published_at",
    "modified_at",
    "language",
    "site",
];
const PAGE: &str = r#"<!doctype html><html lang="de"><head><title>Der Fluss | Courier</title>
<link rel="canonical" href="https://www.courier.example/welt/der-fluss-steigt">
<meta property="og:description" content="Er stieg."><meta property="og:image" content="/i.jpg">
<script type="application/ld+json">{"@type":"NewsArticle","headline":"Der Fluss steigt","articleSection":"Welt",
"author":[{"name":"Ann Lee"},{"name":"Bob Ray"}],"datePublished":"2026-11-23T08:00:00","dateModified":"2026-11-23T09:00:00Z"}</script>"#;

/// The answer for a page on stdin.
fn at_hand(url: &str, options: &[&str], page: &str) -> Value {
    let arguments = ["inspect", "--html", "-", "--url", url].into_iter().chain(options.iter().copied());
    serde_json::from_str(&cli::run_with(arguments, &[], page).done()).unwrap()
}

#[test]
fn a_file_needs_no_network_and_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("page.html"), dir.path().join("data"));
    std::fs::write(&file, PAGE).unwrap();
    let url = "https://m.courier.example/welt/der-fluss-steigt?utm_source=x#top";
    let data_set = format!("data.dir={}", data.display());
    let zone = "newsroom.timezone=Europe/Vienna";
    let said = cli::run([
        "inspect",
        "--html",
        file.to_str().unwrap(),
        "--url",
        url,
        "--set",
        &data_set,
        "--set",
        zone,
    ])
    .done();
    assert_eq!(said.lines().count(), 1);
    let answer: Value = serde_json::from_str(&said).unwrap();
    let names: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, FIELDS);
    let expected = json!({
        "canonical": "https://courier.example/welt/der-fluss-steigt",
        "spellings": ["https://courier.example/welt/der-fluss-steigt"],
        "title": "Der Fluss steigt",
        "description": "Er stieg.",
        "image": "https://m.courier.example/i.jpg",
        "section": "Welt",
        "authors": ["Ann Lee", "Bob Ray"],
        "published_at": "2026-11-23T07:00:00Z",
        "modified_at": "2026-11-23T09:00:00Z",
        "language": "de",
        "site": "courier.example",
    });
    assert_eq!(answer, expected);
    assert!(!data.exists(), "nothing is kept");
}

#[test]
fn hosts_are_called_as_they_are_configured() {
    let url = "https://amp.courier.example/x/7";
    let sites = ["--set", "articles.sites.daily=www.courier.example,courier.test"];
    let answer = at_hand(url, &sites, PAGE);
    let canonical = "https://www.courier.example/welt/der-fluss-steigt";
    assert_eq!((&answer["canonical"], &answer["site"]), (&canonical.into(), &"daily".into()));
    assert_eq!(answer["spellings"], json!(["https://www.courier.example/x/7", canonical]));
    // Of another site it claims what it likes.
    let answer = at_hand("https://other.example/x/7", &sites, PAGE);
    assert_eq!(
        (&answer["canonical"], &answer["site"]),
        (&"https://other.example/x/7".into(), &"other.example".into())
    );
    assert_eq!(answer["title"], "Der Fluss steigt");
    let empty = at_hand(url, &[], "");
    assert_eq!((&empty["title"], &empty["authors"]), (&Value::Null, &json!([])));
}

#[test]
fn a_page_is_fetched_with_what_is_configured() {
    let site = Site::start(|asked, stream| match asked.path.as_str() {
        "/story" => {
            page(stream, "Content-Type: text/html\r\nContent-Encoding: gzip\r\n", &gzip(PAGE.as_bytes()))
        }
        "/moved" => redirect(stream, 301, "/story"),
        "/inside" => redirect(stream, 302, "http://169.254.169.254/latest/"),
        "/consent" => html(stream, "<title>We value you</title>"),
        "/asks" => redirect(stream, 302, "/consent"),
        "/wall" => status(stream, 403),
        _ => status(stream, 404),
    });
    let url = |path: &str| site.url("127.0.0.1", path).to_string();
    let hosts = format!("articles.fetch_private_hosts=127.0.0.1:{}", site.port);
    let inspect = |path: &str| cli::run(["inspect", &url(path), "--set", &hosts]);
    let answer: Value = serde_json::from_str(&inspect("/moved").done()).unwrap();
    assert_eq!((&answer["title"], &answer["canonical"]), (&"Der Fluss steigt".into(), &url("/story").into()));
    assert_eq!(answer["spellings"], json!([url("/moved"), url("/story")]));
    let table = [
        ("/wall", "the site answers 403"),
        ("/nowhere", "the site answers 404"),
        ("/asks", "it leads to a page that asks for consent"),
        ("/inside", "169.254.169.254 is not on the public internet"),
    ];
    for (path, why) in table {
        let ended = inspect(path);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{path}: {ended:?}");
        assert!(ended.stderr.contains(&url(path)) && ended.stderr.contains(why), "{path}: {}", ended.stderr);
    }
    // The log has the hop that was refused, and why.
    let log = inspect("/inside").stderr;
    let line = log.lines().find(|line| line.contains("WARN")).unwrap();
    assert!(line.contains("http://169.254.169.254/latest/") && line.contains("public internet"), "{log}");
    // Without being named, this machine is not asked.
    let before = site.asked().len();
    let ended = cli::run(["inspect", &url("/story")]);
    assert_eq!((ended.code, site.asked().len()), (1, before), "{ended:?}");
}

#[test]
fn a_wall_of_the_newsrooms_own_lets_us_through() {
    let site = Site::start(|asked, stream| match asked.headers.get("x-pass").map(String::as_str) {
        Some("open sesame") => html(stream, PAGE),
        _ => status(stream, 403),
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pass");
    std::fs::write(&file, "X-Pass: open sesame\n").unwrap();
    let url = site.url("localhost", "/story").to_string();
    let hosts = format!("articles.fetch_private_hosts=localhost:{}", site.port);
    let name = "SLUGLINE__ARTICLES__SECRET_HEADERS__LOCALHOST_FILE";
    let environment = [(name, file.to_str().unwrap())];
    let answer = cli::run_with(["inspect", &url, "--set", &hosts], &environment, "").done();
    assert!(answer.contains("Der Fluss steigt"), "{answer}");
    let printed = cli::run_with(["config", "print"], &environment, "").done();
    assert!(printed.contains("localhost = ") && !printed.contains("sesame"), "{printed}");
    assert_eq!(cli::run(["inspect", &url, "--set", &hosts]).code, 1);
}

#[test]
fn exit_codes() {
    let table: [(&[&str], i32, &str); 9] = [
        (&["inspect"], 2, "<URL>"),
        (&["inspect", "--html", "-"], 2, "--url"),
        (&["inspect", "--url", "https://a.test/"], 2, "--html"),
        (&["inspect", "https://a.test/", "--html", "-", "--url", "https://a.test/"], 2, "--html"),
        (&["inspect", "nonsense"], 1, "nonsense"),
        (&["inspect", "ftp://a.test/"], 1, "http"),
        (&["inspect", "--html", "/nowhere.html", "--url", "https://a.test/"], 1, "/nowhere.html"),
        (&["inspect", "http://user@a.test/"], 1, "user name"),
        (&["inspect", "https://a.test/", "--set", "articles.sites.daily=no/host"], 64, "articles.sites"),
    ];
    for (arguments, code, named) in table {
        let ended = cli::run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
    assert!(cli::run(["man"]).done().contains("inspect"));
    assert!(cli::run(["completions", "bash"]).done().contains("inspect"));
}
