//! One story, whatever address it comes by; and never two stories in one, whatever a page or a redirect says.

use std::collections::HashSet;
use std::io;
use std::net::TcpStream;

use slugline::articles::Reader;
use slugline::articles::reader::Outcome;
use url::Url;

use super::site::{self, Asked, Names, Site, html, read, redirect, settings, status};

const HOST: &str = "www.courier.example";
const HOSTS: [&str; 5] =
    [HOST, "courier.example", "m.courier.example", "amp.courier.example", "consent.courier.example"];
const STORIES: usize = 8;

fn story(n: usize) -> String {
    format!("/world/2026/the-river-rises-{n}")
}

/// The last number in a path.
fn number(path: &str) -> usize {
    let digits = |part: &str| part.trim_end_matches(|c: char| !c.is_ascii_digit()).to_owned();
    let path = digits(path);
    path.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn newsroom() -> (Site, Reader) {
    let site = Site::start(answer);
    let reader = site::reader(&settings(&site, &HOSTS), Names::here(&HOSTS));
    (site, reader)
}

/// A page of a story that says in its own way where the story is.
fn article(stream: &mut TcpStream, host: &str, n: usize, way: &str) -> io::Result<()> {
    let port = host.rsplit(':').next().unwrap_or_default();
    let own = format!("http://{HOST}:{port}{}", story(n));
    let title = format!("The river rises for the {n}. time");
    let head = match way {
        "og" => format!(
            "<meta property='og:url' content='{own}?utm_source=og'><meta property='og:title' content='{title}'>"
        ),
        "ld" => format!(
            r#"<title>{title} | Courier</title><script type="application/ld+json">{{"@graph":[{{"@type":"WebSite","name":"Courier"}},
            {{"@type":["NewsArticle"],"headline":"{title}","mainEntityOfPage":{{"@type":"WebPage","@id":"{own}"}}}}]}}</script>"#
        ),
        "relative" => {
            format!("<base href='/'><link rel='canonical' href='{}'><title>{title}</title>", &story(n)[1..])
        }
        "amp" => format!("<html amp><title>{title}</title><link rel='canonical' href='{own}'>"),
        _ => format!("<link href='{own}' rel='shortlink canonical'><title>{title}</title>"),
    };
    html(stream, &head)
}

fn answer(asked: &Asked, stream: &mut TcpStream) -> io::Result<()> {
    let n = number(&asked.path);
    let claims = |stream: &mut TcpStream, claim: &str, title: &str| {
        html(stream, &format!("<link rel=canonical href='{claim}'><title>{title}</title>"))
    };
    let title = format!("Story {n} of its own");
    let first = asked.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    match first {
        "p" => redirect(stream, 302, &story(n)),
        "old" => redirect(stream, 301, &format!("/older/{n}")),
        "older" => redirect(stream, 308, &story(n)),
        "og" | "ld" | "relative" | "2019" => article(stream, &asked.host, n, first),
        "amp" => article(stream, &asked.host, n, "amp"),
        "world" if asked.host.starts_with("amp.") => article(stream, &asked.host, n, "amp"),
        "world" => article(stream, &asked.host, n, ""),
        // From here on what is wrong.
        "claims-home" => claims(stream, "/", &title),
        "claims-edition" => claims(stream, "/en/", &title),
        "claims-section" => claims(stream, "/world", &title),
        "claims-topic" => claims(stream, "/topics/rivers", &title),
        "claims-login" => claims(stream, "/login?to=/x", &title),
        "claims-consent" => claims(stream, "/privacy-gate", &title),
        "claims-elsewhere" => claims(stream, "https://wire.example/world/the-river-rises", &title),
        "claims-template" => claims(stream, "/the-story-template-page", &title),
        "claims-story" => claims(stream, "/story", &title),
        "consent-page" => {
            redirect(stream, 302, &format!("http://consent.courier.example:{}/collect?id={n}", port(asked)))
        }
        "login-page" => redirect(stream, 302, "/login"),
        "comes-back" => redirect(stream, 302, &format!("/welcome-to-our-wall?to=%2Fcomes-back%2F{n}")),
        "goes-home" => redirect(stream, 301, "/"),
        "goes-to-section" => redirect(stream, 301, "/world"),
        "sees-offer" => redirect(stream, 302, "/offers/premium"),
        "" | "collect" | "login" | "welcome-to-our-wall" | "offers" => {
            claims(stream, "/offers/premium", "The Courier")
        }
        _ => status(stream, 404),
    }
}

fn port(asked: &Asked) -> &str {
    asked.host.rsplit(':').next().unwrap_or_default()
}

/// Addresses of one story as they come out of browsers, feeds and apps.
fn spellings(site: &Site, n: usize) -> Vec<Url> {
    let story = story(n);
    let mut all: Vec<Url> = HOSTS[..4].iter().map(|host| site.url(host, &story)).collect();
    let paths = [
        format!("{story}/"),
        format!("{story}/amp"),
        format!("{story}/amp/"),
        format!("/amp{story}"),
        format!("{story}.amp"),
        format!("{story}?amp=1"),
        format!("{story}?outputType=amp"),
        format!("{story}?utm_source=x&utm_medium=y"),
        format!("{story}?fbclid=IwAR0"),
        format!("{story}?zoom=2&area=1&gclid=7"),
        format!("{story}?from_app=1"),
        format!("{story}#block-9"),
        format!("{story}/index.html"),
        format!("/p/{n}"),
        format!("/old/{n}"),
        format!("/older/{n}?utm_campaign=z"),
        format!("/og/{n}"),
        format!("/ld/{n}"),
        format!("/relative/{n}"),
        format!("/2019/story-{n}.html"),
    ];
    all.extend(paths.iter().map(|path| site.url(HOST, path)));
    all.extend(["/p/", "/ld/"].map(|path| site.url("m.courier.example", &format!("{path}{n}"))));
    let cache = format!("http://www.google.com/amp/{HOST}:{}{story}", site.port);
    all.push(Url::parse(&cache).unwrap());
    all
}

#[tokio::test]
async fn one_story_by_all_its_addresses() {
    let (site, reader) = newsroom();
    for n in 1..=STORIES {
        let own = site.url(HOST, &story(n));
        let mut seen = HashSet::new();
        for address in spellings(&site, n) {
            let reading = read(&reader, &address).await;
            assert_eq!(reading.outcome, Outcome::Read, "{address}: {:?}", reading.why);
            let identity = reading.identity.as_ref().unwrap();
            assert_eq!((&identity.url, identity.site.as_str()), (&own, "courier"), "{address}");
            assert!(reading.spellings.contains(&own) && reading.spellings.contains(&reading.form.url));
            let title = format!("The river rises for the {n}. time");
            assert_eq!(reading.facts.title.as_deref(), Some(title.as_str()), "{address}");
            let moved = address.path().starts_with("/old");
            assert_eq!(reading.moved_to.is_some(), moved, "{address}");
            seen.extend(reading.spellings.clone());
        }
        assert!(seen.len() >= 10, "{seen:#?}");
    }
}

#[tokio::test]
async fn no_two_stories_become_one() {
    let (site, reader) = newsroom();
    let kinds = [
        "claims-home",
        "claims-edition",
        "claims-section",
        "claims-topic",
        "claims-login",
        "claims-consent",
        "claims-elsewhere",
        "claims-template",
        "claims-story",
        "consent-page",
        "login-page",
        "comes-back",
        "goes-home",
        "goes-to-section",
        "sees-offer",
    ];
    let (mut known, mut spellings) = (HashSet::new(), HashSet::new());
    for kind in kinds {
        for n in 1..=STORIES {
            let reading = read(&reader, &site.url(HOST, &format!("/{kind}/{n}"))).await;
            let identity = reading.identity.as_ref().unwrap_or(&reading.form);
            assert!(known.insert(identity.url.clone()), "{kind} {n}: {}", identity.url);
            for spelling in &reading.spellings {
                assert!(spellings.insert(spelling.clone()), "{kind} {n}: {spelling}");
            }
            let between = ["consent-page", "login-page", "comes-back", "goes-home", "goes-to-section"];
            if between.contains(&kind) {
                assert_eq!(reading.outcome, Outcome::NotReadable, "{kind}");
                assert_eq!(reading.facts.title, None, "{kind}: what is said there is not of the story");
            } else {
                assert_eq!(reading.outcome, Outcome::Read, "{kind}: {:?}", reading.why);
            }
        }
    }
}

#[tokio::test]
async fn a_host_that_is_not_named_is_a_site_of_its_own() {
    let site = Site::start(|asked, stream| {
        let story = format!("http://{HOST}:{}/world/the-river-rises-1", port(asked));
        html(stream, &format!("<link rel=canonical href='{story}'><title>T</title>"))
    });
    let reader = site::reader(
        &settings(&site, &["magazine.courier.example"]),
        Names::here(&["magazine.courier.example"]),
    );
    let url = site.url("magazine.courier.example", "/world/the-river-rises-1");
    let reading = read(&reader, &url).await;
    assert_eq!(reading.identity.as_ref().unwrap().url, url, "what it says of another site is not believed");
    assert!(!reading.claimed);
}
