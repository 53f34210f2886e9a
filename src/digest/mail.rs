//! Mail: what is written is sent to one address, over one connection, within a deadline.
//!
//! Guarantees that no text of people becomes a header (all go through the library's encoder, on one line), and that what
//! is said of a failure has no address in it. Knows nothing of digests.

use std::time::Duration;

use jiff::Timestamp;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::settings::{Mail, Security};

/// Longest address.
const MAX_ADDRESS: usize = 254;
/// Codes of a server that does not let us in: no word about the address.
const NOT_LET_IN: [u16; 4] = [530, 534, 535, 538];

/// What sends.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    deadline: Duration,
}

/// What is sent.
pub struct Letter {
    /// To whom.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For all.
    pub text: String,
    /// The same, laid out.
    pub html: Option<String>,
    /// What it is known by: the same if it is sent again.
    pub id: String,
    /// What ends such letters, by one POST.
    pub unsubscribe: Option<String>,
    /// When it was written.
    pub at: Timestamp,
}

/// Why a letter was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words, without an address.
    pub why: String,
    /// What it is about.
    pub of: Fault,
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server, so that no other letter would be taken now.
    Server,
    /// This letter, for now.
    Letter,
    /// This letter, for ever.
    Address,
}

/// A name with an address, or an address.
///
/// # Errors
/// What is wrong with it.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    let mailbox: Mailbox =
        text.parse().map_err(|_| "an address like \"The Post <digest@post.example>\"".to_owned())?;
    address(mailbox.email.as_ref())?;
    Ok(mailbox)
}

/// An address that mail can be sent to. Less than the standard allows: nothing that is quoted or is no ASCII.
///
/// # Errors
/// What is wrong with it.
pub fn address(text: &str) -> Result<Address, String> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>(),;:\\[]".contains(&byte);
    if text.len() > MAX_ADDRESS || !text.bytes().all(plain) {
        return Err("an address like ana@post.example".into());
    }
    text.parse().map_err(|_| "an address like ana@post.example".into())
}

impl Mailer {
    /// One for these settings; None if there is no server.
    ///
    /// # Errors
    /// (key, why).
    pub fn new(settings: &Mail) -> Result<Option<Mailer>, (&'static str, String)> {
        if settings.host.is_empty() {
            return Ok(None);
        }
        let from = mailbox(&settings.from).map_err(|why| ("from", why))?;
        let mut tls = TlsParameters::builder(settings.host.clone());
        if let Some(pem) = settings.authorities().map_err(|why| ("tls_ca", why))? {
            let wrong = |error: lettre::transport::smtp::Error| ("tls_ca", error.to_string());
            let authorities = Certificate::from_pem(&pem).map_err(wrong)?;
            tls = tls.certificate_store(CertificateStore::None).add_root_certificate(authorities);
        }
        let tls = tls.build_rustls().map_err(|error| ("host", error.to_string()))?;
        let tls = match settings.security {
            Security::Tls => Tls::Wrapper(tls),
            Security::Starttls => Tls::Required(tls),
            Security::None => Tls::None,
        };
        let port = if settings.port == 0 { settings.security.port() } else { settings.port };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
            .port(port)
            .tls(tls)
            .timeout(Some(settings.deadline.0))
            .hello_name(ClientId::Domain(from.email.domain().to_owned()));
        if let Some(password) = settings.password.reveal() {
            transport = transport.credentials(Credentials::new(settings.user.clone(), password.to_owned()));
        }
        Ok(Some(Mailer { transport: transport.build(), from, deadline: settings.deadline.0 }))
    }

    /// Sends a letter.
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn send(&self, letter: Letter) -> Result<(), Failure> {
        let unsendable = |why: String| Failure { why, of: Fault::Address };
        let message = self.message(letter).map_err(unsendable)?;
        match tokio::time::timeout(self.deadline, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => {
                Err(Failure { why: "the mail server did not answer in time".into(), of: Fault::Server })
            }
        }
    }

    fn message(&self, letter: Letter) -> Result<Message, String> {
        let to = Mailbox::new(None, address(&letter.to)?);
        let id = format!("<{}@{}>", letter.id, self.from.email.domain());
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(one_line(&letter.subject))
            .date(letter.at.into())
            .message_id(Some(id))
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if let Some(url) = &letter.unsubscribe {
            // RFC 8058: mail programs end it by one POST, without a page in between.
            message = message
                .raw_header(header("List-Unsubscribe", &format!("<{url}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        let message = match letter.html {
            Some(html) => message.multipart(MultiPart::alternative_plain_html(letter.text, html)),
            None => message.singlepart(lettre::message::SinglePart::plain(letter.text)),
        };
        message.map_err(|error| error.to_string())
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    // Folding would break an address: it has no blanks, and is ours.
    HeaderValue::dangerous_new_pre_encoded(
        HeaderName::new_from_ascii_str(name),
        value.to_owned(),
        value.chars().filter(char::is_ascii_graphic).collect(),
    )
}

/// A text on one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}

fn failure(error: &lettre::transport::smtp::Error) -> Failure {
    // Its own words may have the address in them, so they are not told.
    let (why, of) = match error.status().map(u16::from) {
        Some(code) if NOT_LET_IN.contains(&code) => {
            (format!("the mail server does not let us in ({code})"), Fault::Server)
        }
        Some(code) if error.is_permanent() => {
            (format!("the mail server refuses it ({code})"), Fault::Address)
        }
        Some(421) => ("the mail server has no time (421)".into(), Fault::Server),
        Some(code) => (format!("the mail server does not take it now ({code})"), Fault::Letter),
        None if error.is_tls() => ("the mail server's certificate is not good".into(), Fault::Server),
        None => ("the mail server cannot be reached".into(), Fault::Server),
    };
    Failure { why, of }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::units::Span;

    fn settings() -> Mail {
        Mail {
            host: "127.0.0.1".into(),
            port: 0,
            security: Security::None,
            user: String::new(),
            password: Secret::default(),
            from: "The Post <digest@post.example>".into(),
            tls_ca: String::new(),
            deadline: Span(Duration::from_secs(1)),
            retry_after: vec![Span(Duration::from_secs(1))],
        }
    }

    #[test]
    fn addresses_are_plain() {
        for good in ["ana@post.example", "a.b+c@x.post.example"] {
            assert!(address(good).is_ok(), "{good}");
        }
        let long = format!("{}@post.example", "a".repeat(300));
        let bad = [
            "",
            "ana",
            "ana@",
            "@post.example",
            "ana@post.example\r\nBcc: x@y.example",
            "a b@post.example",
            "\"a\"@post.example",
            "ana@post.example,b@post.example",
            "<ana@post.example>",
            "änä@post.example",
            "ana@[127.0.0.1]",
            &long,
        ];
        for bad in bad {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!(settings().check(), Ok(()));
        assert!(Mail { host: String::new(), from: String::new(), ..settings() }.check().is_ok(), "off");
        let with = |change: fn(&mut Mail)| {
            let mut mail = settings();
            change(&mut mail);
            mail.check().unwrap_err().0
        };
        assert_eq!(with(|m| m.from = "nobody".into()), "from");
        assert_eq!(with(|m| m.user = "u".into()), "user");
        assert_eq!(with(|m| (m.user, m.password) = ("u".into(), Secret::new("p"))), "security");
        assert_eq!(with(|m| m.retry_after.clear()), "retry_after");
        assert_eq!(with(|m| m.deadline = Span(Duration::ZERO)), "deadline");
        assert_eq!(with(|m| m.tls_ca = "/nowhere".into()), "tls_ca");
    }

    #[tokio::test]
    async fn no_text_becomes_a_header() {
        let mailer = Mailer::new(&settings()).unwrap().unwrap();
        let letter = Letter {
            to: "ana@post.example".into(),
            subject: "News\r\nBcc: evil@evil.example\r\n\r\nbody \u{2028}ü".into(),
            text: "text\r\n.\r\nMAIL FROM:<x>".into(),
            html: Some("<p>x</p>".into()),
            id: "digest.1".into(),
            unsubscribe: Some(format!("https://sl.example/-/digest/end?token={}", "x".repeat(120))),
            at: Timestamp::UNIX_EPOCH,
        };
        let text = String::from_utf8(mailer.message(letter).unwrap().formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split_once(':').map(|(name, _)| name))
            .collect();
        assert!(!names.contains(&"Bcc") && names.contains(&"List-Unsubscribe-Post"), "{head}");
        assert!(head.contains("Message-ID: <digest.1@post.example>"), "{head}");
        assert!(head.contains(&"x".repeat(120)), "an address is on one line: {head}");
    }
}
