//! The reader against a site on this machine: what is believed, who waits for how long, what comes late.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;

use super::*;
use crate::articles::fetch::{Options, SecretHeader};
use crate::articles::fixture::{Site, fetcher, hang, hasty, names, options, path};
use crate::domain::target::HostRule;

/// No test takes as long.
const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(100);

fn reader(site: &Site) -> (Reader, mpsc::Receiver<Arc<Reading>>) {
    Reader::new(Canon::default(), Arc::new(fetcher(&[site])), TimeZone::UTC)
}

/// One that gives up after a quarter of a second.
fn hasty_reader(site: &Site) -> Reader {
    Reader::new(Canon::default(), Arc::new(hasty(site)), TimeZone::UTC).0
}

/// A test that waits for what does not come fails.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.unwrap()
}

fn answer(head: &str, stream: &mut TcpStream, _: u16) -> io::Result<()> {
    let page = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{body}");
    let to = |status: u16, to: &str| format!("HTTP/1.1 {status} x\r\nLocation: {to}\r\n\r\n");
    let claims =
        |path: &str, title: &str| page(&format!("<link rel=canonical href={path}><title>{title}</title>"));
    let story =
        "<title>The river</title><meta property=article:published_time content='2026-11-23T08:00:00Z'>";
    let answer = match path(head) {
        "/world/the-river-rises" => claims("/world/the-river-rises", "River"),
        "/amp-make-of-river" => claims("/world/the-river-rises", "River"),
        "/p/7" => to(302, "/world/the-river-rises"),
        "/old/river" => to(301, "/world/the-river-rises"),
        "/short" => to(302, "/b/river"),
        "/offer" => to(307, "/offers/premium"),
        "/b/river" => page(story),
        "/offers/premium" => page("<title>Only today</title><meta name=author content='The newsroom'>"),
        "/consent" => claims("/world/the-river-rises", "We value you"),
        "/asks" => to(302, "/consent"),
        "/soft-404" => to(302, "/"),
        "/" => page("<title>Home</title>"),
        "/mistake-1" => claims("/template", "Bridge falls"),
        "/mistake-2" => claims("/template", "Dog bites"),
        "/news" => claims("/world/the-river-rises", "River"),
        "/h/1" | "/headline-of-today" if !CHANGED.load(Ordering::SeqCst) => {
            claims("/headline-of-today", "River")
        }
        "/h/2" | "/headline-of-today" => claims("/headline-of-today", "River rises to a record"),
        "/h/3" => claims("/headline-of-today", "Bridge falls"),
        "/picture" => "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nhello".into(),
        "/wall" => "HTTP/1.1 403 x\r\n\r\n".into(),
        "/draft" if head.to_lowercase().contains("x-pass: open") => claims("/draft", "Not out yet"),
        "/draft" => "HTTP/1.1 401 x\r\n\r\n".into(),
        "/gone" => "HTTP/1.1 410 x\r\n\r\n".into(),
        "/ill" => "HTTP/1.1 500 x\r\n\r\n".into(),
        "/inside" => to(302, "http://10.0.0.1/"),
        "/hang" | "/hang/2" => return hang(stream),
        _ => "HTTP/1.1 404 x\r\n\r\n".into(),
    };
    stream.write_all(answer.as_bytes())
}

#[tokio::test]
async fn what_is_believed() {
    let site = Site::start(answer);
    let (reader, _late) = reader(&site);
    let story = "/world/the-river-rises";
    // (asked, canonical, spellings, title, claimed, moved)
    let table = [
        (story, story, 1, Some("River"), true, false),
        ("/amp-make-of-river", story, 2, Some("River"), true, false),
        ("/p/7", story, 2, Some("River"), true, false),
        ("/old/river", story, 2, Some("River"), true, true),
        ("/short", "/b/river", 2, Some("The river"), false, false),
        ("/offer", "/offer", 1, Some("Only today"), false, false),
        ("/consent", "/consent", 1, Some("We value you"), false, false),
        ("/", "/", 1, Some("Home"), false, false),
        ("/news", "/news", 1, Some("River"), false, false),
        ("/picture", "/picture", 1, None, false, false),
        ("/mistake-1", "/template", 2, Some("Bridge falls"), true, false),
        ("/mistake-2", "/mistake-2", 1, Some("Dog bites"), false, false),
    ];
    for (asked, canonical, spellings, title, claimed, moved) in table {
        let reading = reader.read(&site.url(asked), Instant::now()).await;
        assert_eq!((reading.outcome, &reading.why), (Outcome::Read, &None), "{asked}");
        assert_eq!(reading.identity.as_ref().unwrap().url, site.url(canonical), "{asked}");
        assert_eq!(reading.form.url, site.url(asked));
        assert_eq!(reading.spellings.len(), spellings, "{asked}: {:?}", reading.spellings);
        assert_eq!((reading.facts.title.as_deref(), reading.claimed), (title, claimed), "{asked}");
        assert_eq!(reading.moved_to, moved.then(|| site.url(story)), "{asked}");
    }
}

static CHANGED: AtomicBool = AtomicBool::new(false);

#[tokio::test]
async fn a_headline_may_be_changed() {
    let site = Site::start(answer);
    let (reader, _late) = reader(&site);
    let now = Instant::now();
    let story = site.url("/headline-of-today");
    assert_eq!(reader.read(&site.url("/h/1"), now).await.identity.as_ref().unwrap().url, story);
    CHANGED.store(true, Ordering::SeqCst);
    let before = site.asked();
    let reading = reader.read(&site.url("/h/2"), now).await;
    assert_eq!((&reading.identity.as_ref().unwrap().url, reading.claimed), (&story, true));
    assert_eq!(site.asked() - before, 2, "the page at that address was asked");
    // It tells a mistake too.
    let reading = reader.read(&site.url("/h/3"), now).await;
    assert_eq!((&reading.identity.as_ref().unwrap().url, reading.claimed), (&site.url("/h/3"), false));
    assert_eq!(reader.read(&site.url("/h/2"), now).await.identity.as_ref().unwrap().url, story);
}

#[tokio::test]
async fn what_is_not_read() {
    let site = Site::start(answer);
    let (reader, _late) = reader(&site);
    let table = [
        ("/wall", Outcome::NotReadable, Some(403), "403"),
        ("/gone", Outcome::Gone, Some(410), "410"),
        ("/nowhere", Outcome::Gone, Some(404), "404"),
        ("/ill", Outcome::Broken, Some(500), "500"),
        ("/asks", Outcome::NotReadable, None, "consent"),
        ("/soft-404", Outcome::NotReadable, None, "home page"),
        ("/inside", Outcome::Refused, None, "not on the public internet"),
    ];
    for (asked, outcome, status, why) in table {
        let reading = reader.read(&site.url(asked), Instant::now()).await;
        assert_eq!((reading.outcome, reading.status), (outcome, status), "{asked}");
        assert!(reading.why.as_ref().is_some_and(|text| text.contains(why)), "{asked}: {:?}", reading.why);
        assert_eq!((&reading.identity, &reading.facts), (&None, &Metadata::default()), "{asked}");
        assert_eq!(reading.spellings, [site.url(asked)], "{asked}");
    }
}

#[tokio::test]
async fn one_page_is_fetched_once_for_all_who_ask() {
    let site = Site::start(answer);
    let (reader, _late) = reader(&site);
    let url = site.url("/b/river");
    let spellings = [url.clone(), site.url("/b/river#top"), url.clone(), url];
    let now = Instant::now();
    let asking = spellings.iter().cycle().take(40).enumerate().map(|(n, url)| {
        let reader = &reader;
        async move {
            if n % 2 == 0 {
                Some(reader.read(url, now).await)
            } else {
                reader.read_within(url, LONG, now).await
            }
        }
    });
    for reading in soon(join_all(asking)).await {
        assert_eq!(reading.unwrap().facts.title.as_deref(), Some("The river"));
    }
    assert_eq!(site.asked(), 1);
    reader.read(&site.url("/b/river"), now).await;
    assert_eq!(site.asked(), 2, "a next one looks again");
}

static OPEN: AtomicBool = AtomicBool::new(false);

#[tokio::test]
async fn what_comes_late_is_told_of() {
    let site = Site::start(|head, stream, _| {
        while !OPEN.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        answer(head, stream, 0)
    });
    let (reader, mut late) = reader(&site);
    let (url, now) = (site.url("/b/river"), Instant::now());
    // One waits to the end, one goes away; then the page comes.
    let goes = async {
        assert_eq!(reader.read_within(&url, SHORT, now).await, None);
        OPEN.store(true, Ordering::SeqCst);
    };
    let (whole, ()) = soon(async { tokio::join!(reader.read(&url, now), goes) }).await;
    assert_eq!(whole.facts.title.as_deref(), Some("The river"));
    let told = soon(late.recv()).await.unwrap();
    assert_eq!((&told, &told.form.url, site.asked()), (&whole, &url, 1));
    assert!(late.try_recv().is_err(), "once");
    // What nobody went away from is not told of.
    soon(reader.read(&site.url("/short"), now)).await;
    assert!(late.try_recv().is_err());
}

#[tokio::test]
async fn of_a_hanging_site_only_the_first_waits() {
    let site = Site::start(answer);
    let (reader, _late) = reader(&site);
    let now = Instant::now();
    // Those who begin while the first waits go when it goes.
    let waits = [(site.url("/hang"), SHORT), (site.url("/hang/2"), LONG), (site.url("/hang"), LONG)];
    let waiting = waits.iter().map(|(url, wait)| reader.read_within(url, *wait, now));
    assert_eq!(soon(join_all(waiting)).await, [None, None, None]);
    for path in ["/hang", "/b/river", "/hang/2"] {
        assert_eq!(soon(reader.read_within(&site.url(path), LONG, now)).await, None, "nobody waits");
    }
    let other = Site::start(answer);
    let elsewhere = other.url("/");
    let reading = reader.read_within(&elsewhere, LONG, now);
    assert_eq!(soon(reading).await.unwrap().outcome, Outcome::Refused, "another host has its own patience");
    soon(reader.stop()).await;
}

#[tokio::test]
async fn a_site_that_was_too_slow_is_not_asked_for_a_while() {
    let site = Site::start(answer);
    let reader = hasty_reader(&site);
    let now = Instant::now();
    assert_eq!(soon(reader.read(&site.url("/hang"), now)).await.outcome, Outcome::Slow);
    let asked = site.asked();
    let reading = soon(reader.read_within(&site.url("/b/river"), LONG, now)).await.unwrap();
    assert_eq!((reading.outcome, site.asked()), (Outcome::Slow, asked));
    let later = now + Duration::from_secs(61);
    let reading = soon(reader.read_within(&site.url("/b/river"), LONG, later)).await.unwrap();
    assert_eq!(reading.outcome, Outcome::Read);
}

#[tokio::test]
async fn a_stranger_finds_what_everybody_can_read() {
    let site = Site::start(answer);
    let host = format!("127.0.0.1:{}", site.port);
    let secret = SecretHeader::parse(HostRule::parse(&host).unwrap(), "X-Pass: open").unwrap();
    let options = Options { secrets: vec![secret], ..options(&[host]) };
    let fetcher = Fetcher::new(options, names(&[])).unwrap();
    let reader = Reader::new(Canon::default(), Arc::new(fetcher), TimeZone::UTC).0;
    let now = Instant::now();
    let finds = async |path: &str, now| match reader.public(&site.url(path), now).await {
        Public::Named(_) => true,
        Public::Nothing => false,
        Public::Busy => panic!("nobody else asks"),
    };
    let sent = || {
        let heads = site.heads.lock().unwrap();
        heads.iter().filter(|head| head.to_lowercase().contains("x-pass")).count()
    };
    for (path, named) in [
        ("/world/the-river-rises", true),
        ("/amp-make-of-river", false),
        ("/b/river", false),
        ("/old/river", false),
        ("/mistake-1", false),
        ("/draft", false),
        ("/inside", false),
        ("/nowhere", false),
    ] {
        assert_eq!(finds(path, now).await, named, "{path}");
    }
    assert_eq!(sent(), 0);
    assert_eq!(reader.read(&site.url("/draft"), now).await.outcome, Outcome::Read, "editors may");
    assert_eq!(sent(), 1);
    // What gave nothing is asked once in a while.
    let asked = site.asked();
    assert!(!finds("/draft", now).await && site.asked() == asked);
    assert!(!finds("/draft", now + Duration::from_secs(61)).await && site.asked() == asked + 1);
    // Strangers teach no titles.
    assert_eq!(
        reader.read(&site.url("/mistake-2"), now).await.identity.as_ref().unwrap().url,
        site.url("/template")
    );
}

#[tokio::test]
async fn strangers_hold_up_no_editor() {
    let site = Site::start(answer);
    let reader = hasty_reader(&site);
    let now = Instant::now();
    let (hang, page) = (site.url("/hang"), site.url("/world/the-river-rises"));
    let (first, second, meanwhile) = soon(async {
        tokio::join!(reader.public(&hang, now), reader.public(&hang, now), async {
            let busy = matches!(reader.public(&page, now).await, Public::Busy);
            (busy, reader.read(&page, now).await.outcome)
        })
    })
    .await;
    assert!(matches!((first, second), (Public::Nothing, Public::Nothing)));
    assert_eq!(meanwhile, (true, Outcome::Read), "two at once, none of them in an editor's way");
    assert!(!reader.fetcher().is_slow(&hang, now), "what a stranger chose to ask says nothing of the host");
    let Public::Named(place) = reader.public(&page, now).await else { panic!("they have gone") };
    let Public::Named(other) = reader.public(&page, now).await else { panic!("one has gone") };
    assert!(matches!(reader.public(&page, now).await, Public::Busy), "until they are done with it");
    drop((place, other));
    assert!(matches!(reader.public(&page, now).await, Public::Named(_)));
}

#[tokio::test]
async fn a_stop_ends_it() {
    let site = Site::start(answer);
    let (reader, _late) = reader(&site);
    let (url, now) = (site.url("/hang"), Instant::now());
    let (reading, ()) = soon(async { tokio::join!(reader.read(&url, now), reader.stop()) }).await;
    assert_eq!(reading.outcome, Outcome::Slow);
    assert_eq!(soon(reader.read(&site.url("/"), now)).await.outcome, Outcome::Slow);
    assert!(reader.0.flights().is_empty());
}

#[test]
fn a_page_at_hand() {
    let body = b"<link rel=canonical href=/world/story-7-x><title>Title</title>";
    let url = Url::parse("https://www.google.com/amp/s/a.test/world/story-7-x/amp?utm_source=x").unwrap();
    let reading = read_body(&Canon::default(), &TimeZone::UTC, &url, body);
    assert_eq!(reading.identity.unwrap().url.as_str(), "https://a.test/world/story-7-x");
    assert_eq!(reading.facts.title.as_deref(), Some("Title"));
}
