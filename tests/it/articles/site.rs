//! A newsroom's site: answers by a function, on one port for all its host names; and a reader that knows it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use slugline::articles::fetch::Resolve;
use slugline::articles::reader::Reading;
use slugline::articles::{Reader, Settings};
use slugline::config::Config;
use url::Url;

/// A request as it came.
pub struct Asked {
    pub host: String,
    pub path: String,
    pub query: String,
    /// By name in lower case.
    pub headers: HashMap<String, String>,
}

impl Asked {
    fn read(stream: &mut TcpStream) -> Option<Asked> {
        let (mut head, mut byte) = (vec![], [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?;
        let target = head.split(' ').nth(1)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers: HashMap<String, String> = head.lines().skip(1).filter_map(header).collect();
        let host = headers.get("host")?.clone();
        Some(Asked { host, path: path.to_owned(), query: query.to_owned(), headers })
    }
}

/// Answers one request on its connection, which is closed after it.
type Answering = dyn Fn(&Asked, &mut TcpStream) -> io::Result<()> + Send + Sync;

/// A site that is there until the test ends.
pub struct Site {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub fn start(answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, answer): (Arc<Mutex<Vec<String>>>, Arc<Answering>) = (Arc::default(), Arc::new(answer));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    if let Some(asked) = Asked::read(&mut stream) {
                        seen.lock().unwrap().push(format!("{}{}", asked.host, asked.path));
                        // A client that goes away while it is answered is part of what is tested.
                        let _ = answer(&asked, &mut stream);
                    }
                });
            }
        });
        Site { port, asked }
    }

    /// An address at one of its hosts.
    pub fn url(&self, host: &str, path: &str) -> Url {
        Url::parse(&format!("http://{host}:{}{path}", self.port)).unwrap()
    }

    /// Host and path of each request.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A page with these headers and this body.
pub fn page(stream: &mut TcpStream, headers: &str, body: &[u8]) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len())?;
    stream.write_all(body)
}

/// A page in UTF-8.
pub fn html(stream: &mut TcpStream, body: &str) -> io::Result<()> {
    page(stream, "Content-Type: text/html; charset=utf-8\r\n", body.as_bytes())
}

/// An answer without a body.
pub fn status(stream: &mut TcpStream, status: u16) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n")
}

pub fn redirect(stream: &mut TcpStream, status: u16, to: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} x\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

/// Says nothing more until the client goes away.
pub fn hang(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}

/// A resolver that says what it is told, one answer after the other; the last one again and again.
#[derive(Default)]
pub struct Names(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    /// Each name with its answers.
    pub fn new(names: &[(&str, &[&[&str]])]) -> Arc<Names> {
        let one = |one: &&[&str]| one.iter().map(|address| address.parse().unwrap()).collect();
        let names = names.iter().map(|(name, list)| ((*name).to_owned(), list.iter().map(one).collect()));
        Arc::new(Names(Mutex::new(names.collect())))
    }

    /// All of these lead to this machine.
    pub fn here(names: &[&str]) -> Arc<Names> {
        const HERE: &[&[&str]] = &[&["127.0.0.1"]];
        let all: Vec<(&str, &[&[&str]])> = names.iter().map(|name| (*name, HERE)).collect();
        Names::new(&all)
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no such name");
        let answers = names.get_mut(host).ok_or_else(unknown)?;
        Ok(if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() })
    }
}

/// `[articles]` of a newsroom whose site has these hosts, all on this machine.
pub fn settings(site: &Site, hosts: &[&str]) -> Settings {
    let mut settings = Config::defaults().unwrap().articles;
    let hosts: Vec<String> = hosts.iter().map(|host| format!("{host}:{}", site.port)).collect();
    settings.allowed_hosts.clone_from(&hosts);
    settings.fetch_private_hosts.clone_from(&hosts);
    settings.sites.insert("courier".into(), hosts);
    settings
}

/// A reader in Berlin. What comes late is of no interest.
pub fn reader(settings: &Settings, names: Arc<dyn Resolve>) -> Reader {
    settings.check().unwrap();
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let fetcher = settings.fetcher("https://sl.example/", names).unwrap();
    Reader::new(settings.canon().unwrap(), Arc::new(fetcher), zone).0
}

/// Reads now.
pub async fn read(reader: &Reader, url: &Url) -> Arc<Reading> {
    reader.read(url, std::time::Instant::now()).await
}
