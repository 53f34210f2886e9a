//! A receiver of webhooks: answers as a test wants, keeps what came, and checks signatures by its own means.

use std::collections::{BTreeSet, HashMap};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use slugline::config::Config;
use slugline::units::Span;

use crate::harness::{Api, TestApp, eventually};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Message {
    pub method: String,
    pub path: String,
    /// By name in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    /// With one more header.
    With(u16, String),
    /// Nothing, while the other side waits.
    Hang,
}

type Answering = dyn Fn(&Message) -> Reply + Send + Sync;

/// A receiver that is there until the test ends.
pub struct Receiver {
    pub port: u16,
    got: Arc<Mutex<Vec<Message>>>,
}

impl Message {
    fn read(stream: &mut TcpStream) -> Option<Message> {
        let (mut head, mut byte) = (vec![], [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?;
        let mut words = head.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let header =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers: HashMap<String, String> = head.lines().skip(1).filter_map(header).collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(Message { method, path, headers, body })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn event(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn code(&self) -> String {
        self.json()["data"]["link"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// True if it was signed with this secret, as Standard Webhooks says.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let at = &self.headers["webhook-timestamp"];
        assert!(at.parse::<i64>().unwrap() > 1_700_000_000, "{at}");
        let signed = [self.id().as_bytes(), b".", at.as_bytes(), b".", &self.body].concat();
        let expected = format!("v1,{}", BASE64.encode(hmac_sha256(&key, &signed)));
        self.headers["webhook-signature"] == expected
    }
}

/// HMAC (RFC 2104), by hand: what is tested uses a library.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let padded = |with: u8| -> Vec<u8> { (0..64).map(|n| key.get(n).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::digest([padded(0x36), message.to_vec()].concat());
    Sha256::digest([padded(0x5c), inner.to_vec()].concat()).to_vec()
}

impl Receiver {
    pub fn start(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (got, answer): (Arc<Mutex<Vec<Message>>>, Arc<Answering>) = (Arc::default(), Arc::new(answer));
        let all = Arc::clone(&got);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(message) = Message::read(&mut stream) else { return };
                    all.lock().unwrap().push(message.clone());
                    let text = match answer(&message) {
                        Reply::Status(status) => format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n"),
                        Reply::With(status, header) => {
                            format!("HTTP/1.1 {status} x\r\n{header}\r\nContent-Length: 0\r\n\r\n")
                        }
                        Reply::Hang => {
                            // Until the other side has had enough.
                            let _ = stream.read(&mut [0]);
                            return;
                        }
                    };
                    // Who asked may have gone.
                    let _ = stream.write_all(text.as_bytes());
                });
            }
        });
        Receiver { port, got }
    }

    /// One that takes everything.
    pub fn good() -> Receiver {
        Receiver::start(|_| Reply::Status(204))
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// What came to any path, in order.
    pub fn got(&self) -> Vec<Message> {
        self.got.lock().unwrap().clone()
    }

    /// What was posted to a path.
    pub fn at(&self, path: &str) -> Vec<Message> {
        let mut got = self.got();
        got.retain(|message| message.method == "POST" && message.path == path);
        got
    }

    /// Waits until so many different messages came to a path; gives all that came.
    pub async fn wait(&self, path: &str, different: usize) -> Vec<Message> {
        eventually(&format!("{different} messages at {path}"), async || {
            let got = self.at(path);
            let ids: BTreeSet<&str> = got.iter().map(Message::id).collect();
            (ids.len() >= different).then_some(got.clone())
        })
        .await
    }
}

/// A server that may send to these receivers, and tries again soon.
pub fn sending_to(receivers: &[&Receiver]) -> impl FnOnce(&mut Config) + use<> {
    let hosts: Vec<String> = receivers.iter().map(|receiver| receiver.host()).collect();
    move |config| {
        config.articles.fetch_private_hosts = hosts;
        config.webhooks.retry_after =
            [100, 100, 100].map(|ms| Span(std::time::Duration::from_millis(ms))).to_vec();
        config.webhooks.deadline = Span(std::time::Duration::from_secs(2));
    }
}

pub async fn start(receiver: &Receiver) -> TestApp {
    TestApp::start_with(sending_to(&[receiver])).await
}

/// Makes a webhook and gives it with its secret.
pub async fn hook(api: &Api, url: &str, events: &[&str]) -> Value {
    let mut body = json!({ "url": url, "name": "a test's" });
    if !events.is_empty() {
        body["events"] = json!(events);
    }
    api.post("/webhooks", &body).await.expect(201).json()
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}

/// All deliveries of a webhook, newest first.
pub async fn deliveries(api: &Api, hook: &Value) -> Vec<Value> {
    api.all(&format!("/webhooks/{}/deliveries?limit=7", text(hook, "id"))).await
}

/// Waits until every delivery of a webhook has this status, and there are so many.
pub async fn settled(api: &Api, hook: &Value, count: usize, status: &str) -> Vec<Value> {
    eventually(&format!("{count} deliveries that are {status}"), async || {
        let all = deliveries(api, hook).await;
        (all.len() == count && all.iter().all(|one| one["status"] == status)).then_some(all)
    })
    .await
}
