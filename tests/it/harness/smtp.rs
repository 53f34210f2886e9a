//! A mail server that says what a test wants, and keeps what it took.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use slugline::config::Config;
use slugline::digest::Security;
use slugline::units::Span;

use super::eventually;

/// How it is today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It takes mail.
    Good,
    /// It says nothing at all.
    Hangs,
    /// It takes a mail, and never says so.
    HangsAtTheEnd,
    /// It answers this to every recipient.
    Refuses(u16),
    /// It hangs up.
    HangsUp,
}

/// A mail as it came.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub data: Vec<u8>,
}

#[derive(Default)]
struct Seen {
    mood: Option<Mood>,
    mails: Vec<Mail>,
    connections: usize,
}

/// A server that is there until the test ends.
#[derive(Clone)]
pub struct Smtp {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Smtp {
    pub fn start(mood: Mood) -> Smtp {
        Smtp::on(TcpListener::bind("127.0.0.1:0").unwrap(), mood)
    }

    /// On a port that was another's before.
    pub fn on(listener: TcpListener, mood: Mood) -> Smtp {
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen { mood: Some(mood), ..Seen::default() }));
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&all);
                std::thread::spawn(move || {
                    seen.lock().unwrap().connections += 1;
                    // Whoever hangs up ends it.
                    let _ = serve(stream, &seen);
                });
            }
        });
        Smtp { port, seen }
    }

    pub fn set(&self, mood: Mood) {
        self.seen.lock().unwrap().mood = Some(mood);
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.seen.lock().unwrap().mails.clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// Waits until it has taken so many.
    pub async fn wait(&self, count: usize) -> Vec<Mail> {
        eventually(&format!("{count} mails came"), async || {
            Some(self.mails()).filter(|mails| mails.len() >= count)
        })
        .await
    }

    /// The options of a program that sends through it.
    pub fn options(&self) -> Vec<String> {
        let mail = [
            "host=127.0.0.1".into(),
            format!("port={}", self.port),
            "security=none".into(),
            "from=The Post <digest@post.example>".into(),
            "deadline=2s".into(),
            "retry_after=100ms,100ms,100ms".into(),
        ];
        mail.iter().map(|option: &String| format!("mail.{option}")).collect()
    }

    /// The same for a server in this process.
    pub fn configure(&self, config: &mut Config) {
        configure(config, self.port);
    }
}

/// Mail goes to whatever listens on this port.
pub fn configure(config: &mut Config, port: u16) {
    let ms = |ms| Span(std::time::Duration::from_millis(ms));
    let mail = &mut config.mail;
    (mail.host, mail.port, mail.security) = ("127.0.0.1".into(), port, Security::None);
    mail.from = "The Post <digest@post.example>".into();
    (mail.deadline, mail.retry_after) = (ms(1_000), vec![ms(50); 6]);
}

fn serve(stream: TcpStream, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mood = || seen.lock().unwrap().mood.unwrap();
    let (mut lines, mut out) = (BufReader::new(stream.try_clone()?), stream);
    match mood() {
        Mood::Hangs => return hang(&mut lines),
        Mood::HangsUp => return Ok(()),
        _ => {}
    }
    out.write_all(b"220 a test's\r\n")?;
    let (mut from, mut to) = (String::new(), vec![]);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" => "250-a test's\r\n250 8BITMIME".to_owned(),
            "MAIL" => {
                from = address(&line);
                "250 ok".into()
            }
            "RCPT" => match mood() {
                Mood::Refuses(code) => format!("{code} {} is not for us", address(&line)),
                _ => {
                    to.push(address(&line));
                    "250 ok".into()
                }
            },
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let data = data(&mut lines)?;
                let mail = Mail { from: from.clone(), to: std::mem::take(&mut to), data };
                seen.lock().unwrap().mails.push(mail);
                if mood() == Mood::HangsAtTheEnd {
                    return hang(&mut lines);
                }
                "250 taken".into()
            }
            "QUIT" => {
                out.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            "RSET" | "NOOP" => "250 ok".into(),
            _ => "500 what".into(),
        };
        out.write_all(format!("{answer}\r\n").as_bytes())?;
    }
}

/// Until the other side has had enough.
fn hang(lines: &mut impl Read) -> std::io::Result<()> {
    while lines.read(&mut [0; 512])? > 0 {}
    Ok(())
}

fn address(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(its, _)| its).to_owned()
}

/// What comes before a line with a dot, with dots taken away that were put before dots.
fn data(lines: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut data = vec![];
    loop {
        let mut line = vec![];
        lines.read_until(b'\n', &mut line)?;
        if line == b".\r\n" || line.is_empty() {
            return Ok(data);
        }
        data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
