//! What this folder's tests stand on: a site in threads of its own, a resolver that says what it is told.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use super::fetch::{Fetcher, Options, Resolve};
use crate::domain::target::HostRule;

/// A site: answers each request by its head, in a thread for each connection.
pub(super) struct Site {
    pub port: u16,
    pub heads: Arc<Mutex<Vec<String>>>,
    /// Most requests at one time.
    pub most: Arc<AtomicUsize>,
}

pub(super) type Answering = fn(&str, &mut TcpStream, u16) -> io::Result<()>;

impl Site {
    pub fn start(answer: Answering) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heads, most) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicUsize::new(0)));
        let (seen, peak, open) = (Arc::clone(&heads), Arc::clone(&most), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), seen) = (stream, Arc::clone(&seen)) else { return };
                let (peak, open) = (Arc::clone(&peak), Arc::clone(&open));
                std::thread::spawn(move || {
                    let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                    peak.fetch_max(now, Ordering::SeqCst);
                    let head = head(&mut stream);
                    seen.lock().unwrap().push(head.clone());
                    // Before the answer: with it the client's next request may be here.
                    open.fetch_sub(1, Ordering::SeqCst);
                    // A client that goes away while it is answered is part of what is tested.
                    let _ = answer(&head, &mut stream, port);
                });
            }
        });
        Site { port, heads, most }
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://127.0.0.1:{}{path}", self.port)).unwrap()
    }

    pub fn asked(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (vec![], [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
        // The beginning of an encrypted connection has no end that is known here.
        if head[0] == 0x16 {
            break;
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

pub(super) fn path(head: &str) -> &str {
    head.split([' ', '?']).nth(1).unwrap_or_default()
}

/// Until the other side goes away.
pub(super) fn hang(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}

/// Names to addresses; counts how often it is asked.
#[derive(Default)]
pub(super) struct Names {
    of: HashMap<&'static str, Vec<&'static str>>,
    pub asked: AtomicUsize,
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.of.get(host) {
            Some(addresses) => Ok(addresses.iter().map(|a| a.parse().unwrap()).collect()),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
        }
    }
}

pub(super) fn names(of: &[(&'static str, &[&'static str])]) -> Arc<Names> {
    let of = of.iter().map(|(name, addresses)| (*name, addresses.to_vec())).collect();
    Arc::new(Names { of, asked: AtomicUsize::new(0) })
}

pub(super) fn options(private: &[String]) -> Options {
    let private_hosts = private.iter().map(|host| HostRule::parse(host).unwrap()).collect();
    Options { private_hosts, ..Options::new("https://sl.example/") }
}

pub(super) fn fetcher(sites: &[&Site]) -> Fetcher {
    let private: Vec<String> = sites.iter().map(|site| format!("127.0.0.1:{}", site.port)).collect();
    Fetcher::new(options(&private), names(&[])).unwrap()
}

/// One that gives up soon, so that slow sites can be tested in no time.
pub(super) fn hasty(site: &Site) -> Fetcher {
    let private = [format!("127.0.0.1:{}", site.port)];
    Fetcher::new(Options { deadline: Duration::from_millis(250), ..options(&private) }, names(&[])).unwrap()
}
