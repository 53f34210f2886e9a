//! Pages of many makes, over HTTP, as a site would send them: packed, in pieces, in old encodings, with much before
//! what is looked for.

use std::io::Write;
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use slugline::articles::Reader;
use slugline::articles::reader::{Outcome, Reading};

use super::site::{self, Asked, Names, Site, html, page, read, settings};

const PAGES: &str = include_str!("../../fixtures/articles/pages.txt");
const HOST: &str = "www.courier.example";
/// What the reader looks at of a page, in bytes.
const MIB: usize = 1 << 20;

/// (name, what is expected, the page)
fn fixtures() -> Vec<(&'static str, Vec<&'static str>, &'static str)> {
    let fixture = |text: &'static str| {
        let (head, body) = text.split_once("---\n").unwrap();
        let (name, expected) = head.split_once('\n').unwrap();
        (name, expected.lines().collect(), body)
    };
    PAGES.split("\n=== ").skip(1).map(fixture).collect()
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(vec![], Compression::default());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

/// Brotli that packs nothing: 16 bits of window, the text as it is in pieces, an empty last one.
pub fn brotli(text: &[u8]) -> Vec<u8> {
    let (mut out, mut bits, mut used) = (vec![], 0_u32, 1_u32);
    for piece in text.chunks(1 << 16) {
        bits |= (u32::try_from(piece.len()).unwrap() - 1) << (used + 3) | 1 << (used + 19);
        out.extend_from_slice(&bits.to_le_bytes()[..3]);
        out.extend_from_slice(piece);
        (bits, used) = (0, 0);
    }
    out.push(3);
    out
}

/// Sends a page in one of many ways.
fn send(stream: &mut TcpStream, way: usize, body: &[u8]) -> std::io::Result<()> {
    let kind = "Content-Type: text/html; charset=utf-8\r\n";
    match way % 5 {
        0 => page(stream, kind, body),
        1 => page(stream, &format!("{kind}Content-Encoding: gzip\r\n"), &gzip(body)),
        2 => page(stream, &format!("{kind}Content-Encoding: br\r\n"), &brotli(body)),
        3 => {
            write!(stream, "HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n\r\n")?;
            for chunk in body.chunks(77) {
                write!(stream, "{:x}\r\n", chunk.len())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            stream.write_all(b"0\r\n\r\n")
        }
        _ => {
            write!(stream, "HTTP/1.0 200 OK\r\n{kind}\r\n")?;
            stream.write_all(body)
        }
    }
}

fn newsroom(
    answer: impl Fn(&Asked, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> (Site, Reader) {
    let site = Site::start(answer);
    let reader = site::reader(&settings(&site, &[HOST]), Names::here(&[HOST]));
    (site, reader)
}

/// What was found, in the form of the fixtures, without what addresses are judged by.
fn lines(reading: &Reading, port: u16) -> Vec<String> {
    let facts = &reading.facts;
    let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
    // Relative addresses are relative to where the page is served, so without encryption here.
    let home = |image: &String| image.replace(&format!("{HOST}:{port}/"), &format!("{HOST}/"));
    let home = |image: &String| home(image).replace("http://", "https://");
    [
        ("title", facts.title.clone()),
        ("description", facts.description.clone()),
        ("image", facts.image.as_ref().map(home)),
        ("section", facts.section.clone()),
        ("authors", Some(facts.authors.join("; ")).filter(|authors| !authors.is_empty())),
        ("published", time(facts.published_at)),
        ("modified", time(facts.modified_at)),
        ("language", facts.language.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| format!("{name}: {value}")))
    .collect()
}

#[tokio::test]
async fn every_field_is_found_however_a_page_is_sent() {
    let pages = fixtures();
    assert!(pages.len() >= 40, "{} pages", pages.len());
    let (site, reader) = newsroom(|asked, stream| {
        let number = |name: &str| {
            let mut pairs = asked.query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).unwrap().1.parse::<usize>().unwrap()
        };
        let (_, _, body) = fixtures().swap_remove(number("p"));
        send(stream, number("way"), body.as_bytes())
    });
    for (n, (name, expected, _)) in pages.iter().enumerate() {
        let url = site.url(HOST, &format!("/world/river?p={n}&way={n}"));
        let reading = read(&reader, &url).await;
        assert_eq!(reading.outcome, Outcome::Read, "{name}: {:?}", reading.why);
        let mut expected: Vec<&str> =
            expected.iter().copied().filter(|line| !line.starts_with("claims: ")).collect();
        let mut found = lines(&reading, site.port);
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn one_page_sent_in_every_way_is_one_page() {
    let (site, reader) = newsroom(|asked, stream| {
        let body = format!(
            "<title>Grüße vom Fluss</title><meta name=author content='Ann Lee'>{}",
            "<p>Ein Absatz mit Wörtern.</p>".repeat(4_000)
        );
        send(stream, asked.path[1..].parse().unwrap(), body.as_bytes())
    });
    for way in 0..5 {
        let reading = read(&reader, &site.url(HOST, &format!("/{way}"))).await;
        assert_eq!(reading.facts.title.as_deref(), Some("Grüße vom Fluss"), "{way}: {:?}", reading.why);
        assert_eq!(reading.facts.authors, ["Ann Lee"], "{way}");
    }
}

#[tokio::test]
async fn old_encodings() {
    let (site, reader) = newsroom(|asked, stream| {
        let (kind, body): (&str, &[u8]) = match asked.path.as_str() {
            "/latin-1" => ("; charset=iso-8859-1", b"<title>Gr\xf6\xdfer</title><meta name=author content='J\xf6rg M\xfcller'>"),
            "/latin-1-meta" => ("", b"<meta charset=latin1><title>Gr\xf6\xdfer</title><meta name=author content='J\xf6rg M\xfcller'>"),
            "/shift-jis" => ("; charset=Shift_JIS", b"<title>\x93\xfa\x96{</title><meta name=author content='\x8eR\x93c'>"),
            "/shift-jis-meta" => (
                "",
                b"<meta http-equiv=content-type content='text/html; charset=Shift_JIS'><title>\x93\xfa\x96{</title><meta name=author content='\x8eR\x93c'>",
            ),
            _ => ("; charset=utf-16", b"\xff\xfe<\0t\0i\0t\0l\0e\0>\0a\0b\0<\0/\0t\0i\0t\0l\0e\0>\0"),
        };
        page(stream, &format!("Content-Type: text/html{kind}\r\n"), body)
    });
    let table = [
        ("/latin-1", "Größer", "Jörg Müller"),
        ("/latin-1-meta", "Größer", "Jörg Müller"),
        ("/shift-jis", "日本", "山田"),
        ("/shift-jis-meta", "日本", "山田"),
        ("/utf-16", "ab", ""),
    ];
    for (path, title, author) in table {
        let reading = read(&reader, &site.url(HOST, path)).await;
        assert_eq!(reading.facts.title.as_deref(), Some(title), "{path}");
        assert_eq!(reading.facts.authors.join(" "), author, "{path}");
    }
}

#[tokio::test]
async fn much_before_what_is_looked_for() {
    let (site, reader) = newsroom(|asked, stream| {
        let before: usize = asked.path[1..].parse().unwrap();
        let script = format!("<script>{}</script>", "x=1;".repeat(before / 4));
        let head = "<link rel=canonical href=/world/late-but-there><title>Late</title>";
        let body = format!("<!doctype html><html lang=en><head>{script}{head}");
        send(stream, before, body.as_bytes())
    });
    for before in [0, MIB / 2, MIB - 200, MIB - 203, MIB - 204] {
        let reading = read(&reader, &site.url(HOST, &format!("/{before}"))).await;
        assert_eq!(reading.facts.title.as_deref(), Some("Late"), "{before}: {:?}", reading.why);
        assert_eq!(reading.identity.as_ref().unwrap().url.path(), "/world/late-but-there", "{before}");
    }
    // What is beyond is not there; the page is.
    for before in [MIB, 3 * MIB + 1, 3 * MIB + 2] {
        let reading = read(&reader, &site.url(HOST, &format!("/{before}"))).await;
        assert_eq!((reading.outcome, &reading.facts.title), (Outcome::Read, &None), "{before}");
        assert_eq!(reading.facts.language.as_deref(), Some("en"));
        assert_eq!(reading.identity.as_ref().unwrap().url, site.url(HOST, &format!("/{before}")));
    }
}

#[tokio::test]
async fn bodies_that_have_no_end_or_make_no_sense() {
    let (site, reader) = newsroom(|asked, stream| {
        let kind = "Content-Type: text/html\r\n";
        match asked.path.as_str() {
            "/endless" => {
                write!(stream, "HTTP/1.1 200 OK\r\n{kind}\r\n<title>Endless</title>")?;
                loop {
                    stream.write_all(&[b' '; 8192])?;
                }
            }
            "/bomb" => {
                let bomb = [b"<title>Bomb</title>".to_vec(), vec![b' '; 64 * MIB]].concat();
                page(stream, &format!("{kind}Content-Encoding: gzip\r\n"), &gzip(&bomb))
            }
            "/cut" => {
                let packed =
                    gzip("<title>Cut</title><p>A text with some words in it.</p>".repeat(900).as_bytes());
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\n{kind}Content-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n"
                )?;
                stream.write_all(&packed[..packed.len() - 20])
            }
            "/no-gzip" => page(stream, &format!("{kind}Content-Encoding: gzip\r\n"), b"<title>Plain</title>"),
            "/no-brotli" => page(stream, &format!("{kind}Content-Encoding: br\r\n"), &[0xff; 64]),
            "/zstd" => page(stream, &format!("{kind}Content-Encoding: zstd\r\n"), b"(\xb5/\xfd"),
            _ => html(stream, ""),
        }
    });
    let table = [
        ("/endless", Outcome::Read, Some("Endless")),
        ("/bomb", Outcome::Read, Some("Bomb")),
        ("/cut", Outcome::Read, Some("Cut")),
        ("/no-gzip", Outcome::Broken, None),
        ("/no-brotli", Outcome::Broken, None),
        ("/zstd", Outcome::NotReadable, None),
        ("/empty", Outcome::Read, None),
    ];
    for (path, outcome, title) in table {
        let reading = read(&reader, &site.url(HOST, path)).await;
        assert_eq!(
            (reading.outcome, reading.facts.title.as_deref()),
            (outcome, title),
            "{path}: {:?}",
            reading.why
        );
    }
}
