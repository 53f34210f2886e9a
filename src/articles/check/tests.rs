//! Looks at targets on a site on this machine.

use std::io::{self, Write};
use std::net::TcpStream;

use super::*;
use crate::articles::fixture::{Site, fetcher, hang, hasty, path};

fn answer(head: &str, stream: &mut TcpStream, _: u16) -> io::Result<()> {
    let is_head = head.starts_with("HEAD ");
    let to = |status: u16, to: &str| format!("HTTP/1.1 {status} x\r\nLocation: {to}\r\n\r\n");
    let status = |status: u16| format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
    let answer = match path(head) {
        "/story" | "/" | "/login" => {
            let body = if is_head { "" } else { "hello" };
            format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}")
        }
        "/no-head" | "/closes" | "/lies" if !is_head => status(200),
        "/no-head" => status(405),
        "/closes" => return Ok(()),
        "/lies" => status(404),
        "/packed" => "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 0\r\n\r\n".into(),
        "/moved" => to(301, "/story"),
        "/found" => to(302, "/story"),
        "/slash" => to(301, "/slash/"),
        "/slash/" => status(200),
        "/to-home" => to(301, "/?from=there"),
        "/away" => to(301, &format!("http://127.0.0.1:{}/", head.split(['?', ' ']).nth(2).unwrap())),
        "/to-login" => to(302, "/login"),
        "/circle" => to(302, "/circle"),
        "/hang" => return hang(stream),
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 4096])?;
            }
        }
        other => status(other[1..].parse().unwrap_or(404)),
    };
    stream.write_all(answer.as_bytes())
}

#[tokio::test]
async fn what_a_look_shows() {
    let site = Site::start(answer);
    let (fetcher, now) = (fetcher(&[&site]), Instant::now());
    let tracking = crate::domain::canonical::tracking::Tracking::new(["from"]);
    let canon = Canon::new(tracking, crate::domain::canonical::Sites::default());
    let moved = |path: &str| Health::Moved { to: site.url(path) };
    let broken = |status: Option<u16>, why: &str| Health::Broken { status, why: why.into() };
    // (target, what it shows, requests)
    let table = [
        ("/story", Health::Good, 1),
        ("/", Health::Good, 1),
        ("/endless", Health::Good, 1),
        ("/packed", Health::Good, 1),
        ("/no-head", Health::Good, 2),
        ("/closes", Health::Good, 2),
        ("/lies", Health::Good, 2),
        ("/found", Health::Good, 2),
        ("/slash", Health::Good, 2),
        ("/moved", moved("/story"), 2),
        ("/404", broken(Some(404), "the site answers 404"), 2),
        ("/410", broken(Some(410), "the site answers 410"), 2),
        ("/500", broken(Some(500), "the site answers 500"), 2),
        ("/503", broken(Some(503), "the site answers 503"), 2),
        ("/to-home", broken(None, "it leads to the site's home page"), 2),
        ("/to-login", Health::Unknown, 2),
        ("/401", Health::Unknown, 2),
        ("/403", Health::Unknown, 2),
        ("/429", Health::Unknown, 2),
        ("/400", Health::Unknown, 2),
        ("/circle", Health::Unknown, 2),
    ];
    for (target, expected, requests) in table {
        let before = site.asked();
        assert_eq!(look(&fetcher, &canon, &site.url(target), now).await, expected, "{target}");
        assert_eq!(site.asked() - before, requests, "{target}");
    }
    let other = Site::start(answer);
    let both = crate::articles::fixture::fetcher(&[&site, &other]);
    let away = site.url(&format!("/away?{}", other.port));
    assert_eq!(
        look(&both, &canon, &away, now).await,
        Health::Moved { to: other.url("/") },
        "another site's home"
    );
    let outside = Url::parse("http://127.0.0.1/").unwrap();
    assert_eq!(look(&fetcher, &canon, &outside, now).await, Health::Unknown, "we do not ask there");
    let hasty = hasty(&site);
    let health = look(&hasty, &canon, &site.url("/hang"), now).await;
    assert!(matches!(health, Health::Unreachable { .. }), "{health:?}");
}

#[tokio::test]
async fn a_site_that_is_away() {
    let site = Site::start(|_, _, _| Ok(()));
    let health = look(&fetcher(&[&site]), &Canon::default(), &site.url("/story"), Instant::now()).await;
    assert!(matches!(health, Health::Unreachable { .. }), "{health:?}");
    assert_eq!(site.asked(), 2);
}

#[tokio::test]
async fn all_that_are_due_a_hosts_one_after_the_other() {
    let (one, two) = (Site::start(answer), Site::start(answer));
    let fetcher = fetcher(&[&one, &two]);
    let mut due: Vec<Due> = vec![];
    for path in ["/story", "/404", "/moved"] {
        due.extend([&one, &two].map(|site| Due { target: site.url(path), codes: vec!["a".into()] }));
    }
    let (tell, mut told) = mpsc::channel(1);
    let pause = Duration::from_millis(20);
    let (canon, began) = (Canon::default(), Instant::now());
    let all = async {
        look_at_all(&fetcher, &canon, due.clone(), pause, &tell).await;
        drop(tell);
    };
    let hear = async {
        let mut heard = vec![];
        while let Some((due, _)) = told.recv().await {
            heard.push(due.target);
        }
        heard
    };
    let ((), heard) = tokio::join!(all, hear);
    assert!(began.elapsed() >= 2 * pause, "there is a pause between two");
    for site in [&one, &two] {
        let of_site: Vec<&Url> = heard.iter().filter(|url| url.port() == Some(site.port)).collect();
        assert_eq!(of_site, [&site.url("/story"), &site.url("/404"), &site.url("/moved")]);
        assert_eq!(site.most.load(std::sync::atomic::Ordering::SeqCst), 1);
    }
    // Nobody listens: it ends.
    let (tell, told) = mpsc::channel(1);
    drop(told);
    let before = one.asked() + two.asked();
    look_at_all(&fetcher, &canon, due, pause, &tell).await;
    assert_eq!(one.asked() + two.asked() - before, 2);
}
