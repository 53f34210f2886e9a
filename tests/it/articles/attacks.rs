//! What means harm: addresses and redirects that lead inside, names that lie. All are refused before anything is
//! connected to, and an editor is told why in plain words.

use slugline::articles::Reader;
use slugline::articles::reader::{Outcome, Reading};
use url::Url;

use super::site::{self, Asked, Names, Site, html, read, redirect, settings};

const HOST: &str = "www.courier.example";

/// A machine of the inner network, which must not be asked anything, and the newsroom's site.
fn newsroom(names: &[(&str, &[&[&str]])]) -> (Site, Site, Reader) {
    let inner = Site::start(|_, stream| html(stream, "<title>Secret</title>"));
    let port = inner.port;
    let site = Site::start(move |asked, stream| redirect(stream, 302, &target(asked, port)));
    let reader = site::reader(&settings(&site, &[HOST]), Names::new(names));
    (inner, site, reader)
}

/// Where `?to=` says, with the inner machine's port for PORT.
fn target(asked: &Asked, port: u16) -> String {
    let pairs = Url::parse(&format!("http://x/?{}", asked.query)).unwrap();
    let to = pairs.query_pairs().find(|(name, _)| name == "to").unwrap().1.into_owned();
    to.replace("PORT", &port.to_string())
}

fn is_refused(reading: &Reading, what: &str) {
    assert_eq!(reading.outcome, Outcome::Refused, "{what}: {reading:?}");
    let why = reading.why.as_deref().unwrap();
    let known = ["not on the public internet", "is not asked", "needs a host"];
    assert!(known.iter().any(|words| why.contains(words)), "{what}: {why}");
    assert!(!why.contains("Secret") && reading.facts.title.is_none(), "{what}: {why}");
}

const INSIDE: [&str; 30] = [
    "http://127.0.0.1:PORT/",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0/",
    "http://[::1]:PORT/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fd00::1]/",
    "http://[fe80::1]/",
    "http://[ff02::1]/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://www.courier.example:22/",
    "https://www.courier.example:8443/",
    "http://user@www.courier.example/",
    "http://user:password@www.courier.example/",
    "http://metadata.inner.example/",
    "http://mixed.inner.example:PORT/",
    "ftp://www.courier.example/x",
    "file:///etc/passwd",
];
const NAMES: [(&str, &[&[&str]]); 3] = [
    (HOST, &[&["127.0.0.1"]]),
    ("metadata.inner.example", &[&["169.254.169.254", "fd00:ec2::254"]]),
    ("mixed.inner.example", &[&["127.0.0.1", "::1"]]),
];

#[tokio::test]
async fn nothing_inside_is_asked_neither_at_once_nor_by_a_redirect() {
    let (inner, site, reader) = newsroom(&NAMES);
    for address in INSIDE {
        let address = address.replace("PORT", &inner.port.to_string());
        is_refused(&*read(&reader, &Url::parse(&address).unwrap()).await, &address);
    }
    assert!(site.asked().is_empty());
    for (n, address) in INSIDE.iter().enumerate() {
        let mut url = site.url(HOST, &format!("/hop/{n}"));
        url.query_pairs_mut().append_pair("to", address);
        is_refused(&*read(&reader, &url).await, address);
    }
    assert_eq!(site.asked().len(), INSIDE.len(), "one hop each");
    assert!(inner.asked().is_empty(), "{:?}", inner.asked());
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_judged_each_time() {
    let inside: &[&[&str]] = &[&["127.0.0.1"], &["192.168.0.1", "::1"], &["10.0.0.1"]];
    let (inner, site, reader) = newsroom(&[(HOST, &[&["127.0.0.1"]]), ("rebinding.example", inside)]);
    for _ in 0..4 {
        let mut url = site.url(HOST, "/hop");
        url.query_pairs_mut().append_pair("to", "http://rebinding.example/");
        is_refused(&*read(&reader, &url).await, "rebinding");
    }
    assert!(inner.asked().is_empty());
    // The newsroom's own host is free on its own port alone.
    let mut url = site.url(HOST, "/hop");
    url.query_pairs_mut().append_pair("to", &format!("http://{HOST}/"));
    is_refused(&*read(&reader, &url).await, "another port");
}

#[tokio::test]
async fn what_was_looked_at_is_what_is_connected_to() {
    let site = Site::start(|_, stream| html(stream, "<title>Found</title>"));
    // Nobody listens at the second answer: who asked again between looking and connecting would find nobody.
    let names = Names::new(&[(HOST, &[&["127.0.0.1"], &["127.0.0.9"]])]);
    let reader = site::reader(&settings(&site, &[HOST]), names);
    let reading = read(&reader, &site.url(HOST, "/1")).await;
    assert_eq!(reading.facts.title.as_deref(), Some("Found"), "{:?}", reading.why);
    assert_eq!(
        read(&reader, &site.url(HOST, "/2")).await.outcome,
        Outcome::Broken,
        "the next look is a new one"
    );
}

#[tokio::test]
async fn circles_and_chains_end() {
    let site = Site::start(|asked, stream| {
        let n: usize = asked.path.rsplit('/').next().unwrap().parse().unwrap();
        let next = if asked.path.starts_with("/circle") { (n + 1) % 3 } else { n + 1 };
        let first = asked.path.split('/').nth(1).unwrap();
        redirect(stream, 302, &format!("/{first}/{next}"))
    });
    let reader = site::reader(&settings(&site, &[HOST]), Names::here(&[HOST]));
    for (path, requests, why) in [("/circle/0", 3, "circle"), ("/chain/0", 6, "more than 5 redirects")] {
        let before = site.asked().len();
        let reading = read(&reader, &site.url(HOST, path)).await;
        assert_eq!(reading.outcome, Outcome::Broken, "{path}");
        assert!(reading.why.as_ref().unwrap().contains(why), "{path}: {:?}", reading.why);
        assert_eq!(site.asked().len() - before, requests, "{path}");
    }
}
