//! The fetcher against real servers on this machine, and against resolvers and redirects that mean harm.

use std::io::{self, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::*;
use crate::articles::fixture::{Answering, Site, fetcher, hang, hasty, names, options, path};

async fn fetch(fetcher: &Fetcher, url: &Url) -> Outcome {
    fetcher.fetch(url, Instant::now()).await
}

fn page(outcome: Outcome) -> Page {
    match outcome {
        Outcome::Page(page) => page,
        other => panic!("no page: {other:?}"),
    }
}

fn is_refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused { .. })
}

fn simple(head: &str, stream: &mut TcpStream, port: u16) -> io::Result<()> {
    let redirect =
        |to: &str, status: &str| format!("HTTP/1.1 {status} x\r\nLocation: {to}\r\nSet-Cookie: a=b\r\n\r\n");
    let path = path(head);
    let answer = match path {
        "/page" => {
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello"
                .into()
        }
        "/chunked" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n".into()
        }
        "/until-end" => "HTTP/1.0 200 OK\r\n\r\nhello".into(),
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello".into(),
        "/picture" => "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 5\r\n\r\nhello".into(),
        "/gzip" | "/br" | "/zstd" => {
            let coding = &path[1..];
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 5\r\n\r\nhello")
        }
        "/moved" => redirect("/page", "301"),
        "/moved-twice" => redirect("/moved", "308"),
        "/found" => redirect("/page", "302"),
        "/found-then-moved" => redirect("/moved", "307"),
        "/circle" => redirect("/circle-2", "302"),
        "/circle-2" => redirect("/circle", "302"),
        "/nowhere" => "HTTP/1.1 302 x\r\n\r\n".into(),
        "/garbage" => "NOT HTTP AT ALL\r\n\r\n".into(),
        "/silence" => String::new(),
        "/to-metadata" => redirect("http://169.254.169.254/latest/meta-data", "302"),
        "/to-loopback" => redirect(&format!("http://127.0.0.2:{port}/page"), "302"),
        "/to-mapped" => redirect("http://[::ffff:127.0.0.1]/", "302"),
        "/to-port" => redirect("https://news.example:22/", "302"),
        "/to-file" => redirect("file:///etc/passwd", "302"),
        "/to-inner" => redirect("https://inner.example/", "302"),
        "/to-user" => redirect("https://a:b@news.example/", "302"),
        other => match other.split_once("/status/").or_else(|| other.split_once("/many/")) {
            Some((_, n)) if other.starts_with("/many") => {
                redirect(&format!("/many/{}", n.parse::<u32>().unwrap() + 1), "302")
            }
            Some((_, status)) => format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"),
            None => "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n".into(),
        },
    };
    stream.write_all(answer.as_bytes())
}

#[tokio::test]
async fn pages() {
    let site = Site::start(simple);
    let fetcher = fetcher(&[&site]);
    for path in ["/page", "/chunked", "/until-end", "/cut"] {
        let page = page(fetch(&fetcher, &site.url(path)).await);
        assert_eq!(
            (page.body.as_slice(), page.moved, page.url),
            (&b"hello"[..], false, site.url(path)),
            "{path}"
        );
    }
    let page = |path: &'static str| async { page(fetch(&fetcher, &site.url(path)).await) };
    assert_eq!(page("/page").await.content_type.as_deref(), Some("text/html; charset=utf-8"));
    assert!(page("/picture").await.body.is_empty(), "what is no page is not read");
    // (path, all redirects were permanent)
    for (path, moved) in
        [("/moved", true), ("/moved-twice", true), ("/found", false), ("/found-then-moved", false)]
    {
        let found = page(path).await;
        assert_eq!((found.url, found.moved), (site.url("/page"), moved), "{path}");
    }
}

#[tokio::test]
async fn what_a_request_says() {
    let site = Site::start(simple);
    page(fetch(&fetcher(&[&site]), &site.url("/moved?a=1#frag")).await);
    let heads = site.heads.lock().unwrap().clone();
    assert!(heads[0].starts_with("GET /moved?a=1 HTTP/1.1\r\n"), "{heads:?}");
    for head in &heads {
        let lower = head.to_lowercase();
        assert!(lower.contains(&format!("host: 127.0.0.1:{}\r\n", site.port)), "{head}");
        assert!(head.contains("SluglineBot/") && head.contains("(+https://sl.example/)"), "{head}");
        assert!(lower.contains("accept-encoding: gzip, br\r\n") && !lower.contains("cookie"), "{head}");
    }
}

#[tokio::test]
async fn what_is_no_page() {
    let site = Site::start(simple);
    let fetcher = fetcher(&[&site]);
    for status in [401, 403, 429, 451] {
        let outcome = fetch(&fetcher, &site.url(&format!("/status/{status}"))).await;
        assert_eq!(outcome, Outcome::NotReadable { status });
    }
    for status in [404, 410] {
        assert_eq!(fetch(&fetcher, &site.url(&format!("/status/{status}"))).await, Outcome::Gone { status });
    }
    for status in [400, 418, 500, 503, 304] {
        let outcome = fetch(&fetcher, &site.url(&format!("/status/{status}"))).await;
        assert!(matches!(outcome, Outcome::Broken { status: Some(s), .. } if s == status), "{outcome:?}");
    }
    assert_eq!(fetch(&fetcher, &site.url("/zstd")).await, Outcome::NotReadable { status: 200 });
    for path in ["/nowhere", "/garbage", "/silence", "/circle", "/gzip", "/br"] {
        let outcome = fetch(&fetcher, &site.url(path)).await;
        assert!(matches!(outcome, Outcome::Broken { .. }), "{path}: {outcome:?}");
    }
    let before = site.asked();
    let outcome = fetch(&fetcher, &site.url("/many/1")).await;
    assert!(matches!(outcome, Outcome::Broken { status: Some(302), .. }), "{outcome:?}");
    assert_eq!(site.asked() - before, MAX_HOPS + 1);
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = Fetcher::new(options(&[gone.to_string()]), names(&[])).unwrap();
    let outcome = fetch(&nobody, &Url::parse(&format!("http://{gone}/")).unwrap()).await;
    assert!(matches!(outcome, Outcome::Broken { status: None, .. }), "{outcome:?}");
    // A server that does not encrypt.
    let plain = Url::parse(&format!("https://127.0.0.1:{}/page", site.port)).unwrap();
    let outcome = fetch(&fetcher, &plain).await;
    assert!(matches!(outcome, Outcome::Broken { status: None, .. }), "{outcome:?}");
}

#[tokio::test]
async fn private_addresses_are_refused_wherever_they_are_written() {
    let site = Site::start(simple);
    let strict = Fetcher::new(options(&[]), names(&[])).unwrap();
    let literal = [
        format!("http://127.0.0.1:{}/page", site.port),
        "http://127.0.0.1/".into(),
        "http://[::1]/".into(),
        "http://[::ffff:10.0.0.1]/".into(),
        "http://[64:ff9b::7f00:1]/".into(),
        "http://2130706433/".into(),
        "http://169.254.169.254/latest/".into(),
    ];
    for url in literal {
        let outcome = fetch(&strict, &Url::parse(&url).unwrap()).await;
        assert!(is_refused(&outcome), "{url}: {outcome:?}");
    }
    // On every hop, though the first one is allowed.
    let private = [format!("127.0.0.1:{}", site.port)];
    let inner = names(&[("inner.example", &["10.0.0.7", "fd00::7"])]);
    let fetcher = Fetcher::new(options(&private), Arc::clone(&inner) as Arc<dyn Resolve>).unwrap();
    let paths =
        ["/to-metadata", "/to-loopback", "/to-mapped", "/to-port", "/to-file", "/to-inner", "/to-user"];
    for path in paths {
        let outcome = fetch(&fetcher, &site.url(path)).await;
        assert!(is_refused(&outcome), "{path}: {outcome:?}");
    }
    assert_eq!(site.asked(), paths.len(), "nothing was asked but the first hops");
}

#[tokio::test]
async fn names_that_lead_inside_are_refused() {
    let all: [&'static str; 6] =
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:192.168.0.1", "64:ff9b::a00:1"];
    for address in all {
        let list: &'static [&'static str] = Box::leak(vec![address].into_boxed_slice());
        let fetcher = Fetcher::new(options(&[]), names(&[("news.example", list)])).unwrap();
        let outcome = fetch(&fetcher, &Url::parse("http://news.example/").unwrap()).await;
        assert!(is_refused(&outcome), "{address}: {outcome:?}");
    }
    // Of several only the public ones are connected to.
    let mixed = names(&[("news.example", &["127.0.0.1", "8.8.8.8", "fd00::1", "2606:4700::1"])]);
    let fetcher = Fetcher::new(options(&[]), mixed).unwrap();
    let place = guard::place(&Url::parse("https://news.example/").unwrap(), &[]).unwrap();
    let good = addresses(&*fetcher.resolve, &place).await.ok().unwrap();
    assert_eq!(good, ["8.8.8.8".parse::<IpAddr>().unwrap(), "2606:4700::1".parse().unwrap()]);
    // A name that nobody knows is broken, not refused.
    let outcome = fetch(&fetcher, &Url::parse("http://nobody.example/").unwrap()).await;
    assert!(matches!(outcome, Outcome::Broken { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_name_is_asked_for_once_a_hop() {
    // So what is connected to is what was looked at, whatever the next answer would be.
    let site = Site::start(simple);
    let resolver = names(&[("site.test", &["127.0.0.1"])]);
    let private = [format!("site.test:{}", site.port)];
    let fetcher = Fetcher::new(options(&private), Arc::clone(&resolver) as Arc<dyn Resolve>).unwrap();
    let url = |path: &str| Url::parse(&format!("http://site.test:{}{path}", site.port)).unwrap();
    assert_eq!(page(fetch(&fetcher, &url("/page")).await).body, b"hello");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    page(fetch(&fetcher, &url("/found")).await);
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 3);
    // A private name does not free the address that it leads to.
    assert!(is_refused(&fetch(&fetcher, &site.url("/page")).await));
}

#[tokio::test]
async fn a_secret_goes_to_its_host_alone() {
    let other = Site::start(simple);
    let site = Site::start(|head, stream, port| match path(head) {
        "/away" => {
            let to = head.lines().find_map(|l| l.strip_prefix("x-test-other: ")).unwrap_or("none").to_owned();
            write!(stream, "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:{to}/page\r\n\r\n")
        }
        _ => simple(head, stream, port),
    });
    let rule = || HostRule::parse(&format!("127.0.0.1:{}", site.port)).unwrap();
    let secrets = vec![
        SecretHeader::parse(rule(), "X-Pass: open sesame").unwrap(),
        SecretHeader::parse(rule(), &format!("X-Test-Other: {}", other.port)).unwrap(),
    ];
    let private = [&site, &other].map(|s| format!("127.0.0.1:{}", s.port));
    let fetcher =
        Fetcher::new(Options { secrets: secrets.clone(), ..options(&private) }, names(&[])).unwrap();
    page(fetch(&fetcher, &site.url("/away")).await);
    assert!(site.heads.lock().unwrap()[0].contains("x-pass: open sesame\r\n"));
    let away = other.heads.lock().unwrap()[0].to_lowercase();
    assert!(!away.contains("pass") && !away.contains("sesame") && !away.contains("referer"), "{away}");
    assert!(!format!("{secrets:?}").contains("sesame"), "nor is it printed");
    for bad in ["nonsense", "Host: x", "Connection: x", ": x", "X-Pass:", "X Pass: y", "X-Pass: a\nb"] {
        assert!(SecretHeader::parse(rule(), bad).is_none(), "{bad}");
    }
}

#[tokio::test]
async fn only_so_much_is_read() {
    let site = Site::start(|head, stream, _| {
        stream.write_all(match path(head) {
            "/declared" => b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "/chunks" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "/headers" => b"HTTP/1.1 200 OK\r\n",
            _ => b"HTTP/1.1 200 OK\r\n\r\n",
        })?;
        let piece: Vec<u8> = match path(head) {
            "/headers" => b"X-Header: and another one\r\n".to_vec(),
            "/chunks" => [b"400\r\n".to_vec(), vec![b'x'; 1024], b"\r\n".to_vec()].concat(),
            _ => vec![b'x'; 65_536],
        };
        // Ends when the client has enough and goes.
        loop {
            stream.write_all(&piece)?;
        }
    });
    let fetcher = fetcher(&[&site]);
    for path in ["/declared", "/chunks", "/endless"] {
        assert_eq!(page(fetch(&fetcher, &site.url(path)).await).body.len(), page::MAX_PAGE, "{path}");
    }
    let outcome = fetch(&fetcher, &site.url("/headers")).await;
    assert!(matches!(outcome, Outcome::Broken { .. }), "{outcome:?}");
}

#[tokio::test]
async fn slow_sites_are_given_up_and_left_alone() {
    let answers: [Answering; 3] = [
        |_, stream, _| hang(stream),
        |_, stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").and_then(|()| hang(stream)),
        |_, stream, _| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhel").and_then(|()| hang(stream))
        },
    ];
    for answer in answers {
        let site = Site::start(answer);
        let (fetcher, now) = (hasty(&site), Instant::now());
        assert!(!fetcher.is_slow(&site.url("/"), now));
        assert_eq!(fetcher.fetch(&site.url("/a"), now).await, Outcome::TooSlow);
        assert!(fetcher.is_slow(&site.url("/"), now));
        assert_eq!(fetcher.fetch(&site.url("/b"), now + Duration::from_secs(60)).await, Outcome::TooSlow);
        assert_eq!(site.asked(), 1, "it was not asked again");
        assert_eq!(fetcher.fetch(&site.url("/b"), now + Duration::from_secs(61)).await, Outcome::TooSlow);
        assert_eq!(site.asked(), 2, "until it was left alone for long enough");
    }
}

#[tokio::test]
async fn a_host_is_asked_one_thing_at_a_time() {
    let site = Site::start(simple);
    let fetcher = fetcher(&[&site]);
    let url = site.url("/page");
    let all = (0..12).map(|_| fetch(&fetcher, &url));
    let outcomes = futures_util::future::join_all(all).await;
    assert!(outcomes.into_iter().all(|outcome| page(outcome).body == b"hello"));
    assert_eq!(site.most.load(Ordering::SeqCst), 1);
    let too_many = futures_util::future::join_all((0..40).map(|_| fetch(&fetcher, &url))).await;
    assert!(too_many.contains(&Outcome::TooSlow), "who finds too many before does not wait");
    assert!(!fetcher.is_slow(&url, Instant::now()), "which says nothing of the host");
}

#[tokio::test]
async fn a_resolver_that_hangs_is_not_waited_for() {
    struct Never;
    #[async_trait]
    impl Resolve for Never {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }
    let options = Options { deadline: Duration::from_millis(50), ..options(&[]) };
    let fetcher = Fetcher::new(options, Arc::new(Never)).unwrap();
    assert_eq!(fetch(&fetcher, &Url::parse("https://news.example/").unwrap()).await, Outcome::TooSlow);
}

#[tokio::test]
async fn the_systems_resolver() {
    let found = System::new().resolve("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    let strict = Fetcher::new(options(&[]), Arc::new(System::new())).unwrap();
    assert!(is_refused(&fetch(&strict, &Url::parse("http://localhost/").unwrap()).await));
}
