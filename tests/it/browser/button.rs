//! The "Get short URL" button on a newsroom's own pages, which are another origin than the service's.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};

use super::page::{Key, Page, Setting, browse};
use super::staff::sign_in;
use crate::articles::newsroom::Newsroom;
use crate::articles::site::{Asked, page as answer, status};
use crate::harness::{eventually, json};

/// How an article page has the button, and what else is in its head and its headers.
struct Kind {
    path: &'static str,
    /// `Content-Security-Policy`, with `{service}` for the service's origin.
    policy: &'static str,
    head: &'static str,
    body: &'static str,
}

const CANONICAL: &str = "<link rel=\"canonical\" href=\"{page}\">";

const KINDS: [Kind; 9] = [
    Kind { path: "/element", policy: "", head: CANONICAL, body: "<short-url></short-url>" },
    Kind {
        path: "/button",
        policy: "",
        head: CANONICAL,
        body: "<button type=\"button\" data-short-url data-copied-label=\"In der Tasche\">Kurz</button>",
    },
    Kind {
        path: "/german",
        policy: "",
        head: CANONICAL,
        body: "<div lang=\"de-AT\"><short-url></short-url></div>",
    },
    Kind {
        path: "/two",
        policy: "",
        head: CANONICAL,
        body: "<short-url id=\"one\" data-label=\"Top\"></short-url><short-url id=\"two\"></short-url>",
    },
    Kind {
        path: "/known",
        policy: "",
        head: CANONICAL,
        body: "<button type=\"button\" data-short-url-value=\"https://sl.example/known\">Copy</button>",
    },
    // It lets in the button's file and nothing that it asks.
    Kind {
        path: "/hostile",
        policy: "default-src 'none'; script-src {service}; connect-src 'none'; style-src 'none'",
        head: CANONICAL,
        body: "<short-url></short-url>",
    },
    // It lets in nothing.
    Kind {
        path: "/closed",
        policy: "default-src 'none'",
        head: CANONICAL,
        body: "<short-url><a href=\"{service}/-/new?url={page}\">Short URL</a></short-url>",
    },
    Kind {
        path: "/allowed",
        policy: "default-src 'none'; script-src {service}; connect-src {service}",
        head: "<meta property=\"og:url\" content=\"{page}\">",
        body: "<short-url></short-url>",
    },
    // It says that it is another page, which the service cannot know.
    Kind {
        path: "/stranger",
        policy: "",
        head: "<link rel=\"canonical\" href=\"{page}-that-is-not-there\">",
        body: "<short-url></short-url>",
    },
];

/// A site with all kinds of pages, and the service beside it.
async fn newsroom() -> Newsroom {
    let service: Arc<OnceLock<String>> = Arc::default();
    let known = Arc::clone(&service);
    let newsroom = Newsroom::start(move |asked: &Asked, stream: &mut TcpStream| {
        let service = known.get().map_or("", String::as_str);
        serve(asked, stream, service)
    })
    .await;
    service.set(format!("http://{}", newsroom.app.http.address())).unwrap();
    newsroom
}

fn serve(asked: &Asked, stream: &mut TcpStream, service: &str) -> io::Result<()> {
    if asked.path == "/favicon.ico" {
        return answer(stream, "Content-Type: image/png\r\n", b"");
    }
    let Some(kind) = KINDS.iter().find(|kind| kind.path == asked.path) else { return status(stream, 404) };
    let fill = |text: &str| {
        text.replace("{service}", service).replace("{page}", &format!("http://{}{}", asked.host, asked.path))
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>A story</title>{}\
         <script src=\"{service}/widget.js\" async></script></head><body><h1>A story</h1>{}</body></html>",
        fill(kind.head),
        fill(kind.body)
    );
    let mut headers = "Content-Type: text/html; charset=utf-8\r\n".to_owned();
    if !kind.policy.is_empty() {
        headers += &format!("Content-Security-Policy: {}\r\n", fill(kind.policy));
    }
    answer(stream, &headers, page.as_bytes())
}

/// The short URL that the service has for a page; None while it has none.
async fn short_url(newsroom: &Newsroom, path: &str) -> Option<String> {
    let found = newsroom.app.lookup(&newsroom.url(path)).await;
    found["links"][0]["short_url"].as_str().map(str::to_owned)
}

/// Waits until the button says that something was copied; what it shows.
async fn shown(page: &Page, host: &str) -> String {
    eventually("the button shows an address", async || {
        let script = "return document.querySelector(arguments[0])?.shadowRoot?.querySelector('input')?.value";
        page.run(script, vec![json!(host)]).await.as_str().map(str::to_owned)
    })
    .await
}

/// What the button says, once it says something.
async fn said(page: &Page, host: &str) -> String {
    let said = page.find_in_shadow(host, "[role=status] span").await;
    eventually("the button says something", async || said.text().await.ok().filter(|text| !text.is_empty()))
        .await
}

#[tokio::test]
async fn pressed_it_copies_the_short_url_of_its_page_and_asks_nothing_before() {
    let newsroom = newsroom().await;
    browse(Setting::default(), async |page| {
        for (path, host, says) in [
            ("/element", "short-url", "Copied"),
            ("/allowed", "short-url", "Copied"),
            ("/german", "short-url", "Kopiert"),
            ("/button", "button + span", "In der Tasche"),
        ] {
            page.go(&newsroom.url(path)).await;
            if host == "short-url" {
                page.find_in_shadow(host, "button").await;
            }
            // Loaded, and the service has not been asked about this page.
            let script = "return performance.getEntriesByType('resource').map((one) => one.name)";
            let asked = page.run(script, vec![]).await.to_string();
            assert!(asked.contains("/widget.js") && !asked.contains("/api/"), "{path}: {asked}");
            assert_eq!(short_url(&newsroom, path).await, None, "{path}");

            match host {
                "short-url" => page.find_in_shadow(host, "button").await.click().await.unwrap(),
                _ => page.click("button[data-short-url]").await,
            }
            let shown = shown(page, host).await;
            assert_eq!(said(page, host).await, says, "{path}");
            assert_eq!(Some(&shown), short_url(&newsroom, path).await.as_ref(), "{path}");
            assert_eq!(page.clipboard().await, shown, "{path}");
            assert_eq!(page.windows().await, 1, "{path}");
            let link = newsroom.app.link(shown.rsplit('/').next().unwrap()).await;
            assert_eq!(link["via"], "button", "{path}: {link}");
            assert_eq!(link["target"], newsroom.url(path), "{path}: {link}");
        }
        let cookies = page.run("return document.cookie", vec![]).await;
        assert_eq!(cookies, "");
    })
    .await;
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    let newsroom = newsroom().await;
    browse(Setting::default(), async |page| {
        page.go(&newsroom.url("/two")).await;
        page.find_in_shadow("#two", "button").await;
        page.press(Key::Tab).await;
        page.press(Key::Enter).await;
        let first = shown(page, "#one").await;
        assert_eq!(page.clipboard().await, first);
        // The focus stays where it was, and the other one is on its own.
        let focus =
            "const at = document.activeElement; return at.id + ':' + at.shadowRoot.activeElement.localName";
        assert_eq!(page.run(focus, vec![]).await, "one:button");
        let other = "return document.querySelector('#two').shadowRoot.querySelector('input')";
        assert!(page.run(other, vec![]).await.is_null());
        // Past the field with the address.
        page.press(Key::Tab).await;
        page.press(Key::Tab).await;
        assert_eq!(page.run(focus, vec![]).await, "two:button");
        page.press(Key::Space).await;
        assert_eq!(shown(page, "#two").await, first);
        let labels = "return ['#one', '#two'].map((id) => \
                      document.querySelector(id).shadowRoot.querySelector('button').textContent)";
        assert_eq!(page.run(labels, vec![]).await, json!(["Top", "Get short URL"]));
    })
    .await;
}

#[tokio::test]
async fn what_the_cms_knows_already_is_asked_of_nobody() {
    let newsroom = newsroom().await;
    browse(Setting::default(), async |page| {
        page.go(&newsroom.url("/known")).await;
        page.click("button[data-short-url-value]").await;
        assert_eq!(shown(page, "button + span").await, "https://sl.example/known");
        assert_eq!(page.clipboard().await, "https://sl.example/known");
    })
    .await;
    assert_eq!(short_url(&newsroom, "/known").await, None);
}

#[tokio::test]
async fn a_page_without_encryption_has_its_address_copied_too() {
    let newsroom = newsroom().await;
    browse(Setting::default(), async |page| {
        // Browsers give such a page no clipboard.
        page.go(newsroom.site.url("www.daily.example", "/known").as_str()).await;
        assert_eq!(
            page.run("return [isSecureContext, 'clipboard' in navigator]", vec![]).await,
            json!([false, false])
        );
        page.click("button[data-short-url-value]").await;
        assert_eq!(shown(page, "button + span").await, "https://sl.example/known");
        assert_eq!(said(page, "button + span").await, "Copied");
        page.go(&newsroom.url("/known")).await;
        assert_eq!(page.clipboard().await, "https://sl.example/known");
    })
    .await;
}

#[tokio::test]
async fn where_a_pages_policy_forbids_to_ask_a_window_is_opened() {
    let newsroom = newsroom().await;
    browse(Setting::default(), async |page| {
        sign_in(page, &newsroom.app, "Maria", "creator").await;
        page.go(&newsroom.url("/hostile")).await;
        page.find_in_shadow("short-url", "button").await.click().await.unwrap();
        page.next_window().await;
        let url = page.at("the window is at the service", |url| url.path() == "/-/new").await;
        assert_eq!(url.port(), Some(newsroom.app.http.address().port()));
        let asked: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(asked, [("url".to_owned(), newsroom.url("/hostile"))]);
        let errors = page.errors().await;
        assert!(errors.iter().all(|error| error.contains("Security")), "{errors:#?}");
    })
    .await;
}

#[tokio::test]
async fn where_no_script_is_let_in_what_the_page_put_into_it_is_there() {
    let newsroom = newsroom().await;
    browse(Setting::default(), async |page| {
        page.go(&newsroom.url("/closed")).await;
        let link = page.find("short-url a").await;
        assert_eq!(link.text().await.unwrap(), "Short URL");
        let errors = page.errors().await;
        assert!(errors.iter().all(|error| error.contains("Content Security Policy")), "{errors:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_page_that_has_none_is_told_so() {
    let newsroom = newsroom().await;
    browse(Setting::default(), async |page| {
        page.go(&newsroom.url("/stranger")).await;
        page.find_in_shadow("short-url", "button").await.click().await.unwrap();
        assert_eq!(said(page, "short-url").await, "There is no short URL for this page");
        assert_eq!(page.windows().await, 1);
        let errors = page.errors().await;
        assert!(errors.iter().all(|error| error.contains("/api/v1/short-url")), "{errors:#?}");
    })
    .await;
}

#[tokio::test]
async fn the_bookmarklet_opens_the_service_with_the_pages_own_address() {
    let newsroom = newsroom().await;
    let service = format!("http://{}", newsroom.app.http.address());
    browse(Setting::default(), async |page| {
        sign_in(page, &newsroom.app, "Maria", "creator").await;
        for path in ["/hostile", "/closed"] {
            page.go(&format!("{}?utm_source=x#top", newsroom.url(path))).await;
            // As the bookmarks bar runs it: with the reader's gesture, past the page's policy.
            let text = slugline::web::pages::bookmarklet(&service);
            let script = text.strip_prefix("javascript:").unwrap();
            let run = json!({ "expression": script, "userGesture": true });
            page.devtools("Runtime.evaluate", run).await;
            page.next_window().await;
            let url = page.at("the window is at the service", |url| url.path() == "/-/new").await;
            let (_, asked) = url.query_pairs().next().unwrap();
            assert_eq!(asked, newsroom.url(path));
            page.close_window().await;
        }
        page.errors().await;
    })
    .await;
}
