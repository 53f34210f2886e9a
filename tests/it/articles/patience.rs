//! Sites that hang: who waits for them, and for how long.

use std::io::Write;
use std::time::{Duration, Instant};

use slugline::articles::reader::Outcome;

use super::site::{self, Names, Site, hang, html, read, settings};

const HOST: &str = "www.courier.example";

#[tokio::test]
async fn only_the_first_waits_for_a_hanging_site_and_not_for_long() {
    let site = Site::start(|_, stream| hang(stream));
    let settings = settings(&site, &[HOST]);
    let reader = site::reader(&settings, Names::here(&[HOST]));
    let (wait, began) = (settings.fetch_wait.0, Instant::now());
    assert_eq!(reader.read_within(&site.url(HOST, "/1"), wait, began).await, None);
    let first = began.elapsed();
    assert!(first >= wait && first < Duration::from_secs(5), "{first:?}");
    // With a wait that would be seen.
    let long = Duration::from_secs(3_600);
    for n in 2..12 {
        assert_eq!(reader.read_within(&site.url(HOST, &format!("/{n}")), long, Instant::now()).await, None);
    }
    assert_eq!(site.asked().len(), 1, "and it is asked one thing at a time");
    reader.stop().await;
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_given_up() {
    let site = Site::start(|asked, stream| match asked.path.as_str() {
        "/quick" => html(stream, "<title>Quick</title>"),
        _ => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>Sl")?;
            hang(stream)
        }
    });
    let reader = site::reader(&settings(&site, &[HOST]), Names::here(&[HOST]));
    let began = Instant::now();
    let reading = read(&reader, &site.url(HOST, "/slow")).await;
    assert_eq!((reading.outcome, reading.facts.title.as_deref()), (Outcome::Slow, None));
    assert!(began.elapsed() >= Duration::from_secs(5), "everything has five seconds");
    // It is left alone for a minute from then on.
    let reading = read(&reader, &site.url(HOST, "/quick")).await;
    assert_eq!((reading.outcome, site.asked().len()), (Outcome::Slow, 1));
    let later = Instant::now() + Duration::from_secs(66);
    let reading = reader.read(&site.url(HOST, "/quick"), later).await;
    assert_eq!(reading.facts.title.as_deref(), Some("Quick"));
}
